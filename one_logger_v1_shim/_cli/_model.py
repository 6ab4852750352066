"""What a report consists of: sections of lines, and charts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from . import _format as f

_MOST_POINTS = 4096


@dataclass
class Line:
    """``label  value``; ``spark`` is drawn behind the value as a small plot, ``share`` (0 to 1) as a bar.

    ``kind``: which part a share is of.
    """

    label: str
    value: str
    spark: list[float] = field(default_factory=list)
    share: Optional[float] = None
    kind: str = ""


@dataclass
class Tile:
    """One number that is read first, and a line below it."""

    label: str
    value: str
    hint: str = ""


@dataclass
class Chart:
    """Curves over one x axis; ``times`` says whether x is ms since the epoch or a number of rows."""

    title: str
    unit: str
    curves: dict[str, list[tuple[float, float]]]
    times: bool = True
    #: curves that stand out: those that were lost
    lost: set[str] = field(default_factory=set)
    #: the ends of the x axis, where several charts have the same
    ends: Optional[tuple[float, float]] = None


@dataclass
class Lane:
    """One line of a time line: what each piece of time was. ``columns``: begin and end (ms), kind -> share of it."""

    label: str
    says: str
    columns: list[tuple[float, float, dict[str, float]]]
    #: ms since the epoch
    marks: list[float] = field(default_factory=list)


@dataclass
class Timeline:
    """Lanes over one axis of time, ``ends`` in ms since the epoch."""

    title: str
    lanes: list[Lane]
    ends: tuple[float, float]


#: what a page can draw
Drawing = Union[Chart, Timeline]


@dataclass
class Section:
    """A headline and its lines, or a table of texts whose first row is the head.

    Attributes:
        total: whether the last row of the table is the sum of the others.
        drop: columns of the table that a narrow terminal leaves out, the first to go first.
        tiles, charts: what only a page shows.
        on_page: the table of a page, where that has more columns.
        folded: whether a page shows the lines only to who asks for them.
    """

    title: str
    lines: list[Line] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    drop: tuple[int, ...] = ()
    total: bool = False
    tiles: list[Tile] = field(default_factory=list)
    charts: list[Drawing] = field(default_factory=list)
    on_page: list[list[str]] = field(default_factory=list)
    folded: bool = False

    def add(self, label: str, value: Optional[str], spark: Iterable[float] = ()) -> None:
        """Append a line; None adds nothing."""
        if value is not None:
            self.lines.append(Line(f.clean(label), value, list(spark)))


@dataclass
class Report:
    """What is shown, in order."""

    title: str
    sections: list[Section]
    notes: list[str]

    @property
    def charts(self) -> list[Drawing]:
        """All of them."""
        return [chart for section in self.sections for chart in section.charts]


class Points:
    """``(x, ...)`` tuples, thinned out evenly so that a run of any length has a bounded number of them."""

    def __init__(self, most: int = _MOST_POINTS) -> None:
        self.kept: list[tuple[Optional[float], ...]] = []
        self._most = most
        self._every = 1
        self._until_next = 0
        #: the newest point, if it is not kept: it or what makes it
        self._last: Optional[tuple[Callable[..., tuple[Optional[float], ...]], tuple[Any, ...]]] = None

    def add_later(self, make: Callable[..., tuple[Optional[float], ...]], *arguments: Any) -> None:
        """One more point, ``make(*arguments)``: made only if it is kept."""
        if self._until_next:
            self._until_next -= 1
            self._last = (make, arguments)
            return
        self._last = None
        self.kept.append(make(*arguments))
        if len(self.kept) >= self._most:
            self.kept = self.kept[::2]
            self._every *= 2
        self._until_next = self._every - 1

    def curve(self, column: int) -> list[tuple[float, float]]:
        """``(x, y)`` where both are there; the newest point always is."""
        points = self.kept
        if self._last is not None:
            make, arguments = self._last
            points = [*points, make(*arguments)]
        pairs = [(point[0], point[column]) for point in points]
        return [(x, y) for x, y in pairs if x is not None and y is not None]

"""From the axes to the cells: every Python with every wandb, the other axes rotated so that every pair occurs.

Beside this grid stand the consumers' environments (``consumers.py``) and bare interpreters, see :func:`environments`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .consumers import Consumer

MATRIX = Path(__file__).resolve().parent.parent / "matrix.toml"

#: the name of cells whose environment has nothing but the interpreter
BARE = "bare"
_AXES = ("python", "wandb", "wrapt", "mode", "imports", "wandb_mode")

Pair = tuple[str, str, str, str]


@dataclass(frozen=True)
class Cell:
    """One combination. ``python`` and ``wandb`` are "here" for the interpreter that runs the matrix."""

    python: str
    wandb: str
    wrapt: str
    mode: str
    imports: str
    wandb_mode: str
    #: with the training frameworks, and for the programs that need them
    frameworks: bool = False
    #: a name of ``environments/`` or BARE; then ``wandb`` and ``wrapt`` are what is pinned there
    consumer: str = ""
    #: wandb and v2 live in an environment of their own (``isolate``); only our wheel is added to the job's
    isolated: bool = False
    #: (K, N): of the jobs every Nth one, from the one with number K on
    share: tuple[int, int] = (0, 1)
    #: only the jobs of these names; empty: all
    only: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Also the name of its file of known differences."""
        if self.consumer:
            return f"{self.environment}-{self.mode}-{self.imports}-{self.wandb_mode}"
        head = "here" if self.python == "here" else self.environment
        return f"{head}-{self.mode}-{self.imports}-{self.wandb_mode}"

    @property
    def environment(self) -> str:
        """Cells with the same of these share an environment."""
        more = "-frameworks" if self.frameworks else ""
        if self.consumer:
            way = "isolated" if self.isolated else "in_process"
            return f"{self.consumer}-py{self.python}{more}-{way}"
        return f"py{self.python}-wandb-{self.wandb}-wrapt-{self.wrapt}{more}"

    def pairs(self) -> set[Pair]:
        """Every pair of two axes' values that this cell has."""
        axes = [(axis, str(getattr(self, axis))) for axis in sorted(_AXES)]
        return {(*a, *b) for a, b in itertools.combinations(axes, 2)}


def load() -> dict[str, Any]:
    """The axes. Needs ``tomllib``: the grid is planned by CPython 3.11 or later; the cells run on any."""
    try:
        import tomllib
    except ImportError:
        raise SystemExit(
            "The grid is planned by CPython 3.11 or later (it reads matrix.toml with tomllib). "
            "On this interpreter use: python -m compat_matrix --here"
        ) from None
    return tomllib.loads(MATRIX.read_text(encoding="utf-8"))


def supports(bound: str, python: str) -> bool:
    """Whether this Python is one of ``bound``, for example ``>=3.9,<3.14``."""
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(bound).contains(python)


def grid(axes: Mapping[str, Any]) -> list[Cell]:
    """All cells: each (Python, wandb) offline once; then online and disabled ones until every pair has occurred."""
    corners = [(p, w) for p in axes["python"] for w, bound in axes["wandb"].items() if supports(bound, p)]
    seen: set[Pair] = set()
    cells: list[Cell] = []
    wrapt: dict[tuple[str, str], str] = {}
    for number, (python, wandb) in enumerate(corners):
        rest = _rotated(axes, number)
        cell = _most_new((Cell(python, wandb, *combination, "offline") for combination in rest), seen)
        wrapt[python, wandb] = cell.wrapt  # the other modes share the environment
        cells.append(cell)
    for wandb_mode in axes["wandb_mode"]:
        if wandb_mode == "offline":
            continue
        candidates = [
            Cell(python, wandb, *combination, wandb_mode)
            for python, wandb in corners
            for combination in itertools.product(*(axes[axis] for axis in _ROTATED))
            if combination[0] == wrapt[python, wandb]
        ]
        while any(candidate.pairs() - seen for candidate in candidates):
            by = len(cells) * 7 % len(candidates)
            cells.append(_most_new(candidates[by:] + candidates[:by], seen))
    for corner in axes["frameworks"]["cells"]:
        python, wandb = corner.split("/")
        for rest in (("async", "no-edit", "offline"), ("sync", "swapped", "offline")):
            cells.append(Cell(python, wandb, "newest", *rest, frameworks=True))
    return cells


def diagonal(axes: Mapping[str, Any]) -> list[Cell]:
    """The cells of ``--quick``: each Python with its wandb; the last one offline, online and disabled.

    The last one plays all jobs. The others share them: most of a job's time is wandb's import, on any of them. Online
    are the jobs of ``matrix.toml``.
    """
    *corners, last = (corner.split("/") for corner in axes["quick"])
    cells = []
    for number, (python, wandb) in enumerate(corners):
        steps = (("wrapt", 1), ("mode", 2))
        bits = [axes[axis][number // by % len(axes[axis])] for axis, by in steps]
        imports = axes["imports"][(number + 1) % 2]
        cells.append(Cell(python, wandb, *bits, imports, "offline", share=(number, len(corners))))
    newest = (*last, axes["wrapt"][-1])
    return [
        *cells,
        Cell(*newest, "async", "no-edit", "offline"),
        Cell(*newest, "async", "no-edit", "online", only=tuple(axes["quick_online"])),
        Cell(*newest, "sync", "swapped", "disabled", share=(0, len(corners))),
    ]


def canary(axes: Mapping[str, Any]) -> list[Cell]:
    """The newest of everything, in each mode: what a release of somebody else may break next.

    Whether that takes in pre-releases is the installer's business (``UV_PRERELEASE=allow``).
    """
    cells = []
    for python in axes["python"][-axes["canary"]["pythons"] :]:
        newest = (python, "newest", "newest")
        cells += [
            Cell(*newest, "sync", "swapped", "offline"),
            Cell(*newest, "async", "no-edit", "online"),
            Cell(*newest, "sync", "swapped", "disabled"),
        ]
    return cells


def environments(axes: Mapping[str, Any], consumers: Mapping[str, Consumer]) -> list[Cell]:
    """The consumers' environments, each in both ways of installing, and a bare interpreter of each Python.

    The in-process way is planned where a file says that it can't be had, too: somebody has to notice when it can.
    """
    cells = []
    turns = itertools.cycle(itertools.product(axes["mode"], axes["imports"]))
    for name, consumer in consumers.items():
        for isolated in (True, False):
            cells.append(_consumer(name, consumer.python, next(turns), isolated))
        if consumer.frameworks is not None:
            cells.append(_consumer(name, consumer.frameworks.python, next(turns), True, frameworks=True))
    cells += [_consumer(BARE, python, next(turns), True) for python in axes["python"]]
    return cells


def quick_environments(axes: Mapping[str, Any], consumers: Mapping[str, Consumer]) -> list[Cell]:
    """The few of :func:`environments` that ``--quick`` runs, with a third of the jobs: the diagonal has them all."""
    wanted = axes["quick_environments"]
    return [replace(cell, share=(0, 3)) for cell in environments(axes, consumers) if cell.environment in wanted]


def _consumer(name: str, python: str, turn: tuple[str, str], isolated: bool, frameworks: bool = False) -> Cell:
    mode, imports = turn
    return Cell(python, "pinned", "pinned", mode, imports, "offline", frameworks, name, isolated)


def here() -> list[Cell]:
    """This interpreter with what it has installed."""
    return [
        Cell("here", "here", "here", "sync", "swapped", "offline"),
        Cell("here", "here", "here", "async", "no-edit", "offline"),
    ]


_ROTATED = ("wrapt", "mode", "imports")


def _rotated(axes: Mapping[str, Any], by: int) -> list[Sequence[str]]:
    every = list(itertools.product(*(axes[axis] for axis in _ROTATED)))
    by = by * 5 % len(every)  # 5 and 12 have no common factor: ties are broken differently from cell to cell
    return every[by:] + every[:by]


def _most_new(candidates: Iterable[Cell], seen: set[Pair]) -> Cell:
    best = max(candidates, key=lambda cell: len(cell.pairs() - seen))
    seen |= best.pairs()
    return best

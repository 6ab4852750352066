"""From the axes to the cells: every Python with every wandb, the other axes rotated so that every pair occurs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MATRIX = Path(__file__).resolve().parent / "matrix.toml"

Pair = tuple[str, str, str, str]


@dataclass(frozen=True)
class Cell:
    """One combination. ``python`` and ``wandb`` are "here" for the interpreter that runs the matrix."""

    python: str
    wandb: str
    wrapt: str
    mode: str
    delivery: str
    imports: str
    wandb_mode: str
    #: with the training frameworks, and for the programs that need them
    frameworks: bool = False

    @property
    def name(self) -> str:
        """Also the name of its file of known differences."""
        head = "here" if self.python == "here" else self.environment
        return f"{head}-{self.mode}-{self.delivery}-{self.imports}-{self.wandb_mode}"

    @property
    def environment(self) -> str:
        """Cells with the same of these share an environment."""
        more = "-frameworks" if self.frameworks else ""
        return f"py{self.python}-wandb-{self.wandb}-wrapt-{self.wrapt}{more}"

    def pairs(self) -> set[Pair]:
        """Every pair of two axes' values that this cell has."""
        axes = sorted((axis, value) for axis, value in vars(self).items() if isinstance(value, str))
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


def at_least(python: str, bound: str) -> bool:
    """Does this Python satisfy ``>=X.Y``?"""
    return _number(python) >= _number(bound.lstrip(">="))


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def grid(axes: Mapping[str, Any]) -> list[Cell]:
    """All cells: each (Python, wandb) offline once; then online and disabled ones until every pair has occurred."""
    corners = [(p, w) for p in axes["python"] for w, bound in axes["wandb"].items() if at_least(p, bound)]
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
        for rest in (("async", "worker", "no-edit", "offline"), ("sync", "worker", "swapped", "offline")):
            cells.append(Cell(python, wandb, "newest", *rest, frameworks=True))
    return cells


def diagonal(axes: Mapping[str, Any]) -> list[Cell]:
    """The cells of ``--quick``: each Python with its wandb, the last one online and disabled; the other axes alternate.

    An online cell looks at the files that W&B wrote as well: it needs no offline one beside it.
    """
    *corners, last = (corner.split("/") for corner in axes["quick"])
    cells = []
    for number, (python, wandb) in enumerate(corners):
        bits = [axes[axis][number // by % 2] for axis, by in (("wrapt", 1), ("mode", 2), ("delivery", 3))]
        imports = axes["imports"][(number + 1) % 2]
        cells.append(Cell(python, wandb, *bits, imports, "offline"))
    python, wandb = last
    wrapt = axes["wrapt"][len(corners) % 2]
    cells.append(Cell(python, wandb, wrapt, "async", "worker", "no-edit", "online"))
    cells.append(Cell(python, wandb, wrapt, "sync", "worker", "swapped", "disabled"))
    return cells


def here() -> list[Cell]:
    """This interpreter with what it has installed."""
    return [
        Cell("here", "here", "here", "sync", "worker", "swapped", "offline"),
        Cell("here", "here", "here", "async", "worker", "no-edit", "offline"),
    ]


_ROTATED = ("wrapt", "mode", "delivery", "imports")


def _rotated(axes: Mapping[str, Any], by: int) -> list[Sequence[str]]:
    every = list(itertools.product(*(axes[axis] for axis in _ROTATED)))
    by = by * 5 % len(every)  # 5 and 16 have no common factor: ties are broken differently from cell to cell
    return every[by:] + every[:by]


def _most_new(candidates: Iterable[Cell], seen: set[Pair]) -> Cell:
    best = max(candidates, key=lambda cell: len(cell.pairs() - seen))
    seen |= best.pairs()
    return best

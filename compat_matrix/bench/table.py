"""The table of the benchmark: rows with a target, the machine, as text and as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Optional


@dataclass
class Row:
    """One line. ``met`` is None where it was not measured (``note`` says why), and where there is no target."""

    what: str
    target: str
    measured: str = ""
    compared: str = ""
    peers: str = ""
    met: Optional[bool] = None
    note: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """``met``, ``not met``, ``not measured``, or ``-`` where there is no target."""
        if self.measured and not self.target:
            return "-"
        return {True: "met", False: "not met", None: "not measured"}[self.met]


def us(value: float) -> str:
    """Microseconds with as many digits as mean something."""
    if value >= 1000:
        return f"{value / 1000:.1f} ms" if value < 100_000 else f"{value / 1000:.0f} ms"
    return f"{value:.0f} us" if value >= 100 else f"{value:.1f} us" if value >= 1 else f"{value:.2f} us"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": _cpu(),
        "cores": cores,
        "load": round(load, 1) if load is not None else None,
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "wandb": _version("wandb"),
        "v2": _version("nv-one-logger-core"),
        "shim": _version("one-logger-v1-shim"),
    }


def described(facts: dict[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start; {facts['system']}; "
        f"{facts['python']}, wandb {facts['wandb']}, v2 {facts['v2']}"
    )


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        if distribution == "one-logger-v1-shim":
            from one_logger_v1_shim import __version__

            return __version__
        return "none"


_TITLES = ("what", "measured", "compared with", "must reach", "verdict", "peers in the same run")


def _cells(row: Row) -> tuple[str, ...]:
    peers = "; ".join(filter(None, [row.peers, row.note]))
    middle = (row.measured, row.compared, row.target)
    return (row.what, *(cell or "-" for cell in middle), row.verdict, peers)


def markdown(rows: Sequence[Row], facts: dict[str, Any]) -> str:
    """The table as the README shows it."""
    lines = [f"Measured on: {described(facts)}.", ""]
    lines += ["| " + " | ".join(_TITLES) + " |", "|" + "---|" * len(_TITLES)]
    lines += [
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in _cells(row)) + " |" for row in rows
    ]
    return "\n".join(lines)


def text(row: Row) -> str:
    """One row for a terminal, as soon as it is measured."""
    what, measured, compared, target, verdict, peers = _cells(row)
    lines = (what, f"{measured} ({compared})", f"must reach: {target}", peers)
    return f"{verdict:>12}  " + f"\n{'':14}".join(lines)


def as_json(rows: Sequence[Row], facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, for ``--json``."""
    return {"machine": facts, "rows": [{**asdict(row), "verdict": row.verdict} for row in rows]}

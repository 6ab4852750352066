"""What was lost, in words: how much, why, and what would be better."""

from __future__ import annotations

from typing import Optional

from .._goodput import definitions as d
from .._goodput import losses as l
from .._goodput.training import Training
from . import _format as f
from ._model import Section

_STARTUP = (d.MODEL_INIT, d.DATA_LOADER, d.OPTIMIZER, d.STARTUP_REST, d.LOAD_CHECKPOINT)
_HEAD = ["lost", "time", "of all", "GPU-hours", "why"]


def section(training: Training) -> Section:
    """The losses, those that cost most first."""
    found = l.losses(training.attempts, training.parts, training.wall)
    rows = [
        [one.label, f.duration(one.us / 1e6), f.percent(one.share), hours(one.gpu_hours), _why(one.key, training)]
        for one in found
    ]
    return Section("What was lost", table=[_HEAD, *rows], drop=(4, 3)) if rows else Section("What was lost")


def hours(given: Optional[float]) -> str:
    """GPU-hours."""
    if given is None:
        return "-"
    return f"{given:,.0f}" if given >= 100 else f.measured(given)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{f.count(number)} times"


def _why(key: str, training: Training) -> str:
    figures, attempts = training.figures, len(training.attempts)
    if key == d.LOST_WORK:
        every, best = figures["checkpoint_interval"], figures["checkpoint_interval_best"]
        if every is None:
            return "no checkpoint is logged"
        said = f"a checkpoint every {f.duration(every / 1000)}"
        return said if best is None else f"{said}; every {f.duration(best / 1000)} would cost least"
    if key == d.SAVE_CHECKPOINT:
        saves = sum(one.attempt.rows.saves_begun for one in training.attempts)
        many = "1 save" if saves == 1 else f"{f.count(saves)} saves"
        return f"{many} of {f.duration(training.parts[key] / 1e6 / saves)}" if saves else ""
    if key in _STARTUP:
        with_it = sum(one.division.parts[key] > 0 for one in training.attempts)
        return f"{_times(with_it)} {f.duration(training.parts[key] / 1e6 / with_it)}" if with_it else ""
    if key in (l.QUEUE, l.LAUNCH, d.BETWEEN):
        of = {l.QUEUE: "queue", l.LAUNCH: "launch", d.BETWEEN: "gap"}[key]
        gaps = [us for us in (getattr(one, of) for one in training.attempts) if us]
        longest = _times(len(gaps)) if gaps else ""
        if len(gaps) > 1:
            longest += f", the longest {f.duration(max(gaps) / 1e6)}"
        notes = {
            l.QUEUE: "until SLURM gave the nodes; not paid",
            l.LAUNCH: "from there to the start of the application",
            d.BETWEEN: "no row tells when the nodes were given",
        }
        return f"{notes[key]} ({longest})" if longest else notes[key]
    return {
        d.VALIDATION: "validation batches",
        d.IDLE: "between iterations: data, stragglers, callbacks",
        d.SHUTDOWN: "from the end of the loop to the end of the job",
        d.UNKNOWN: "the rows do not say",
        l.SLOWER: f"than the fastest of {attempts} attempts; inside of the iterations",
    }.get(key, "")

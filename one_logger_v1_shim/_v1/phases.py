"""The phases of a job that v1 timed from a start to an end, and the two metrics of each: the one table of phases.

An argument of v1's callbacks ``on_<phase>_start`` and ``on_<phase>_end`` has the metric's name; it replaces the clock.

Runs in the job's process.
"""

from __future__ import annotations

from typing import NamedTuple

from . import metrics as m


class Phase(NamedTuple):
    """One phase. Both metrics are ms since the epoch."""

    #: for people
    label: str
    start: str
    finish: str

    @property
    def times(self) -> tuple[str, str]:
        """The two metrics."""
        return self.start, self.finish


PHASES: dict[str, Phase] = {
    "app_run": Phase("application", m.APP_START_TIME, m.APP_FINISH_TIME),
    "model_init": Phase("model init", m.APP_MODEL_INIT_START_TIME, m.APP_MODEL_INIT_FINISH_TIME),
    "dataloader_init": Phase("data loader", m.APP_BUILD_DATAITERS_START_TIME, m.APP_BUILD_DATAITERS_FINISH_TIME),
    "optimizer_init": Phase("optimizer", m.APP_BUILD_OPTIMIZER_START_TIME, m.APP_BUILD_OPTIMIZER_FINISH_TIME),
    "load_checkpoint": Phase("checkpoint load", m.LOAD_CHECKPOINT_START_TIME, m.LOAD_CHECKPOINT_FINISH_TIME),
    "train": Phase("training loop", m.APP_TRAIN_LOOP_START_TIME, m.APP_TRAIN_LOOP_FINISH_TIME),
}

"""Which jobs a cell runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from ..jobs import Job
from .consumers import Consumer
from .plan import Cell

#: also logged offline and then synced, in the online cells
SYNCED = ("golden/quickstart", "golden/random_3", "program/megatron", "program/megatron_yaml")


def jobs_of(cell: Cell, jobs: Sequence[Job], consumer: Optional[Consumer] = None) -> list[Job]:
    """Of all ``jobs`` those that make sense in this cell.

    A consumer's environment runs that consumer's programs and all recorded jobs; its large one, with a training
    framework, the programs that need the framework, as every large one does.
    """
    if consumer is not None:
        own = {f"program/{name}" for name in consumer.programs}
        # a real training framework comes in the environment that has one
        jobs = [job for job in jobs if job.is_golden or (job.name in own and bool(job.needs) == cell.frameworks)]
    if cell.frameworks:
        return [job for job in jobs if job.needs]
    first, step = cell.share
    jobs = [job for job in jobs if not cell.only or job.name in cell.only][first::step]
    readme = [job for job in jobs if not job.name.endswith("@readme") or cell.wandb_mode == "offline"]
    if cell.isolated:
        readme = [job for job in readme if not job.needs]
    if cell.wandb_mode != "online":
        return readme
    synced = [replace(job, name=f"{job.name}@sync") for job in jobs if job.name in SYNCED]
    return [*readme, *synced]

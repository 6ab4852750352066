"""Whose spans and metrics these are: the attributes of OpenTelemetry's resource. The standard library only.

Rank, world size and SLURM's words stand in the environment of the job, which its worker has, too; the names are those
of NVIDIA's ``nemo-lens``. ``OTEL_RESOURCE_ATTRIBUTES`` and ``OTEL_SERVICE_NAME`` win over all of it (:mod:`.sender`).
Runs in the worker's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union

from .._journal.records import RunRecord
from .._journal.secret import without_user

#: attribute -> variables, the first that is there counts
_NUMBERS = {
    "nv.dl.rank": ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"),
    "nv.dl.world_size": ("WORLD_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"),
    "nv.dl.local_rank": ("LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
_TEXTS = {
    "slurm.job.id": ("SLURM_JOB_ID", "SLURM_JOBID"),
    "slurm.job.name": ("SLURM_JOB_NAME",),
    "slurm.job.account": ("SLURM_JOB_ACCOUNT",),
    "slurm.job.partition": ("SLURM_JOB_PARTITION",),
    "slurm.job.nodelist": ("SLURM_JOB_NODELIST",),
    "slurm.cluster.name": ("SLURM_CLUSTER_NAME",),
    "slurm.step.id": ("SLURM_STEP_ID",),
    "slurm.array.job.id": ("SLURM_ARRAY_JOB_ID",),
    "slurm.array.task.id": ("SLURM_ARRAY_TASK_ID",),
}

Attributes = dict[str, Union[str, int]]


def attributes(record: RunRecord, run_id: str, url: Optional[str], environ: Mapping[str, str]) -> Attributes:
    """The resource of the run ``record``.

    Args:
        record: the run.
        run_id: as W&B knows it.
        url: of its page, if it is online.
        environ: the job's.
    """
    chosen = {**record.default, **record.chosen}
    base = (record.v2_values or {}).get("base")
    found: dict[str, Any] = {
        "service.name": chosen.get("project") or "one_logger",
        "service.instance.id": record.id,
        "host.name": record.machine,
        "process.pid": record.pid,
        "one_logger.version": record.version,
        "wandb.run.id": run_id,
        "wandb.run.name": chosen.get("run_name"),
        "wandb.run.url": None if url is None else without_user(url),
    }
    for name, variables in _NUMBERS.items():
        found[name] = _number(_first(environ, variables))
    for name, variables in _TEXTS.items():
        found[name] = _first(environ, variables)
    if isinstance(base, dict) and base.get("world_size_or_fn") is not None:
        found["nv.dl.world_size"] = base["world_size_or_fn"]  # what the program has told v1
    return {name: value for name, value in found.items() if isinstance(value, (str, int)) and value != ""}


def _first(environ: Mapping[str, str], variables: tuple[str, ...]) -> str:
    return next((environ[one] for one in variables if environ.get(one)), "")


def _number(text: str) -> Optional[int]:
    return int(text) if text.strip().lstrip("-").isdigit() else None

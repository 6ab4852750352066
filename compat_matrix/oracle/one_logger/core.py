"""v1's core, as docs/v1.md tells of it: it takes any dict as it is, and swallows by default."""

from __future__ import annotations

import atexit
import copy
import json
import os
import time

#: metrics of the first row that are SLURM variables as they are (NVIDIA/nv-one-logger, v1_compatible_wandb_exporter.py)
SLURM = {
    "jobid": "JOBID", "job_account": "JOB_ACCOUNT", "alloc_hosts": "JOB_NUM_NODES", "cluster": "CLUSTER_NAME",
    "exec_hosts": "JOB_NODELIST", "user": "JOB_USER", "job_name": "JOB_NAME", "job_partition": "JOB_PARTITION",
    "job_reservation": "JOB_RESERVATION", "array_job_id": "ARRAY_JOB_ID", "array_task_count": "ARRAY_TASK_COUNT",
    "array_task_id": "ARRAY_TASK_ID", "step_nodelist": "STEP_NODELIST",
}  # fmt: skip


def first_row(environment):
    """What v1 added to the first row of a run, but for the log times and its own version."""
    seconds = [int(environment.get(f"SLURM_JOB_{edge}_TIME") or 0) for edge in ("START", "END")]
    row = {"job_start_time": seconds[0] * 1000, "limit_run": seconds[1] - seconds[0]}
    row.update((name, environment.get(f"SLURM_{variable}")) for name, variable in SLURM.items())
    row["step_id"] = environment.get("SLURM_STEP_ID", environment.get("SLURM_STEPID"))
    return {name: value for name, value in row.items() if value is not None}


#: every core of the process, in order of construction
CORES = []


class OneLogger:
    """Keeps what v1 would have sent, as the recorded jobs spell it: ``["log_metrics", row]`` and so on."""

    def __init__(self, config=None):
        config = config or {}
        nested = config.get("wandb") or {}
        self.project = config.get("project") or nested.get("project")
        self.name = config.get("name") or nested.get("name")
        self.host = config.get("host") or nested.get("host")
        self.emits = []
        #: ``time.time()`` of each of them
        self.times = []
        self.began = time.time()
        #: what v1 would have refused, in words
        self.refused = []
        self._swallow = config.get("no_exception", True)
        self._store = {}
        self._finished = False
        self._enabled = bool(config.get("enable_one_logger", True))
        CORES.append(self)

    def log_metrics(self, metrics):
        """A row. ``None`` instead of a dict is an error that v1 swallowed."""
        if metrics is None and (self._swallow or self._finished):
            self.refused.append("log_metrics(None) sends nothing")
            return
        self._emit(["log_metrics", copy.deepcopy(dict(metrics))])

    def log_app_tag(self, app_tag):
        """A tag or a list of tags."""
        self._emit(["log_app_tag", copy.deepcopy(app_tag)])

    def _emit(self, what):
        if not self._enabled:
            return
        if self._finished:
            self.refused.append(f"{what[0]} after finish() sends nothing")
            return
        self.emits.append(what)
        self.times.append(time.time())

    def store_set(self, key, value):
        self._store[key] = value

    def store_get(self, key):
        return self._store[key]

    def store_has_key(self, key):
        return key in self._store

    def store_pop(self, key):
        return self._store.pop(key)

    def get_context_manager(self):
        """Nests; ends at the first exception and swallows it."""
        return _Guard(self)

    def finish(self):
        """The end of the run."""
        self._emit(["finish"])
        self._finished = True


class _Guard:
    def __init__(self, core):
        self._core = core

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _traceback):
        if not self._core._swallow or not isinstance(error, Exception):
            return False
        self._core.refused.append(f"{kind.__name__} in a `with get_context_manager()` block is swallowed: {error}")
        return True


def dump():
    """Everything that was sent, by core."""
    return [
        {
            "project": core.project,
            "name": core.name,
            "host": core.host,
            "began": core.began,
            "emits": core.emits,
            "times": core.times,
            "refused": core.refused,
        }
        for core in CORES
    ]


@atexit.register
def _write():
    path = os.environ.get("COMPAT_MATRIX_ORACLE_OUT")
    if path:
        with open(path, "w", encoding="utf-8") as out:
            json.dump(dump(), out)

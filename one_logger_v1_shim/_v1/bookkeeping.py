"""What v1's core added to rows by itself: the log times, the SLURM fields and the list of tags.

Runs in the job's process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from . import metrics as m

#: what v1's arithmetic gives at a call: ``log_app_tag`` of a tag, ``log_metrics`` of a row
TAG, ROW = "tag", "row"
Emit = tuple[str, Any]

#: v1 sent the version of its own wheel here; no public file states one, so dashboards get ours
_VERSION_FIELD = m.ONE_LOGGER_VERSION

# Metric -> environment variables that v1 read for it, the first one that is set wins (docs/dictionary.md).
_SLURM: dict[str, tuple[str, ...]] = {
    m.JOBID: ("SLURM_JOBID",),
    m.JOB_ACCOUNT: ("SLURM_JOB_ACCOUNT",),
    m.ALLOC_HOSTS: ("SLURM_JOB_NUM_NODES",),
    m.CLUSTER: ("SLURM_CLUSTER_NAME",),
    m.EXEC_HOSTS: ("SLURM_JOB_NODELIST",),
    m.USER: ("SLURM_JOB_USER",),
    m.JOB_NAME: ("SLURM_JOB_NAME",),
    m.JOB_PARTITION: ("SLURM_JOB_PARTITION",),
    m.JOB_RESERVATION: ("SLURM_JOB_RESERVATION",),
    m.ARRAY_JOB_ID: ("SLURM_ARRAY_JOB_ID",),
    m.ARRAY_TASK_COUNT: ("SLURM_ARRAY_TASK_COUNT",),
    m.ARRAY_TASK_ID: ("SLURM_ARRAY_TASK_ID",),
    m.STEP_ID: ("SLURM_STEP_ID", "SLURM_STEPID"),
    m.STEP_NODELIST: ("SLURM_STEP_NODELIST",),
}


class TagList:
    """The process's tags: de-duplicated, in order of first appearance, only ever growing."""

    def __init__(self) -> None:
        self._tags: list[str] = []

    def add(self, tag: Any) -> bool:
        """Add a tag or a list of tags; True if the list is longer now."""
        before = len(self._tags)
        for one in tag if isinstance(tag, (list, tuple)) else (tag,):
            text = one if isinstance(one, str) else str(one)
            if text not in self._tags:
                self._tags.append(text)
        return len(self._tags) > before

    def row(self) -> dict[str, Any]:
        """The three metrics of the list as it is now: the tags, their md5 and their number."""
        import hashlib

        def md5(tag: str) -> str:
            data = tag.encode("utf-8", "surrogatepass")
            return hashlib.md5(data, usedforsecurity=False).hexdigest()

        return {
            m.APP_TAG: list(self._tags),
            m.APP_TAG_ID: [md5(tag) for tag in self._tags],
            m.APP_TAG_COUNT: len(self._tags),
        }


class Bookkeeping:
    """One run's share: completes each row with what v1's core put into it."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._first = [True]  # taken by the first row, in one step among threads

    def complete(self, row: Mapping[str, Any], now: float) -> dict[str, Any]:
        """A copy of ``row`` plus ``app_last_log_time`` (int ms), and in the first row of the run the job's own fields.

        ``now`` is ``time.time()`` in seconds. What the caller put into ``row`` wins over what we would add.
        """
        now_ms = round(now * 1000)
        if not self._first:
            return {**row, m.APP_LAST_LOG_TIME: now_ms}
        try:
            self._first.pop()
        except IndexError:  # another thread was faster
            return {**row, m.APP_LAST_LOG_TIME: now_ms}
        return {**job_fields(os.environ), _VERSION_FIELD: self._version, m.APP_FIRST_LOG_TIME: now_ms,
                **row, m.APP_LAST_LOG_TIME: now_ms}  # fmt: skip


def job_fields(environ: Mapping[str, str]) -> dict[str, Any]:
    """The SLURM fields of the first row: raw strings, absent variables omitted, the two times always there."""
    fields: dict[str, Any] = {}
    for metric, names in _SLURM.items():
        value = next((environ[name] for name in names if name in environ), None)
        if value is not None:
            fields[metric] = value
    start = _seconds(environ.get("SLURM_JOB_START_TIME"))
    end = _seconds(environ.get("SLURM_JOB_END_TIME"))
    fields[m.JOB_START_TIME] = start * 1000
    fields[m.LIMIT_RUN] = end - start
    return fields


def _seconds(text: Optional[str]) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0

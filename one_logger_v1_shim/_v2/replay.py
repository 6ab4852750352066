"""v1's calls from a journal, played to a v2 provider of this process. Runs in the worker's process.

v2 hears what it would have heard in the job: the same calls in the same order, with the job's clock readings. v2 gives
some events no time of their own, and reads the clock: for the length of a call that clock is the job's.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from typing import Any, Optional

from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.exporter.exporter import Exporter
from nv_one_logger.exporter.file_exporter import FileExporter

from .._conversion import V2Values
from .._journal.calls import Call, Reading
from . import private
from .attach import configure_with, configured_exporters, ours
from .config import Read, build
from .forward import Forward
from .passing import Passing
from .playback import Playback


class Replay:
    """A provider of this process, and the calls that are played to it.

    Args:
        values: ``V2Values`` as the journal has them.
        run_id: makes the spans' ids the same in each worker of a run.
        resumed: an earlier worker has played a part; exporters have heard it.

    Raises an exception if v2 cannot be used.
    """

    def __init__(self, values: dict[str, Any], run_id: str, resumed: bool) -> None:
        self._muted: list[Passing] = []
        self._clock = _Clock()
        self._resumed = resumed
        self._values = V2Values(**values)
        self._ids = _Ids(run_id)
        self._playback = Playback(self._join)
        self._playback.join()

    def _join(self, read: Read) -> Forward:
        config = build(self._values, read)
        exporters = [one for one in configured_exporters(config) if ours(one) is None]
        if self._resumed:
            exporters = [self._not_twice(one) for one in exporters]
        for module, name, value in (
            (private.module_clock(), "time", self._clock),
            (private.module_ids(), "uuid", self._ids),
        ):
            if module is not None:
                setattr(module, name, value)
        configure_with(config, exporters)
        return Forward(OneLoggerProvider.instance().recorder, None, True)

    def _not_twice(self, exporter: Exporter) -> Exporter:
        """``exporter``, which is not told again what an earlier worker has told it."""
        if isinstance(exporter, FileExporter):
            return exporter  # it begins its file again, and needs all of it
        muted = Passing(exporter, muted=True)
        self._muted.append(muted)
        return muted

    def play(self, call: Call, heard: bool) -> None:
        """Play one call. ``heard``: exporters have heard it from an earlier worker."""
        for one in self._muted:
            one._muted = heard
        self._clock.at = call.at
        self._playback.play(call)

    def close(self, at: Reading) -> None:
        """The job has ended: v2's application ends, if it has not, at ``at``; exporters are closed."""
        for one in self._muted:
            one._muted = False
        self.play(Call("close", at), heard=False)
        self._clock.at = None


class _Clock:
    """Stands for the module ``time`` in v2: the job's clock during a call."""

    at: Optional[Reading] = None

    def time(self) -> float:
        return self.at[0] if self.at is not None else time.time()

    def perf_counter(self) -> float:
        return self.at[1] if self.at is not None else time.perf_counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _Ids:
    """Stands for the module ``uuid`` in v2: the n-th span of a run has the same id in each worker."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._count = 0

    def uuid4(self) -> uuid.UUID:
        self._count += 1
        digest = hashlib.sha256(f"{self._run_id}:{self._count}".encode()).digest()
        return uuid.UUID(bytes=digest[:16], version=4)

    def __getattr__(self, name: str) -> Any:
        return getattr(uuid, name)

"""v2 in the job's process, where the application itself uses it: v1's calls are played to its provider.

What is played is in the journal already. No lock is held while v2 and its exporters work: the calls stand in a queue,
and whichever thread finds nobody at it plays all of them, in their order.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Optional

from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder

from .._conversion import V2Values
from .._journal.calls import Call
from .._log import warn_once
from . import silence
from .attach import begin, configure_with, configured_exporters, ours
from .beside import until_configured, when_configured
from .config import Read, build
from .forward import Forward
from .playback import Playback


class Here:
    """The v2 of this process.

    Args:
        values: v2's configuration, used if nobody has configured the provider yet.
        exporter: the v1-compatible exporter whose run the v1 calls share, if there is one.
    """

    def __init__(self, values: V2Values, exporter: Any) -> None:
        self._values = values
        self._exporter = exporter
        self._playback = Playback(self._join)
        self._queue: deque[Call] = deque()
        # An RLock: a signal handler may raise between `acquire` and `try`, and this thread is to go on the next time.
        self._busy = threading.RLock()
        self._playing = False  # by the thread that has the lock
        self._off = False
        self._leaving = False  # the application is about to configure v2

    def play(self, calls: list[Call]) -> None:
        """Play ``calls``, after those that were given before. Raises no ``Exception``."""
        queue = self._queue
        queue.extend(calls)
        while queue and self._busy.acquire(blocking=False):  # else who is at it plays these, too
            try:
                if self._playing:  # an exporter of v2's has logged something
                    return
                self._playing = True
                try:
                    while queue:
                        self._play(queue.popleft())
                finally:
                    self._playing = False
            finally:
                self._busy.release()

    def _play(self, call: Call) -> None:
        if self._off or self._leaving:
            return
        try:
            self._playback.play(call)
        except Exception as error:
            self._off = True
            warn_once("v2:attach", f"v2 hears nothing, it could not be set up ({error!r}); v1 rows are not affected")

    def _join(self, read: Read) -> Optional[Forward]:
        silence.install()
        owned = not OneLoggerProvider.instance().one_logger_ready
        if owned:
            config = build(self._values, read)
            provider = begin(config)
            if provider is None:
                self._leaving = True
                when_configured(self._joined)
                return None
            configure_with(config, [one for one in configured_exporters(config) if ours(one) is None], provider)
            until_configured(self._leave, self._joined)
        recorder = OneLoggerProvider.instance().recorder
        if not isinstance(recorder, TrainingRecorder):
            raise RuntimeError(f"the v2 provider has a {type(recorder).__name__}; expected a TrainingRecorder")
        if self._exporter is not None:
            self._exporter.hold()
        return Forward(recorder, self._exporter, owned)

    def _leave(self) -> bool:
        """The application configures v2 after all: what we have told ours ends here."""
        self._leaving = True
        self._playback.leave()
        OneLoggerProvider.instance().recorder.close()
        return True

    def _joined(self) -> None:
        self._leaving = False

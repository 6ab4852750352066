"""v1's calls as somebody besides W&B hears them: the interface between the faces and v2. Runs in the job's process.

Three listeners: :class:`one_logger_v1_shim._v2.forward.Forward` (v2 in this process), :class:`.recorded.Recorded` (v2
in the worker's process: the calls go into the journal, and the worker plays them to a ``Forward`` there) and
:class:`Deaf`.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Protocol

#: two clock readings of one moment: s since the epoch (``time.time()``), s of the counter (``time.perf_counter()``)
Reading = tuple[float, float]

#: the value of a v1 key that is a callable, as v1 has read it last
Read = Callable[[str], Any]


class Listener(Protocol):
    """Hears v1's calls, in their order, one at a time. ``at`` is the clock when the call came.

    ``given_ms``: the instant that the caller gave by hand (ms since the epoch), if he did.
    """

    def open(self, at: Reading, given_ms: Any = None) -> None:
        """A face was made: the application begins, unless somebody else reports it."""

    def training(self, at: Reading, values: dict[str, Any], read: Read) -> None:
        """What is known about the training: ``fields`` and ``callables`` of ``V2Values``. The first call counts."""

    def app_start(self, at: Reading, given_ms: Any = None) -> None:
        """``on_app_start``."""

    def app_end(self, at: Reading, given_ms: Any = None) -> None:
        """``on_app_end``."""

    def phase_start(self, at: Reading, phase: str, given_ms: Any = None) -> None:
        """A phase begins: ``model_init``, ``dataloader_init``, ``load_checkpoint``, ``validation``, ``test`` ..."""

    def phase_end(self, at: Reading, phase: str, given_ms: Any = None) -> None:
        """A phase ends."""

    def train_start(self, at: Reading, iterations: int, samples: int) -> None:
        """``on_train_start``: finished iterations and samples before it."""

    def train_end(self, at: Reading) -> None:
        """``on_train_end``."""

    def batch_start(self, at: Reading) -> None:
        """``on_train_batch_start``."""

    def batch_end(self, at: Reading) -> None:
        """``on_train_batch_end``."""

    def save_start(self, at: Reading, step: int) -> None:
        """``on_save_checkpoint_start``."""

    def save_end(self, at: Reading, step: int) -> None:
        """``on_save_checkpoint_end``."""

    def save_success(self, at: Reading, step: int) -> None:
        """``on_save_checkpoint_success``."""

    def before_row(self, at: Reading) -> bytes:
        """A row is about to be logged: the line that is to stand before it in the journal, if any."""

    def row(self, at: Reading, row: bytes) -> None:
        """A row was logged."""

    def close(self, at: Reading) -> None:
        """The run is finished."""

    def abandon(self) -> None:
        """This is a forked child: the calls are the parent's affair."""


class Deaf:
    """Nobody hears."""

    def open(self, at: Reading, given_ms: Any = None) -> None: ...
    def training(self, at: Reading, values: dict[str, Any], read: Read) -> None: ...
    def app_start(self, at: Reading, given_ms: Any = None) -> None: ...
    def app_end(self, at: Reading, given_ms: Any = None) -> None: ...
    def phase_start(self, at: Reading, phase: str, given_ms: Any = None) -> None: ...
    def phase_end(self, at: Reading, phase: str, given_ms: Any = None) -> None: ...
    def train_start(self, at: Reading, iterations: int, samples: int) -> None: ...
    def train_end(self, at: Reading) -> None: ...
    def batch_start(self, at: Reading) -> None: ...
    def batch_end(self, at: Reading) -> None: ...
    def save_start(self, at: Reading, step: int) -> None: ...
    def save_end(self, at: Reading, step: int) -> None: ...
    def save_success(self, at: Reading, step: int) -> None: ...
    def row(self, at: Reading, row: bytes) -> None: ...
    def close(self, at: Reading) -> None: ...
    def abandon(self) -> None: ...

    def before_row(self, at: Reading) -> bytes:
        return b""


def milliseconds(value: Any) -> Optional[float]:
    """An instant that was given by hand (ms since the epoch) if v2 can use it: what is no number, 0 and less is not."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e15:
        return value
    return None

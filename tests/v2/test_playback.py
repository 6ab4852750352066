"""The one playback of v1's calls, in the worker's process and in the job's; Replay and Here have tests of their own."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._journal.calls import Call, Reading
from one_logger_v1_shim._v2.playback import Playback
from tests.support import warned
from tests.v2.room import reading

Read = Callable[[str], Any]


class Told:
    """Stands for ``Forward``: keeps what it is told, with the value of ``global_batch_size`` at that time."""

    def __init__(self, fails: tuple[str, ...] = ()) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.joined: list[Any] = []
        self._fails = fails

    def join(self, read: Read) -> Any:
        self.joined.append(read("global_batch_size"))
        return self

    def hear(self, name: str, at: Reading, arguments: tuple[Any, ...], read: Read) -> None:
        self.calls.append((name, at, arguments, read("global_batch_size")))
        if name in self._fails:
            raise RuntimeError(name)


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    _log.forget()


def test_provider_is_joined_at_the_first_call() -> None:
    told = Told()
    one = Playback(told.join)
    one.play(Call("value", None, ("global_batch_size", 16)))
    assert told.joined == [], "a value is no call of the job's"
    one.play(Call("app_start", reading(1), (None,)))
    one.play(Call("batch_start", reading(2)))
    one.join()
    assert told.joined == [16], "once, with the values that were known then"
    assert told.calls == [("app_start", reading(1), (None,), 16), ("batch_start", reading(2), (), 16)]


def test_values_change_between_two_calls() -> None:
    told = Told()
    one = Playback(told.join)
    one.join()
    for size in (1, 2, 2):
        one.play(Call("value", None, ("global_batch_size", size)))
        one.play(Call("batch_end", reading(size)))
    assert [call[3] for call in told.calls] == [1, 2, 2]


def test_call_that_raises_is_logged_once_and_the_next_ones_are_played(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(fails=("save_start", "row"))
    one = Playback(told.join)
    for name in ("save_start", "save_start", "row", "save_end"):
        one.play(Call(name, reading(1)))
    assert [call[0] for call in told.calls] == ["save_start", "save_start", "row", "save_end"]
    assert warned(caplog) == [
        f"v2 could not record {name} (RuntimeError({name!r})); v1 rows are not affected"
        for name in ("save_start", "row")
    ]


def test_v2_that_cannot_be_used_is_the_callers_trouble() -> None:
    def broken(read: Read) -> Any:
        raise RuntimeError("no v2")

    one = Playback(broken)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no v2"):
            one.play(Call("app_start", reading(1)))


def test_call_without_a_reading_is_left_out() -> None:
    told = Told()
    Playback(told.join).play(Call("app_start", None))
    assert told.calls == []

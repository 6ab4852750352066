"""An exception that the application's signal handler raises while a row is logged is the application's: it passes."""

from __future__ import annotations

import os
import signal
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._handlers import raised_by_handler
from tests.delivery.jobs import processes
from tests.support import run_python, stored_rows

_ALARM = """
import logging, os, signal, sys, time
from one_logger_v1_shim import OneLogger

kinds = [type("Limit", (Exception,), {}), ValueError, TimeoutError]

def over(*_):
    raise kind("time is over")

signal.signal(signal.SIGALRM, over)
logger = OneLogger({"project": "p"})
heard = logged = 0
for turn in range(12):
    kind = kinds[turn % 3]
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        while True:
            logger.log_metrics({"turn": turn, "x": 0.5, "values": [1, 2, 3]})
            logged += 1
    except kind:
        heard += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
logger.log_metrics({"last": True})
logger.finish()
print(heard, logged)
"""


@pytest.mark.everywhere
@pytest.mark.slow
def test_it_passes_and_no_row_is_lost(tmp_path: Path) -> None:
    env = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "ONE_LOGGER_V1_FINISH_TIMEOUT": "100"}
    heard, logged = map(int, run_python(_ALARM, tmp_path, env=env).stdout.split())
    assert heard == 12
    rows = stored_rows(tmp_path)
    assert rows[-1] == {"last": True}
    # a row whose call was interrupted is there or not; each of the others is there once
    assert logged <= len(rows) - 1 <= logged + heard


_SET = """
import ctypes, sys, threading, time
from one_logger_v1_shim import OneLogger

kinds = [type("Limit", (Exception,), {}), Exception, TimeoutError]
logger = OneLogger({"project": "p"})
heard = []

def work(turn):
    logged = 0
    try:
        while True:
            logger.log_metrics({"turn": turn, "x": 0.5, "values": [1, 2, 3]})
            logged += 1
    except kind:
        heard.append(logged)

for turn in range(10):
    kind = kinds[turn % 3]
    thread = threading.Thread(target=work, args=(turn,))
    thread.start()
    time.sleep(0.01)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(kind))
    thread.join(10)
    assert not thread.is_alive()
logger.log_metrics({"last": True})
logger.finish()
print(len(heard), sum(heard))
"""


@pytest.mark.everywhere
@pytest.mark.slow
def test_what_another_thread_sets_passes(tmp_path: Path) -> None:
    """A thread that logs is ended: `wandb.agent` does it, and so do time limits in threads."""
    env = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "ONE_LOGGER_V1_FINISH_TIMEOUT": "100"}
    heard, logged = map(int, run_python(_SET, tmp_path, env=env).stdout.split())
    rows = stored_rows(tmp_path)
    assert heard == 10
    assert rows[-1] == {"last": True}
    assert logged <= len(rows) - 1 <= logged + heard


_WAITS = """
import os, signal, sys, time
from one_logger_v1_shim import OneLogger

class Limit(Exception):
    pass

def over(*_):
    raise Limit("time is over")

signal.signal(signal.SIGALRM, over)
logger = OneLogger({"project": "p"})
logger.log_metrics({"a": 1})
signal.setitimer(signal.ITIMER_REAL, 0.5)
began = time.monotonic()
try:
    logger.finish()
except Limit:
    print("heard", time.monotonic() - began < 10)
"""


@pytest.mark.slow
def test_a_time_limit_for_finish(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexec sleep 15\n")
    python.chmod(0o755)
    env = {"ONE_LOGGER_V1_PYTHON": str(python), "ONE_LOGGER_V1_FINISH_TIMEOUT": "12"}
    assert run_python(_WAITS, tmp_path, env=env).stdout.split() == ["heard", "True"]
    for pid in processes(tmp_path, "start.py"):
        os.kill(pid, signal.SIGKILL)


def _raise(*_: object) -> None:
    raise RuntimeError("in the handler")


class _Handler:
    def method(self, *_: object) -> None:
        _raise()

    def __call__(self, *_: object) -> None:
        _raise()


@pytest.mark.parametrize(
    "handler",
    [_raise, _Handler().method, _Handler(), partial(_raise, 1)],
    ids=["function", "method", "object", "partial"],
)
def test_every_kind_of_handler_is_known(handler: Any) -> None:
    before = signal.signal(signal.SIGUSR2, handler)
    try:
        with pytest.raises(RuntimeError) as raised:
            handler()
        assert raised_by_handler(raised.value)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert not raised_by_handler(raised.value)


def _once(number: int, frame: Any) -> None:
    signal.signal(number, signal.SIG_IGN)
    _raise()


def _once_too(*given: Any) -> None:
    _once(*given)


class _Partial:
    def _over(self, kind: str, *given: Any) -> None:
        _once(*given)

    __call__ = partialmethod(_over, "kind")


@pytest.mark.parametrize("handler", [_once, _once_too, partial(_Partial()._over, "kind"), _Partial()])
def test_a_handler_for_once_is_known(handler: Any) -> None:
    """It takes itself away and raises: nothing that is installed tells of it."""
    before = signal.signal(signal.SIGUSR2, handler)
    try:
        with pytest.raises(RuntimeError) as raised:
            signal.raise_signal(signal.SIGUSR2)
        assert raised_by_handler(raised.value)
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_trouble_of_ours_is_not_the_applications() -> None:
    with pytest.raises(ValueError, match="ours") as raised:
        raise ValueError("ours")
    assert not raised_by_handler(raised.value)
    assert not raised_by_handler(ValueError("without a traceback"))


def test_a_value_that_raises_is_not_set_by_a_thread() -> None:
    class Missing(Exception):
        pass

    with pytest.raises(Missing) as raised:
        raise Missing
    assert not raised_by_handler(raised.value)

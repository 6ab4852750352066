"""The worker's end of the socket in the hands of a test: what it says, when it goes. No process is started."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim import _state
from one_logger_v1_shim._job import process as module
from one_logger_v1_shim._journal.interpreter import Interpreter
from one_logger_v1_shim._journal.words import ENDED, UP, message

INTERPRETER = Interpreter("/nowhere/python", "the job's own", isolated=False)
ISOLATED = Interpreter("/nowhere/python", "ONE_LOGGER_V1_PYTHON", isolated=True)
#: above the kernel's limit
NOBODY = 2**22 + 1


class WorkersEnd:
    """One worker. It has come up unless ``up`` says otherwise; ``starter``: the exit code of what has started it."""

    def __init__(self, options: dict[str, Any], up: bool = True, starter: Optional[int] = 0) -> None:
        self.options = options
        self.environ: dict[str, str] = options["env"]
        self.starter = starter
        self.pid = NOBODY
        self.returncode: Optional[int] = None
        self.peer = socket.socket(fileno=os.dup(options["stdin"]))
        self.peer.setblocking(False)
        if up:
            self.say(UP, os.getpid())

    def poll(self) -> Optional[int]:
        """As ``Popen.poll``."""
        return self.starter

    def wait(self, limit: float) -> Optional[int]:
        """As ``Popen.wait``."""
        return self.starter

    def say(self, letter: bytes, number: int) -> None:
        """A message to the job."""
        self.peer.sendall(message(letter, number))

    def heard(self) -> Optional[bytes]:
        """What the job has sent; empty: it has hung up; None: nothing."""
        try:
            return self.peer.recv(65536)
        except BlockingIOError:
            return None
        except ConnectionResetError:  # it has not read all that was said
            return b""

    def end(self, code: Optional[int] = None) -> None:
        """It goes, with a word about its exit code or without."""
        if code is not None:
            self.say(ENDED, code)
        self.peer.close()


class Workers(list[WorkersEnd]):
    """All that were started. ``up``: of those to come, whether they come up; ``starter``: see :class:`WorkersEnd`."""

    up = True
    starter: Optional[int] = 0

    def start(self, interpreter: Interpreter, folder: Path, **options: Any) -> WorkersEnd:
        """In place of ``process._detached``."""
        self.append(WorkersEnd(options, self.up, self.starter))
        return self[-1]


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No process is started; the job's state is new, and works in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = _state.exchange(_state.Process())
    found = Workers()
    monkeypatch.setattr(module, "_detached", found.start)
    yield found
    _state.exchange(before)
    for one in found:
        one.peer.close()

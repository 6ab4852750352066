"""The worker as the job sees it: started, asked how far it is, left alone at the end."""

from __future__ import annotations

import atexit
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Optional

from ._journal import NO_FOLLOW
from ._spec import FOREIGN, RunSpec, without_user

#: exit code of a worker after which another one would do no better; it has left a notice
GIVEN_UP = 4

# What the job's interpreter was told is not meant for the worker: its warnings would become errors, for one.
_NOT_FOR_THE_WORKER = (
    "ONE_LOGGER_V1_SHIM",
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONINSPECT",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONSTARTUP",
    "PYTHONTRACEMALLOC",
    "PYTHONVERBOSE",
    "PYTHONWARNINGS",
)

_QUIETLY = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)

# Workers that outlive the run they were started for: kept, so that they are reaped while the job goes on.
_left: list[subprocess.Popen[bytes]] = []


class Process:
    """One worker, and a socket to it: bytes that ask, and counts of rows (8 bytes each) that answer.

    A socket and not a pipe: a job that lets SIGPIPE end it would be ended by a worker that died.

    Raises whatever ``subprocess`` raises when no process can be started.
    """

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        #: rows that the worker has given to ``run.log``
        self.acknowledged = 0
        self._heard = b""
        self._inode: Optional[int] = None
        self._descriptor = -1
        ours, theirs = socket.socketpair()
        self._descriptor = ours.detach()
        log = -1
        try:
            self._inode = os.fstat(self._descriptor).st_ino
            log = os.open(folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_FOLLOW, 0o666)
            self._popen = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", str(folder)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=log,
                cwd=folder,  # stands first on the worker's sys.path, so it must hold nothing to import
                env=environ,
                start_new_session=True,  # Ctrl-C in the job's terminal is the job's
                close_fds=True,
            )
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()
            if log >= 0:
                os.close(log)

    def ended(self) -> Optional[int]:
        """The exit code, or None while it runs."""
        return self._popen.poll()

    def wait(self, limit: float) -> Optional[int]:
        """The exit code, or None when it still runs after ``limit`` seconds."""
        try:
            return self._popen.wait(limit)
        except subprocess.TimeoutExpired:
            return None

    def ring(self) -> bool:
        """Ask how far it is. False: it has gone."""
        try:
            with self._socket() as peer:
                peer.send(b"s", _QUIETLY)
        except BlockingIOError:  # it is not listening; there is room for many questions
            return True
        except OSError:
            return False
        return True

    def listen(self, limit: float) -> bool:
        """Wait up to ``limit`` seconds for :attr:`acknowledged` to be news. False: it has gone."""
        try:
            if not self._is_ours():
                return False
            poll = select.poll()  # select() takes no descriptor beyond 1023
            poll.register(self._descriptor, select.POLLIN)
            if not poll.poll(max(0.0, limit) * 1000.0):
                return self.ended() is None  # wandb's process may hold the other end open
            with self._socket() as peer:
                data = peer.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._heard += data
        whole = len(self._heard) // 8 * 8
        if whole:
            self.acknowledged = max(self.acknowledged, int.from_bytes(self._heard[whole - 8 : whole], "big"))
            self._heard = self._heard[whole:]
        return bool(data)

    @contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        if not self._is_ours():
            raise OSError("the job has closed it")
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=self._descriptor)
        try:
            yield peer
        finally:
            peer.detach()

    def hang_up(self) -> None:
        """End of file for the worker, also where a forked child holds the socket: nothing more is asked."""
        with suppress(OSError), self._socket() as peer:
            peer.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Give the socket back."""
        if self._is_ours():
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1

    def leave(self) -> None:
        """Let it go on without us; it has limits of its own."""
        self.close()
        if not _left:
            atexit.register(_forget)
        for one in list(_left):
            if one.poll() is not None:
                _left.remove(one)
        _left.append(self._popen)

    def abandon(self) -> None:
        """In a forked child: it is not this process's child."""
        self.close()
        self._popen.returncode = 0  # Popen would warn, and wait for somebody else's process

    def _is_ours(self) -> bool:
        """A program that closes all descriptors (a daemon) may have got the number for something of its own."""
        try:
            return self._descriptor >= 0 and os.fstat(self._descriptor).st_ino == self._inode
        except OSError:
            return False


def _forget() -> None:
    for one in _left:
        if one.poll() is None:
            one.returncode = 0  # so that Popen does not warn about a process that is meant to go on
    _left.clear()


def environment(spec: RunSpec) -> dict[str, str]:
    """The worker's environment: the job's, without what would make it the job, and with the job's ``sys.path``."""
    environ = {key: value for key, value in os.environ.items() if key not in (*FOREIGN, *_NOT_FOR_THE_WORKER)}
    environ.pop("ONE_LOGGER_V1_HOST", None)
    # What is secret goes this way and not into run.json.
    if spec.api_key:
        environ["WANDB_API_KEY"] = spec.api_key
    if spec.host and without_user(spec.host) != spec.host:
        environ["ONE_LOGGER_V1_HOST"] = spec.host
    # The job's sys.path may have been extended by hand; the standard library's own entries come last anyway.
    entries = []
    for entry in filter(None, environ.get("PYTHONPATH", "").split(os.pathsep)):
        with suppress(OSError):  # a relative one, and the working directory has been removed
            entries.append(os.path.abspath(entry))
    root = str(Path(__file__).resolve().parent.parent.parent)
    for entry in [root, *(entry for entry in sys.path if entry.endswith("-packages"))]:
        if entry not in entries:
            entries.append(entry)
    environ["PYTHONPATH"] = os.pathsep.join(entries)
    return environ

"""The worker as the job sees it: started, asked how far it is, left alone at the end. Runs in the job's process.

The worker is a grandchild from its first instruction: a shell starts it and goes. A launcher that kills the children of
a process that ends (Ray does) leaves it alone, however short the job was, and it can go on sending rows.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from .._handlers import raised_by_handler
from .._journal.clock import monotonic
from .._journal.environment import start_command
from .._journal.interpreter import Interpreter
from .._journal.outside import open_to_write
from .._journal.process_table import is_running, started
from .._journal.words import ENDED, MESSAGE, PARTS, ROWS, UP, Exit, read_message

try:  # eventlet and gevent replace the one in `socket` by one that waits in their own way
    import _socket
except ImportError:  # pragma: no cover
    import socket as _socket  # type: ignore[no-redef]

#: a job may let SIGPIPE end it, and the worker may have died a moment ago
_NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)
_SO_NOSIGPIPE = 0x1022  # macOS says it once for the socket; Python has no name for it

# A shell gives what it starts in the background an empty standard input, unless it is told another one.
_IN_THE_BACKGROUND = 'exec 3<&0; "$@" <&3 3<&- &'
_SHELL_LIMIT = 2.0  # seconds; it takes one or two milliseconds


class WorkerProcess:
    """One worker, and a socket to it.

    What is said on the socket: :mod:`one_logger_v1_shim._journal.words`. A socket and not a pipe: a job that lets
    SIGPIPE end it would be ended by a worker that died.

    Raises whatever ``subprocess`` raises when no process can be started.
    """

    def __init__(self, folder: Path, interpreter: Interpreter, environ: dict[str, str]) -> None:
        #: rows that the worker has given to ``run.log``
        self.acknowledged = 0
        #: the worker's process number, once it has come up
        self.pid: Optional[int] = None
        self._began: Optional[str] = None
        self._code: Optional[int] = None
        self._parted = False  # it goes on, and nothing of that is our affair
        self._closed = False  # by the other side
        self._heard = b""
        self._inode: Optional[int] = None
        # One object for all questions: one that is made for each is closed, and the worker with it, when Ctrl-C comes
        # right after it was made.
        self._peer, theirs = _socket.socketpair()
        if sys.platform == "darwin":  # pragma: no cover
            with suppress(OSError):
                self._peer.setsockopt(_socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)
        log = -1
        try:
            self._inode = os.fstat(self._peer.fileno()).st_ino
            log = open_to_write(folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            self._starter = _detached(
                interpreter,
                folder,
                stdin=theirs.fileno(),
                stdout=log,  # what a sitecustomize prints is no message to us
                stderr=log,
                cwd=folder,  # it must hold nothing to import
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

    @property
    def came_up(self) -> bool:
        """Whether our code has written a word there."""
        return self.pid is not None

    def ended(self) -> Optional[int]:
        """The exit code, or None while it runs."""
        self._listen(0.0)
        starter = self._starter.poll()
        if self._code is not None:
            return self._code
        if self.pid is not None:
            return None if not self._closed and is_running(self.pid, self._began) else Exit.UNKNOWN
        if starter is None or (starter == 0 and not self._closed):
            return None
        return starter if starter else Exit.UNKNOWN

    def wait(self, limit: float) -> Optional[int]:
        """The exit code, or None when it still runs after ``limit`` seconds."""
        end = monotonic() + limit
        while True:
            code = self.ended()
            left = end - monotonic()
            if code is not None:
                self._leave_the_table()
                return code
            if left <= 0:
                return None
            if self._closed:
                time.sleep(min(left, 0.02))
            else:
                self._listen(min(left, 0.1))

    def _leave_the_table(self) -> None:
        """Until it is no process any more: it sends its exit code just before it ends."""
        end = monotonic() + 1.0
        while not self._parted and self.pid is not None and is_running(self.pid, self._began) and monotonic() < end:
            time.sleep(0.002)

    def poke(self) -> bool:
        """Ask how far it is. False: it has gone."""
        try:
            self._ours().send(b"s", _socket.MSG_DONTWAIT | _NO_SIGNAL)
        except OSError as error:
            if raised_by_handler(error):
                raise
            # it is not listening; there is room for many questions
            return isinstance(error, BlockingIOError)
        return True

    def listen(self, limit: float) -> bool:
        """Wait up to ``limit`` seconds for :attr:`acknowledged` to be news. False: it has gone."""
        return self._listen(limit) or self.ended() is None

    def _listen(self, limit: float) -> bool:
        """Take what it has said; True if there was something."""
        if self._closed:
            return False
        try:
            peer = self._ours()
            peer.settimeout(limit)
            data = peer.recv(65536)
        except OSError as error:
            if raised_by_handler(error):
                raise
            # up to Python 3.9 a time-out is an OSError without a number
            self._closed = error.errno is not None and not isinstance(error, (BlockingIOError, TimeoutError))
            return False
        self._closed = not data
        self._heard += data
        while len(self._heard) >= MESSAGE:
            letter, number = read_message(self._heard)
            self._heard = self._heard[MESSAGE:]
            if letter == UP:
                self.pid, self._began = number, started(number)
            elif letter == ROWS:
                self.acknowledged = max(self.acknowledged, number)
            elif letter == ENDED:
                self._code = number
            elif letter == PARTS:
                self._code, self._parted = number, True
        return bool(data)

    def _ours(self) -> Any:
        """The socket. Raises ``OSError`` where the job has closed it."""
        if not self._is_ours():
            raise OSError(9, "the job has closed it")
        return self._peer

    def hang_up(self) -> None:
        """End of file for the worker, also where a forked child holds the socket: nothing more is asked."""
        with suppress(OSError):
            self._ours().shutdown(_socket.SHUT_WR)

    def close(self) -> None:
        """Give the socket back."""
        if self._is_ours():
            with suppress(OSError):
                self._peer.close()
        else:
            self._peer.detach()
        self._closed = True

    def leave(self, end: bool = False) -> None:
        """Let it go on without us; it has limits of its own. ``end``: end it, our code never ran there."""
        if end:
            with suppress(OSError):
                os.killpg(self._starter.pid, signal.SIGKILL)  # a session of its own, and so a group
            with suppress(subprocess.TimeoutExpired):
                self._starter.wait(1.0)
        self.close()
        self._starter.poll()

    def abandon(self) -> None:
        """In a forked child: it is not this process's worker."""
        self.close()
        self._starter.returncode = 0  # Popen would warn, and wait for somebody else's process

    def _is_ours(self) -> bool:
        """A program that closes all descriptors (a daemon) may have got the number for something of its own."""
        try:
            return os.fstat(self._peer.fileno()).st_ino == self._inode
        except OSError:
            return False


def _detached(interpreter: Interpreter, folder: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a worker as a grandchild. Returns its starter: it has ended, or is about to fork where there is no shell.

    Raises ``OSError`` as the worker's command itself would: the shell's own message would be lost.
    """
    _must_be_executable(interpreter.path)
    command = start_command(interpreter, folder, "--attached")
    try:
        starter = subprocess.Popen(["/bin/sh", "-c", _IN_THE_BACKGROUND, "sh", *command], **options)
    except OSError:  # a container without a shell
        return subprocess.Popen(start_command(interpreter, folder), **options)
    with suppress(subprocess.TimeoutExpired):
        starter.wait(_SHELL_LIMIT)
    return starter


def _must_be_executable(path: str) -> None:
    if not os.path.isabs(path):
        return
    os.stat(path)
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    with suppress(PermissionError), open(path, "rb") as file:
        # a shell would take a text without "#!" for a script of its own
        if sys.platform == "linux" and file.read(2) not in (b"#!", b"\x7fE"):
            raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC), path)

"""A Python that has wandb, v2 and this package loaded: programs run in forks of it, for a tenth of the processor time.

    with Warm() as python:
        subprocess.run([python, "job.py"])  # command line, environment, files and folder count as for any Python

``python`` is a small program that hands all of that over and waits for the exit code. What a fork starts by
``sys.executable`` is a fork again: a job's worker, its successor, the processes that ``doctor`` asks. It is not for
what is decided while an interpreter starts (``.pth`` files, ``-I``), nor for packages that a test replaces.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Optional

_ROOT = Path(__file__).resolve().parent.parent.parent

# `_socket`: to import `socket` takes as long as everything else here.
_CLIENT = """#!{python} -IS
import _socket, array, json, os, sys
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({address!r})
words = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), os.umask(0)]).encode()
server.sendmsg([b"%10d" % len(words)], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
while words:
    words = words[server.send(words):]
for one in 0, 1, 2:
    os.close(one)
os._exit(int(server.recv(16) or b"70"))
"""

_LOADED = (
    "wandb",
    "wandb.apis.public",
    "wandb.sdk.launch",
    "wandb.sdk.lib.gitlib",
    "wandb.sdk.wandb_init",
    "wrapt",
    "yaml",
    "one_logger_v1_shim.utils",
    "one_logger_v1_shim._cli._checks_environment",
    "one_logger_v1_shim._cli._checks_packages",
    "one_logger_v1_shim._cli._checks_wandb",
    "one_logger_v1_shim._job.process",
    "one_logger_v1_shim._job.worker_sink",
    "one_logger_v1_shim._worker.dry",
    "one_logger_v1_shim._worker.main",
    # what `wandb.init` and a run that goes online load
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "requests",
    "wandb.sdk.launch.inputs.internal",
)
_V2 = (
    "nv_one_logger.training_telemetry.api.training_telemetry_provider",
    "one_logger_v1_shim._v2.dry",
    "one_logger_v1_shim._v2.replay",
)


class Warm:
    """The process that has everything loaded, v2 if ``v2``, while the block runs; gives the path of its ``python3``."""

    def __init__(self, v2: bool = True) -> None:
        self._v2 = v2

    def __enter__(self) -> str:
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        address = str(self._folder / "socket")
        python = self._folder / "python3"
        python.write_text(_CLIENT.format(python=sys.executable, address=address))
        python.chmod(0o755)
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("WANDB_", "ONE_LOGGER_"))}
        kept["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *filter(None, [kept.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "tests.cli.warm", address, str(python), *(["v2"] if self._v2 else [])]
        self._process = subprocess.Popen(command, cwd=self._folder, env=kept, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "it has not come up"
        return str(python)

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        self._process.terminate()
        self._process.communicate()
        shutil.rmtree(self._folder)


def serve(address: str, python: str, v2: str = "") -> None:
    """Fork a child for each client, and tell the client its exit code."""
    for name in (*_LOADED, *(_V2 if v2 else ())):
        importlib.import_module(name)
    sys.modules["wandb.util"].working_set = lambda: iter(())  # half of a run's time: it reads what all packages say
    assert threading.active_count() == 1, "a fork has this thread only"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.freeze()  # what a fork does not touch is not copied
    print("up", flush=True)
    clients: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, heard], [], [])
        if heard in ready:
            os.read(heard, 4096)
            for pid, code in iter(_ended, None):
                with suppress(OSError):
                    clients[pid].send(b"%d" % code)
                clients.pop(pid).close()
        if listener in ready:
            client, _ = listener.accept()
            pid = os.fork()
            if pid:
                clients[pid] = client
                continue
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (listener, *clients.values()):
                one.close()
            os.close(heard)
            os.close(told)
            os._exit(_child(client, python))


def _ended() -> Optional[tuple[int, int]]:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, max(0, os.waitstatus_to_exitcode(status))) if pid else None


def _child(client: socket.socket, python: str) -> int:
    """Be the program that the client was asked to run; returns its exit code."""
    size, ancillary, _, _ = client.recvmsg(10, socket.CMSG_SPACE(12))
    files = array.array("i", ancillary[0][2])
    data = b""
    while len(data) < int(size):
        data += client.recv(65536)
    client.close()
    words, environ, folder, umask = json.loads(data)
    for number, one in enumerate(files):
        os.dup2(one, number)
        os.close(one)
    os.setsid()
    os.chdir(folder)
    os.umask(umask)
    own = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.clear()
    os.environ.update(environ)
    given = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [*given, *(entry for entry in sys.path if entry and entry not in own)]
    sys.executable, tempfile.tempdir = python, None
    while words[0] in ("-I", "-S", "-E"):
        words.pop(0)
    code = 0
    try:
        _run(words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    _leave()
    return code


def _run(words: list[str]) -> None:
    main: Any = ModuleType("__main__")
    sys.modules["__main__"] = main
    what, *rest = words
    if what == "-m":
        import runpy

        sys.argv[:], sys.path[:0] = rest, [os.getcwd()]
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif what == "-c":
        sys.argv[:], sys.path[:0] = ["-c", *rest[1:]], [""]
        exec(rest[0], vars(main))
    else:
        if os.path.basename(what) != "start.py":  # a job that does not use v2 itself
            for name in [name for name in sys.modules if name.startswith(("nv_one_logger", "one_logger_v1_shim._v2"))]:
                del sys.modules[name]
        sys.argv[:], sys.path[:0] = words, [os.path.dirname(os.path.abspath(what))]
        main.__file__ = what
        exec(compile(Path(what).read_bytes(), what, "exec"), vars(main))


def _leave() -> None:
    import atexit

    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for one in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            one.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    serve(*sys.argv[1:])

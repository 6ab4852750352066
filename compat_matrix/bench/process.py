"""Processes of the benchmark: lanes that measure when they are told to, and a server that never answers.

What is compared takes turns (ours, theirs, ours, theirs ...), so that a busy moment of the machine hits both. v2 is one
per process, so every contestant has a process of its own that lives over all turns: a lane.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import venv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

TREE = Path(__file__).resolve().parent.parent.parent
PACKAGE = TREE / "one_logger_v1_shim"
_OWN = ("WANDB_", "ONE_LOGGER_", "SLURM_", "RANKPULSE_")


class BenchError(Exception):
    """A lane has failed; the message has the end of its log."""


def environment(folder: Path, more: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """This environment with W&B offline and quiet, HOME under ``folder``, compiled modules beside it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OWN) and key not in _DROPPED}
    path = [str(TREE), *filter(None, [kept.get("PYTHONPATH")])]
    return {
        **kept,
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(path),
        # Modules must be compiled before imports are timed, also where the tree can't be written.
        "PYTHONPYCACHEPREFIX": str(folder.parent / "pycache"),
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        **(more or {}),
    }


def isolated_mode(base: Path, wandb: str = "") -> dict[str, str]:
    """What isolated mode has in its environment: an interpreter for the worker and v2. It is made beside ``base``.

    It is a virtual environment that sees the packages of this one; the job's own interpreter would not count.
    ``wandb``: the version that it has of it, in place of this environment's (``uv`` installs it).
    """
    home = base.parent / "isolated"
    if not home.exists():
        venv.EnvBuilder(symlinks=True).create(home)
        (site,) = home.glob("lib/python*/site-packages")
        packages = [entry for entry in sys.path if entry.endswith("-packages")]
        (site / "packages.pth").write_text("".join(f"{entry}\n" for entry in packages))
        if wandb:
            install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(home), f"wandb=={wandb}"]
            subprocess.run(install, check=True)
    return {"ONE_LOGGER_V1_PYTHON": str(home / "bin" / "python")}


_DROPPED = {"PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME", "RANK", "WORLD_SIZE", "NETRC"}


class Lane:
    """``python -m compat_matrix.bench.lanes KIND``, and its answers. A context manager: its process ends with it.

    ``settles``: what it leaves to other processes is done at some time (not: its server hangs).
    """

    def __init__(
        self, kind: str, base: Path, options: Optional[Mapping[str, Any]] = None, settles: bool = True, **more: str
    ) -> None:
        self.kind = kind
        self.settles = settles
        self.folder = base / f"{kind}-{len(list(base.iterdir()))}"
        self.folder.mkdir(parents=True)
        self._log = self.folder / "stderr.txt"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "compat_matrix.bench.lanes", kind, json.dumps(options or {})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                env=environment(self.folder, more),
                text=True,
            )

    def __enter__(self) -> Lane:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            try:
                self.do("close")
                self._process.communicate(timeout=60)
            except (BenchError, OSError, subprocess.TimeoutExpired):
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                with suppress(OSError):
                    stream.close()

    def do(self, what: str, **arguments: Any) -> Any:
        """Have the lane do ``what`` and return its answer. Raises :class:`BenchError` if it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):  # it has ended: there is no answer either
            self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise BenchError(f"{self.kind}: {self.log()[-2000:]}")
        return json.loads(answer)

    def log(self) -> str:
        """What the lane has written to its standard error."""
        return self._log.read_text(errors="replace")


def together(*jobs: tuple[Lane, str, dict[str, Any]]) -> list[Any]:
    """Let several lanes work at the same time (where nothing is timed); their answers, in order."""
    answers: list[Any] = [None] * len(jobs)
    errors: list[BaseException] = []

    def run(index: int) -> None:
        lane, what, arguments = jobs[index]
        try:
            answers[index] = lane.do(what, **arguments)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return answers


def timed(code: str, folder: Path, *options: str, **more: str) -> dict[str, Any]:
    """Run ``code`` in a fresh interpreter; it prints one JSON object as its last line."""
    folder.mkdir(parents=True, exist_ok=True)
    command: Sequence[str] = [sys.executable, *options, "-c", code]
    result = subprocess.run(command, cwd=folder, env=environment(folder, more), capture_output=True, text=True)
    lines = result.stdout.strip().splitlines()
    if result.returncode != 0 or not lines:
        raise BenchError(f"{code}\n{result.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


class HangingServer:
    """Accepts every connection on a free port of 127.0.0.1, reads, and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.environment = {
            "WANDB_MODE": "online",
            "WANDB_BASE_URL": f"http://127.0.0.1:{self._socket.getsockname()[1]}",
            "WANDB_API_KEY": "local" + "0" * 40,
        }
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(connection)

    def __enter__(self) -> HangingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for connection in self._open:
            connection.close()

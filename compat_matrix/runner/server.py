"""A W&B-compatible server on loopback for the online cells, and what it has stored."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..wandb_file import OWN_KEYS, StoredRun

#: openwandb's key of a fresh installation
KEY = "local" + "0" * 40


class Server:
    """``openwandb serve`` on a free port of 127.0.0.1; ends with :meth:`stop`."""

    def __init__(self, executable: str, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = (folder / "server.log").open("w")
        command = [executable, "serve", "--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(folder)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.url, timeout=2):
                    return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the server did not come up: {(self.folder / 'server.log').read_text()[-500:]}")

    def environment(self) -> dict[str, str]:
        """What a job needs to find it."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    def runs(self, stored: Sequence[StoredRun]) -> list[StoredRun]:
        """The same runs as the server has them."""
        return [self.run(run) for run in stored]

    def run(self, stored: StoredRun) -> StoredRun:
        """One run from the server's store. A row that was sent twice is there twice; ``_step`` says which are one."""
        homes = list((self.folder / "files").glob(f"*/*/{stored.run_id}"))
        found = StoredRun(homes[0] if homes else self.folder, run_id=stored.run_id, name=stored.name)
        if not homes:
            found.damage.append(f"the server does not know the run {stored.run_id}")
            return found
        found.entity, found.project = homes[0].parent.parent.name, homes[0].parent.name
        found.exit_code = stored.exit_code
        found.summary = _json_file(homes[0] / "wandb-summary.json")
        by_step: dict[Any, dict[str, Any]] = {}
        history = homes[0] / "wandb-history.jsonl"
        if not history.exists():
            found.damage.append(f"the server has no history of the run {stored.run_id}")
            return found
        for line in history.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if by_step.setdefault(row.get("_step"), row) != row:
                found.damage.append(f"step {row.get('_step')} is there with two contents")
        found.steps = list(by_step)
        found.rows = [{k: v for k, v in row.items() if k not in OWN_KEYS} for row in by_step.values()]
        return found

    def page(self, stored: StoredRun) -> str:
        """The address of the run's web page, which is made public first: a browser has no key."""
        found = self.run(stored)
        with contextlib.closing(sqlite3.connect(self.folder / "openwandb.db")) as database:
            ids = database.execute("SELECT id FROM projects WHERE name = ?", (found.project,)).fetchall()
        for (number,) in ids:
            request = urllib.request.Request(
                f"{self.url}/api/v2/projects/{number}/visibility",
                data=json.dumps({"visibility": "public"}).encode(),
                headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
                method="PUT",
            )
            with urllib.request.urlopen(request, timeout=10):
                pass
        return f"{self.url}/runs/{found.entity}/{found.project}/{stored.run_id}"

    def stop(self) -> None:
        """End the server that was started here."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()


def _json_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content

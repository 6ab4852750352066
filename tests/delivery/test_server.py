"""Every way in which a W&B server can be in the way: the job goes on, and no row is lost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from one_logger_v1_shim._journal.files import quoted
from tests.delivery import jobs
from tests.delivery.server import KEY, Server, closed_port
from tests.support import clean_environment

pytestmark = pytest.mark.ci

ROWS = 20
JOB = f"""
one = one_logger()
log(one, {ROWS})
one.finish()
print("done")
"""


def at_start(mode: str) -> Callable[[Path], jobs.Result]:
    def scenario(home: Path) -> jobs.Result:
        server = Server(mode)
        try:
            return jobs.run(JOB, home, {"WANDB_MODE": "online", **server.environment()})
        finally:
            server.stop()

    return scenario


def without_server(environ: Mapping[str, str]) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(JOB, home, {"WANDB_MODE": "online", **environ})


NO_KEY = {"WANDB_BASE_URL": "http://127.0.0.1:9"}
WITH_KEY = {"WANDB_API_KEY": KEY}

#: name -> (what happens, what the log must say)
AT_START: dict[str, tuple[Callable[[Path], jobs.Result], str]] = {
    "hangs": (at_start("hang"), "cannot be reached (no answer in"),
    "fails": (at_start("500"), "out of order (HTTP 500)"),
    "refuses the key with 401": (at_start("401"), "refuses the API key (HTTP 401)"),
    "refuses the key with 403": (at_start("403"), "refuses the API key (HTTP 403)"),
    "is no W&B server": (at_start("404"), "is no W&B server"),
    "drops the connection": (at_start("drop"), "cannot be reached"),
    "hangs when the run is made": (at_start("init:hang"), "Error"),
    "refuses the entity": (at_start("init:403"), "returned error 403"),
    "is down": (
        without_server({"WANDB_BASE_URL": closed_port(), **WITH_KEY}),
        "cannot be reached (Connection refused",
    ),
    "has no address": (
        without_server({"WANDB_BASE_URL": "http://server.invalid", **WITH_KEY}),
        "http://server.invalid cannot be reached",
    ),
    "is not told a key": (without_server(NO_KEY), "(no API key)"),
}


def returns_mid_run(home: Path) -> tuple[jobs.Result, Server]:
    server = Server()
    code = """
one = one_logger()
log(one, 10)
say_so("half")
wait_for("go on")
log(one, 10, start=10)
say_so("back")
wait_for("end")
log(one, 10, start=20)
one.finish()
print("done")
"""
    job = jobs.Job(code, home, {"WANDB_MODE": "online", "ONE_LOGGER_V1_DRAIN_TIMEOUT": "60", **server.environment()})
    try:
        job.wait_for("half")
        jobs.until(lambda: len(server.rows) >= 10, "ten rows on the server")
        server.mode = "rows:500"
        job.go_on("go on")
        job.wait_for("back")
        job.taken(20)
        server.mode = "ok"
        job.go_on("end")
        return job.end(), server
    finally:
        server.stop()


def dies_mid_run(mode: str, **environ: str) -> Callable[[Path], tuple[jobs.Result, Server]]:
    """The server misbehaves from the middle of the run on, and does not come back."""

    def scenario(home: Path) -> tuple[jobs.Result, Server]:
        server = Server()
        code = """
one = one_logger(asynchronous=False)
log(one, 10)
say_so("half")
wait_for("go on")
slowest = 0.0
for i in range(10, 20):
    began = time.monotonic()
    one.log_metrics({"i": i})
    slowest = max(slowest, time.monotonic() - began)
began = time.monotonic()
one.finish()
open("times.json", "w").write(json.dumps([slowest, time.monotonic() - began]))
print("done")
"""
        job = jobs.Job(code, home, {"WANDB_MODE": "online", **server.environment(), **environ})
        try:
            job.wait_for("half")
            server.mode = mode
            job.go_on("go on")
            return job.end(), server
        finally:
            server.stop()

    return scenario


def goes_well(home: Path) -> tuple[jobs.Result, Server]:
    server = Server()
    try:
        return jobs.run(JOB, home, {"WANDB_MODE": "online", **server.environment()}), server
    finally:
        server.stop()


def changes_its_mind(status: str) -> Callable[[Path], tuple[jobs.Result, Server]]:
    """The server refuses rows from the middle of the run on; the job goes on."""

    def scenario(home: Path) -> tuple[jobs.Result, Server]:
        server = Server()
        code = """
one = one_logger()
log(one, 10)
say_so("half")
wait_for("go on")
i = 10
limit = time.monotonic() + 60
while not os.path.exists("heard") and time.monotonic() < limit:
    log(one, 1, start=i)
    i += 1
    time.sleep(0.1)
    if any("offline" in line for line in open("job.err")):
        say_so("heard")
log(one, 10, start=i)
one.finish()
print(i + 10)
"""
        job = jobs.Job(code, home, {"WANDB_MODE": "online", **server.environment()})
        try:
            job.wait_for("half")
            jobs.until(lambda: len(server.rows) >= 10, "ten rows on the server")
            server.mode = f"rows:{status}"
            job.go_on("go on")
            return job.end(120), server
        finally:
            server.stop()

    return scenario


CHANGES = {f"changes its mind: {status}": changes_its_mind(status) for status in ("401", "404", "405", "409", "413")}
DIES = {
    "hangs mid-run": dies_mid_run("hang", ONE_LOGGER_V1_FINISH_TIMEOUT="2"),
    "refuses the key mid-run": dies_mid_run("401"),
    "refuses rows mid-run": dies_mid_run("rows:401"),
    "drops connections mid-run": dies_mid_run("drop", ONE_LOGGER_V1_FINISH_TIMEOUT="2"),
}
SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "hangs when the run is made": AT_START["hangs when the run is made"][0],
    **DIES,
    **CHANGES,
    "returns mid-run": returns_mid_run,
    "goes well": goes_well,
    **{name: scenario for name, (scenario, _) in AT_START.items()},
}


@pytest.mark.parametrize("name", AT_START)
def test_server_trouble_at_start(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert (result.code, result.out) == (0, "done\n")
    (line,) = result.lines
    assert AT_START[name][1] in line
    (run,) = result.runs()
    folder = re.escape(quoted(run.path.parent))
    assert re.search(rf"; sync it with: ({jobs.WANDB}) sync (-e YOUR_ENTITY )?{folder}$", line)
    assert f"): {run.path.parent}; " in line
    assert run.path.parent.name.startswith("offline-run-")
    assert (result.values(), run.steps, run.exit_code) == (list(range(ROWS)), list(range(ROWS)), 0)
    assert jobs.journal_values(result.home) == list(range(ROWS))


def test_a_willing_server_gets_the_rows(
    outcome: Callable[[str], tuple[jobs.Result, Server]],
) -> None:
    result, server = outcome("goes well")
    assert (result.code, result.out, result.lines) == (0, "done\n", [])
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == list(range(ROWS))
    assert result.values() == list(range(ROWS))
    assert jobs.mark(result.home)["state"] == "finished"


def test_rows_of_an_outage_are_uploaded_when_the_server_is_back(
    outcome: Callable[[str], tuple[jobs.Result, Server]],
) -> None:
    result, server = outcome("returns mid-run")
    assert (result.code, result.out) == (0, "done\n")
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == list(range(30))
    assert result.values() == list(range(30))


@pytest.mark.parametrize("name", DIES)
def test_a_server_that_dies_mid_run_keeps_nobody(
    name: str, outcome: Callable[[str], tuple[jobs.Result, Server]]
) -> None:
    result, _ = outcome(name)
    assert (result.code, result.out) == (0, "done\n")
    slowest, finish = json.loads((result.home / "times.json").read_text())
    assert slowest < 5  # not the server's time: the worker hands the row over and answers
    assert finish < 30
    assert result.values() == list(range(20))
    assert jobs.journal_values(result.home) == list(range(20))
    found = jobs.mark(result.home)
    folders = [run.path.parent for run in result.runs()]
    # wandb before 0.27 does not write its last rows down when it is given up: they go into an offline run then, which
    # stands beside the first one if that has rows
    assert found["state"] == ("finished" if folders[-1].name.startswith("offline-") else "unfinished")
    options = "" if folders[0].name.startswith("offline-") else "--include-online "
    assert re.search(rf"with: ({jobs.WANDB}) sync {options}{re.escape(quoted(folders[0]))}", found["notice"])
    assert all(str(folder) in found["notice"] for folder in folders)
    assert any("recover" in line or "wandb sync" in line for line in result.lines)


@pytest.mark.everywhere
@pytest.mark.parametrize("name", CHANGES)
def test_a_server_that_refuses_rows_is_told_of_at_once(
    name: str, outcome: Callable[[str], tuple[jobs.Result, Server]]
) -> None:
    result, _ = outcome(name)
    assert result.code == 0, result.err
    assert (result.home / "heard").exists()
    (line,) = result.lines
    assert "W&B run is offline (the W&B server refuses rows)" in line
    assert sorted(set(result.values())) == list(range(int(result.out)))
    assert jobs.mark(result.home)["state"] == "finished"


def test_no_prompt_at_a_terminal(tmp_path: Path) -> None:
    """wandb asks at a terminal for a key: it has none to ask at."""
    pty = pytest.importorskip("pty")
    (tmp_path / "job.py").write_text(jobs.BEGIN + JOB)
    environ = clean_environment(tmp_path, {"WANDB_MODE": "online", **NO_KEY, **jobs.LIMITS})
    terminal, end = pty.openpty()
    job = subprocess.Popen(
        [sys.executable, "job.py"],
        cwd=tmp_path,
        env=environ,
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
    )
    os.close(end)
    said = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the last one at the other end has gone
            break
        if not data:
            break
        said += data
    os.close(terminal)
    assert job.wait(60) == 0
    jobs.gone(tmp_path)
    text = said.decode()
    assert "done" in text
    assert "(no API key)" in text
    assert "Choose" not in text
    assert "wandb.ai/authorize" not in text
    assert [row["i"] for run in jobs.stored(tmp_path) for row in run.rows if "i" in row] == list(range(ROWS))


def leaks(home: Path, secret: str) -> Optional[Path]:
    for path in home.rglob("*"):
        if path.is_file() and secret.encode() in path.read_bytes():
            return path
    return None


@pytest.mark.parametrize(
    "name", ["goes well", "refuses the key with 401", "refuses the key mid-run", "refuses the entity"]
)
def test_the_key_is_written_nowhere(name: str, outcome: Callable[[str], Any]) -> None:
    found = outcome(name)
    result = found[0] if isinstance(found, tuple) else found
    assert KEY not in result.out + result.err
    assert leaks(result.home, KEY) is None


def test_a_key_from_the_configuration_is_written_nowhere(server: Server, tmp_path: Path) -> None:
    """v1's nested configuration has a key: it reaches the worker by its environment, not by a file or a command."""
    code = f"""
config = {{"wandb": {{"host": "{server.url}", "api_key": "{KEY}", "entity": "team", "project": "p", "name": "n",
          "tags": [], "save_dir": os.getcwd()}}, "enable_one_logger": True}}
one = OneLogger(config)
log(one, 5)
say_so("half")
wait_for("go on")
one.finish()
"""
    job = jobs.Job(code, tmp_path / "job", {"WANDB_MODE": "online"})
    job.wait_for("half")
    job.taken(5)
    for pid in (job.worker(), job.service()):
        assert KEY not in Path(f"/proc/{pid}/cmdline").read_text()
    job.go_on("go on")
    result = job.end()
    assert result.code == 0, result.err
    assert len(server.rows) == 5
    (result.home / "job.py").unlink()
    assert leaks(result.home, KEY) is None
    assert KEY not in result.err

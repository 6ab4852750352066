"""Where a run goes is settled when it begins: `recover`, in another shell, sends it there or says why it can't."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest

from one_logger_v1_shim._journal import server as question
from tests.delivery import jobs
from tests.delivery.server import KEY, Server
from tests.support import clean_environment

pytestmark = pytest.mark.ci

ROWS = 5
ALL = list(range(ROWS))
JOB = f"""
one = OneLogger({{"project": "delivery"}})
log(one, {ROWS})
one.finish()
"""
OTHER_KEY = "0" * 40


def killed_early(home: Path, environ: dict[str, Optional[str]]) -> None:
    """A job that ends before W&B has its run: no worker can be started."""
    nobody = str(home / "no-python")
    result = jobs.run(JOB, home, {"WANDB_MODE": None, "ONE_LOGGER_V1_PYTHON": nobody, **environ})
    assert (result.code, jobs.journal_values(home), jobs.stored(home)) == (0, ALL, [])


def recover(home: Path, **environ: str) -> str:
    command = [sys.executable, "-m", "one_logger_v1_shim", "recover"]
    env = clean_environment(home, {**jobs.LIMITS, **environ})
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=120).stdout


def test_recover_sends_a_run_where_it_was_to_go(tmp_path: Path, server: Server) -> None:
    killed_early(
        tmp_path,
        {
            "WANDB_BASE_URL": server.url, "WANDB_ENTITY": "research", "WANDB_NAME": "night run", "WANDB_TAGS": "a,b",
            "WANDB_RUN_GROUP": "group", "WANDB_API_KEY": OTHER_KEY,
        },
    )  # fmt: skip
    hosts = ("127.0.0.1", server.url.partition("//")[2])  # wandb has looked for both
    (tmp_path / ".netrc").write_text("".join(f"machine {one} login user password {KEY}\n" for one in hosts))
    (tmp_path / ".netrc").chmod(0o600)
    said = recover(tmp_path, WANDB_API_KEY=OTHER_KEY)  # a key for the host of that name is no word of the user's
    assert (f"; to send it there: WANDB_BASE_URL={server.url} python -m" in said, server.requests) == (True, [])
    said = recover(tmp_path, WANDB_ENTITY="somebody", WANDB_NAME="other", WANDB_BASE_URL=server.url)
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == ALL, said
    made = server.made[0]
    assert (made["entity"], made["displayName"]) == ("research", "night run")
    assert (made.get("tags"), made.get("groupName")) == (["a", "b"], "group")
    assert not any(OTHER_KEY in text for text in [said, *server.authorized])
    assert KEY not in json.dumps([path.read_text() for path in tmp_path.rglob("*.json")])


def test_recover_sends_no_key_to_a_server_that_only_a_file_names(tmp_path: Path, server: Server) -> None:
    killed_early(tmp_path, {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY})
    said = recover(tmp_path, WANDB_API_KEY=OTHER_KEY)
    assert f"its server, {server.url}, is named by the journal only, and nothing is sent; to send it there: " in said
    assert server.requests == []
    said = recover(tmp_path, WANDB_API_KEY=KEY, WANDB_BASE_URL=server.url)
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == ALL, said


def test_what_nobody_had_said_may_be_said_later(tmp_path: Path, server: Server) -> None:
    """The documented entity is nobody's choice: who recovers may choose another one."""
    killed_early(tmp_path, {"WANDB_PROJECT": "kept"})
    said = recover(tmp_path, WANDB_API_KEY=KEY, WANDB_BASE_URL=server.url, WANDB_ENTITY="mine", WANDB_PROJECT="other")
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == ALL, said
    assert (server.made[-1]["entity"], server.made[-1]["project"]) == ("mine", "delivery")


def test_an_offline_run_stays_offline(tmp_path: Path, server: Server) -> None:
    killed_early(tmp_path, {"WANDB_MODE": "offline"})
    recover(tmp_path, WANDB_API_KEY=KEY, WANDB_BASE_URL=server.url)
    assert server.requests == []
    assert [row["i"] for run in jobs.stored(tmp_path) for row in run.rows if "i" in row] == ALL


def test_a_name_whose_first_address_is_dead(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """wandb tries all addresses of a name. The look-up is a mock: no name has a dead address for sure."""
    port = int(server.url.rpartition(":")[2])
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.2", port))
        deaf.listen(0)
        crowd = []
        for _ in range(4):  # nobody accepts: once the queue is full a connection waits for ever
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
            crowd.append(one)
        real = socket.getaddrinfo

        def both(host: str, *args: object, **more: object) -> list[object]:
            if host != "wandb.test":
                return list(real(host, *args, **more))  # type: ignore[arg-type]
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(socket, "getaddrinfo", both)
        assert question.unreachable(f"http://wandb.test:{port}", KEY, 2.0) is None
        server.stop()
        dead = question.unreachable(f"http://wandb.test:{port}", KEY, 2.0)
        assert "cannot be reached" in str(dead)
        for one in crowd:
            one.close()


def test_the_key_in_netrc(tmp_path: Path) -> None:
    """wandb 0.31 looks for host and port, older versions for the host; W&B's own server has two names."""
    path = tmp_path / "netrc"
    path.write_text("machine a.test:8080 login user password one\nmachine b.test login user password two\n"
                    "machine api.wandb.ai login user password three\n")  # fmt: skip
    path.chmod(0o600)
    environ = {"NETRC": str(path)}
    urls = ("http://a.test:8080", "http://b.test:8080", "https://api.forge.coreweave.com", "https://api.wandb.ai")
    assert [question.credentials(None, environ, url) for url in urls] == [
        ("one", True), ("two", True), ("three", True), ("three", True)
    ]  # fmt: skip
    assert question.credentials(None, environ, "http://a.test:9") == (None, True), "wandb itself will know"


def test_a_key_that_is_none_keeps_an_online_run_offline(tmp_path: Path, server: Server) -> None:
    result = jobs.run(JOB, tmp_path, {"WANDB_MODE": None, "WANDB_API_KEY": "secret", "WANDB_BASE_URL": server.url})
    assert (result.code, result.values(), server.requests) == (0, ALL, [])
    (line,) = result.lines
    assert re.search(r"\(the API key (has 6 characters|is refused by wandb \(.* has 6\.)", line), line  # ours, wandb's
    assert "secret" not in line
    command = [sys.executable, "-m", "one_logger_v1_shim", "doctor", "--offline"]
    environ = clean_environment(tmp_path, {"WANDB_API_KEY": "secret", "WANDB_BASE_URL": server.url})
    found = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (found.returncode, "correct WANDB_API_KEY" in found.stdout, "secret" in found.stdout) == (1, True, False)

"""``doctor``: each thing that can be wrong, made wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

from one_logger_v1_shim._cli import _checks_environment, _checks_wandb, doctor
from one_logger_v1_shim._journal.server import unreachable
from tests.cli.journals import job_rows, journal
from tests.cli.odd_server import OddServer
from tests.delivery.server import KEY, closed_port
from tests.support import run_command, run_python


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, a home and a temp directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path


@pytest.fixture
def server() -> Iterator[OddServer]:
    """A W&B server on loopback."""
    found = OddServer()
    yield found
    found.stop()


def one(findings: Iterator[doctor.Finding], what: str) -> doctor.Finding:
    (found,) = [finding for finding in findings if finding.what == what]
    return found


def said_by(python: str, home: Path, *arguments: str, code: int = 0, **env: str) -> str:
    """What ``doctor`` prints, in a process of its own."""
    command = [python, "-m", "one_logger_v1_shim", "doctor", *arguments]
    done = run_command(command, home, env={"TMPDIR": str(home / "tmp"), **env}, check=False)
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    return done.stdout


@pytest.mark.slow
def test_the_whole_of_it(warm: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    said = said_by(warm, tmp_path, WANDB_MODE="offline")
    lines = said.splitlines()
    assert all(re.fullmatch(r"(ok     |warning|error  )  [^:]+: .+", line) for line in lines), said
    found = [line[9:].partition(":")[0] for line in lines]
    for what in ("python", "wandb", "rank", "one_logger", "v2 exporters", "W&B mode", "W&B folder", "journals"):
        assert what in found
    assert not any(line.startswith("error") for line in lines), said
    assert sorted(tmp_path.rglob("*")) == before, "it writes nothing"
    said = said_by(warm, tmp_path, WANDB_MODE="offline", WANDB_DIR="/dev/null")  # all rows arrive, by the temp folder
    assert re.search(r"^warning +W&B folder: /dev/null/wandb .* -> set WANDB_DIR", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("mode", "level", "said"),
    [
        ("ok", "ok", "answers"),
        ("401", "error", "refuses the API key"),
        ("403", "error", "refuses"),
        ("500", "error", "HTTP 500"),
        ("hang", "error", "no answer"),
    ],
)
def test_servers(mode: str, level: str, said: str, server: OddServer) -> None:
    server.mode = mode
    reachable = online(server.url, unreachable(server.url, KEY, 0.5))
    assert (reachable.level, said in reachable.detail) == (level, True), reachable
    assert len(server.requests) == 1
    assert KEY not in repr(reachable)


def test_a_server_that_refuses_connections() -> None:
    assert online(closed_port(), unreachable(closed_port(), KEY, 0.5)).level == "error"


def online(url: str, why: Optional[str], **more: object) -> doctor.Finding:
    """What is said of a server that was asked and of which ``why`` keeps the run offline."""
    answer = {"mode": "online", "server": url, "key": "netrc", "asked": True, "offline": why, **more}
    return one(_checks_wandb._online(answer, False), "W&B reachable")


@pytest.mark.parametrize(
    ("more", "offline", "said"),
    [
        ({"asked": False}, True, "not asked (--offline)"),
        ({"asked": False}, False, "behind a proxy or a gateway"),
        ({"asked": False, "offline": "WANDB_MODE=offline", "mode": "offline"}, False, "not asked (WANDB_MODE=offline)"),
        ({"asked": False, "offline": "no API key", "key": ""}, False, "not asked (no API key)"),
    ],
)
def test_a_server_that_is_not_asked(more: dict[str, object], offline: bool, said: str) -> None:
    answer = {"mode": "online", "server": "https://w", "key": "netrc", "asked": True, "offline": None, **more}
    found = one(_checks_wandb._online(answer, offline), "W&B reachable")
    assert (found.level, said in found.detail) == ("ok", True), found


@pytest.mark.slow
def test_a_job_that_would_go_online(warm: str, server: OddServer, tmp_path: Path) -> None:
    env = {"WANDB_API_KEY": KEY, "WANDB_ENTITY": "team"}
    said = said_by(warm, tmp_path, "--offline", WANDB_BASE_URL=server.url.replace("//", "//user:pass@"), **env)
    assert not server.requests
    assert "not asked (--offline)" in said
    assert re.search(r"^ok +W&B API key: found \(WANDB_API_KEY\), not shown$", said, re.MULTILINE)
    assert re.search(r"^ok +W&B entity: team", said, re.MULTILINE)
    assert KEY not in said
    assert "pass" not in said
    server.mode = "401"
    said = said_by(warm, tmp_path, code=1, WANDB_BASE_URL=server.url, **env)
    assert len(server.requests) == 1
    assert re.search(r"^error +W&B reachable: .*refuses the API key .* -> check the key", said, re.MULTILINE)
    assert KEY not in said


@pytest.mark.slow
def test_key_in_netrc_and_the_rest_in_the_settings_file(warm: str, tmp_path: Path) -> None:
    settings = tmp_path / ".config" / "wandb" / "settings"
    settings.parent.mkdir(parents=True)
    settings.write_text("[default]\nbase_url = https://wandb.example/\nentity = team\nproject = theirs\n")
    (tmp_path / ".netrc").write_text(f"machine wandb.example login user password {KEY}\n")
    os.chmod(tmp_path / ".netrc", 0o600)
    lines = said_by(warm, tmp_path, "--offline").splitlines()
    for line in (
        f"W&B server: https://wandb.example ({settings})",
        f"W&B entity: team ({settings})",
        "W&B project: theirs, where the program names none",
        "W&B API key: found (netrc), not shown",
    ):
        assert f"ok       {line}" in lines


def test_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one(_checks_environment.rank(), "rank").level == "ok"
    for world, level in (("2", "ok"), ("1", "warning"), ("many", "warning")):
        monkeypatch.setenv("RANK", "1")
        monkeypatch.setenv("WORLD_SIZE", world)
        assert one(_checks_environment.rank(), "rank").level == level


PROVIDERS = (
    "import sys; sys.path.insert(0, '.')\n"
    "from one_logger_v1_shim._cli._checks_environment import providers\n"
    "for one in providers(): print(one.level, one.what, one.detail)\n"
    "assert 'one_logger' not in sys.modules and 'wandb' not in sys.modules\n"
)
INSTALL = "from one_logger_v1_shim._noedit import install; install()\n"


@pytest.mark.slow
def test_providers(tmp_path: Path) -> None:
    assert "ok one_logger nobody" in run_python(PROVIDERS, tmp_path).stdout
    on = {"ONE_LOGGER_V1_SHIM": "1"}
    assert "ok one_logger_utils the shim, in no-edit mode" in run_python(INSTALL + PROVIDERS, tmp_path, env=on).stdout
    said = run_python("sys = __import__('sys'); sys.meta_path[:] = [one for one in sys.meta_path if "
                      "'_noedit' not in type(one).__module__]\n" + PROVIDERS, tmp_path, env=on).stdout  # fmt: skip
    assert "warning one_logger nobody, although ONE_LOGGER_V1_SHIM is set" in said
    (tmp_path / "one_logger").mkdir()
    assert "ok one_logger nobody" in run_python(PROVIDERS, tmp_path).stdout, "a folder without code"
    (tmp_path / "one_logger" / "__init__.py").write_text("raise SystemExit('imported')\n")
    said = run_python(PROVIDERS, tmp_path).stdout
    assert "ok one_logger the real one" in said
    assert "warning v1 modules one_logger is the real one, one_logger_utils is not" in said


def test_exporters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each class is imported, as v2 will do it in the worker; none is made."""
    from one_logger_v1_shim._v2.dry import exporters

    assert exporters() == []
    (tmp_path / "half.py").write_text("class There: ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "one_logger_exporters_config.yaml").write_text(
        "exporters:\n"
        "- {class_name: nv_one_logger.exporter.file_exporter.FileExporter, config: {token: hidden}}\n"
        "- {class_name: nv_one_logger.exporter.file_exporter.Missing}\n"
        "- {class_name: half.There}\n"
        "- {class_name: not_installed_anywhere.Exporter, enabled: false}\n"
        "- {class_name: not_installed_anywhere.Other}\n"
    )
    found = dict(exporters())
    assert found["nv_one_logger.exporter.file_exporter.FileExporter"] == found["half.There"] == ""
    assert found["nv_one_logger.exporter.file_exporter.Missing"].startswith("AttributeError")
    assert found["not_installed_anywhere.Exporter"] == "off"
    assert found["not_installed_anywhere.Other"].startswith("ModuleNotFoundError")
    levels = [one.level for one in _checks_wandb._v2({"v2": "", "exporters": list(found.items())})]
    assert levels == ["ok", "ok", "warning", "ok", "ok", "warning"]
    assert "hidden" not in repr(found)


@pytest.mark.slow
@pytest.mark.parametrize("content", ["a: b: c", "!!python/object/apply:os.system ['touch hacked']", "- ["])
def test_an_export_configuration_that_v2_cannot_read(content: str, warm: str, tmp_path: Path) -> None:
    """Rows do not need it."""
    (tmp_path / "one_logger_exporters_config.yaml").write_text(content)
    said_by(warm, tmp_path, "--offline", WANDB_MODE="offline")
    assert not (tmp_path / "hacked").exists()


def test_leftover_journals(tmp_path: Path) -> None:
    def said() -> list[tuple[str, str]]:
        return [(found.level, found.advice) for found in _checks_wandb.leftovers()]

    assert said() == [("ok", "")]
    running = journal(tmp_path, job_rows(), state="offline", finish=False, run_id="running0", pid=os.getpid())
    assert said() == [("ok", ""), ("ok", "")]
    left = journal(tmp_path, job_rows(), state="online", finish=False, run_id="killed00")
    assert said() == [("ok", ""), ("warning", f"python -m one_logger_v1_shim recover {left}")]
    elsewhere = journal(tmp_path / "tmp", job_rows(), state="online", finish=False, run_id="tempdir0")
    elsewhere.rename(tmp_path / "tmp" / elsewhere.name)
    assert [level for level, _ in said()] == ["ok", "warning", "warning"]
    assert running.exists()


@pytest.mark.slow
def test_a_check_that_fails_does_not_hold_up_the_others(warm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr("sys.executable", warm)
    monkeypatch.setattr(_checks_environment, "_RANK", None)
    found = list(doctor.findings(offline=True))
    assert one(iter(found), "rank").detail.startswith("could not be looked at (TypeError")
    assert one(iter(found), "disk").level in ("ok", "warning")

"""What is asked of wandb and what of it is refused, in all its shapes; what `doctor` and the download hear of it."""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._worker import dry, history, settings, wandb_api
from tests.worker import standin

NOTHING = RunSpec(chosen={}, default={})
#: of the cache, held by a download
LOCKS: list[int] = []


@pytest.fixture(autouse=True)
def wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The stand-in, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, one in standin.modules().items():
        monkeypatch.setitem(sys.modules, name, one)
    return sys.modules["wandb"]


def authentication(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    """wandb's own look for a key, since 0.22."""
    lib: Any = types.ModuleType("wandb.sdk.lib")
    lib.wbauth = types.SimpleNamespace(**functions)
    monkeypatch.setitem(sys.modules, "wandb.sdk.lib", lib)


def test_settings_are_read(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def session(host: str, source: str, prompt: bool, update_session: bool) -> Any:
        asked.append((host, prompt, update_session))
        return types.SimpleNamespace(api_key="k")

    authentication(monkeypatch, authenticate_session=session)
    found = settings.read(os.environ)
    assert (found.mode, found.base_url, found.api_key, found.direct, found.complete) == (
        "online",
        "https://own",
        "k",
        True,
        True,
    )
    settings.read(os.environ, "https://other")
    assert asked == [("https://own", False, False), ("https://other", False, False)]
    for mode, disabled, expected in (
        ("dryrun", None, "offline"), ("shared", None, "online"), ("online", True, "offline"),
        ("disabled", True, "disabled"),
    ):  # fmt: skip
        wandb.settings.mode, wandb.settings.disabled = mode, disabled
        assert settings.read({}).mode == expected
    assert settings.read({}).api_key is None  # nobody looks for one


@pytest.mark.parametrize("name", ["https_proxy", "x_proxies", "_extra_http_headers"])
def test_what_stands_between_us_and_the_server(name: str, wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    authentication(monkeypatch, read_netrc_auth=lambda host: None, authenticate_session=lambda host: None)
    assert settings.read({}).direct
    setattr(wandb.settings, name, {"a": "b"})
    assert not settings.read({}).direct
    delattr(wandb.settings, name)
    monkeypatch.setenv("https_proxy", "http://p")
    assert not settings.read({}).direct


def test_a_key_in_older_wandbs(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Optional[str]] = [None]
    authentication(monkeypatch, read_netrc_auth=lambda host: kept[0], authenticate_session=lambda host: None)
    wandb.settings.api_key = "own"
    assert settings.read({}).api_key == "own"
    assert settings.read({}, "https://other").api_key is None  # it is for another server
    kept[0] = "netrc"
    assert settings.read({}).api_key == "netrc"
    monkeypatch.setenv("WANDB_API_KEY", "env")
    assert settings.read({}).api_key == "env"
    monkeypatch.setitem(sys.modules, "wandb.sdk.lib", None)  # before 0.22
    utils: Any = types.ModuleType("requests.utils")
    utils.get_netrc_auth = lambda address: ("user", "word") if address == "https://own" else None
    monkeypatch.setitem(sys.modules, "requests", types.ModuleType("requests"))
    monkeypatch.setitem(sys.modules, "requests.utils", utils)
    assert settings.read({}).api_key == "own"
    wandb.settings.api_key = None
    assert settings.read({}).api_key == "word"
    found = settings.read({}, "https://other")
    assert (found.api_key, found.complete) == (None, True)


def test_a_wandb_that_is_built_in_another_way(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(**_: Any) -> None:
        raise ValueError("bad key")

    def other(**_: Any) -> None:
        raise TypeError("x")

    for function, refused, complete in ((refuses, "bad key", True), (other, None, False)):
        authentication(monkeypatch, read_netrc_auth=function, authenticate_session=lambda host: None)
        found = settings.read({})
        assert (found.refused, found.complete, found.api_key) == (refused, complete, None)
    monkeypatch.delattr(wandb, "setup")
    found = settings.read({"WANDB_MODE": "dryrun", "WANDB_BASE_URL": "https://x"})
    assert (found.mode, found.base_url, found.direct, found.complete) == ("offline", "https://x", False, False)
    found = settings.read({})
    assert (found.mode, found.base_url) == ("online", "https://api.wandb.ai")
    assert settings.resumes() is False


def test_variables_that_are_refused_are_taken_away(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def apply(self: Any, environ: dict[str, str]) -> None:
        (name,) = environ
        if "BAD" in environ[name]:
            raise ValueError(f"no {environ[name]}\nmore")

    monkeypatch.setattr(standin.Settings, "update_from_env_vars", apply)
    environ = {
        "WANDB_MODE": "BAD", "WANDB_API_KEY": "BAD", "WANDB_BASE_URL": "https://u:p@BAD", "WANDB_X_PROXIES": "BAD",
        "WANDB_NAME": "\udcff", "OTHER": "BAD", "WANDB_FINE": "1",
    }  # fmt: skip
    said = settings.take_refused(environ)
    assert sorted(environ) == ["OTHER", "WANDB_FINE"]
    assert said[0] == "the API key (WANDB_API_KEY, or the v1 configuration's) is refused by wandb (no BAD)"
    assert said[1].startswith("WANDB_BASE_URL='https://BAD' is refused by wandb (no https://BAD")
    assert said[2] == "WANDB_MODE='BAD' is refused by wandb (no BAD); correct or unset it"
    assert said[3].startswith("WANDB_NAME=")
    assert said[4] == "WANDB_X_PROXIES is refused by wandb (no BAD); correct or unset it"
    monkeypatch.delattr(standin.Settings, "update_from_env_vars")
    assert settings.take_refused({"WANDB_MODE": "BAD"}) == []
    monkeypatch.setattr(standin.Settings, "_apply_env_vars", apply, raising=False)
    assert len(settings.take_refused({"WANDB_MODE": "BAD"})) == 1


def test_values_that_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(self: Any, **values: Any) -> None:
        ((name, value),) = values.items()
        if "bad" in value:
            raise ValueError(f"{name} is bad")

    monkeypatch.setattr(standin.Settings, "__init__", made)
    chosen = {"project": "bad", "tags": ["bad", "a"], "host": "https://u:p@bad", "entity": "", "run_name": "\udcff"}
    said = settings.refused_values(RunSpec(chosen=chosen, default={"entity": "bad"}))
    assert list(said) == ["project", "run_name", "tags", "host"]
    assert said["project"] == "project='bad' of the v1 configuration is refused by wandb (project is bad)"
    assert said["tags"] == "tags=['bad', 'a'] of the v1 configuration is refused by wandb (run_tags is bad)"
    assert "host='https://bad' of" in said["host"] or "host='https://u:p@bad'" not in said["host"]


def test_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    class Invalid(ValueError):
        def errors(self) -> Any:
            return [{"msg": "Value error, not so\nmore"}]

    assert settings.reason(Invalid("long")) == "not so"
    assert settings.reason(ValueError("a\nb")) == "a"
    assert settings.reason(ValueError()) == "ValueError"
    assert len(settings.reason(ValueError("x" * 300))) == 200


def test_what_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ValueError("x")
    environ = {"HOME": ""}
    assert "HOME is not set" in settings.mend(environ, error, Path("/f"))
    assert environ == {"HOME": "/f"}
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "expanduser", lambda path: path)
        environ = {"X": "1"}
        assert "set HOME" in settings.mend(environ, error, Path("/f"))
        assert environ == {"X": "1", "HOME": "/f"}
    environ = {"WANDB_MODE": "offline", "WANDB_ODD": "1", "WANDB_B": "2", "X": "3"}
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("")
    text = settings.mend(environ, error, tmp_path)
    assert text == f"W&B's settings in {tmp_path}/wandb/settings are refused by wandb (x); correct or remove them"
    assert (environ["WANDB_CONFIG_DIR"], environ[settings.ELSEWHERE]) == (str(tmp_path), "1")
    assert settings.mend(environ, error, tmp_path) == "wandb raises 'x' with WANDB_B or WANDB_ODD; unset it"
    assert sorted(environ) == sorted(["WANDB_MODE", "X", "WANDB_CONFIG_DIR", settings.ELSEWHERE])
    with pytest.raises(ValueError, match="x"):
        settings.mend(environ, error, tmp_path)


def test_what_the_process_for_settings_prints(wandb: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("WANDB_BAD", "1")
    monkeypatch.setenv("WANDB_ODD", "1")
    authentication(monkeypatch, read_netrc_auth=lambda host: "secret", authenticate_session=lambda host: None)
    settings.main([])
    said = json.loads(capsys.readouterr().out)
    assert (said["mode"], said["base_url"], said["api_key"], len(said["refused"])) == ("online", "https://own", True, 1)
    monkeypatch.setattr(wandb, "setup", lambda: 1 / 0)
    settings.main([])
    assert json.loads(capsys.readouterr().out) == {
        "refused": ["wandb raises 'division by zero' with WANDB_ODD; unset it"]
    }


# -- wandb_api --------------------------------------------------------------------------------------------------------


def test_what_our_run_is_told(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Base:
        x_primary: bool

    class Settings(Base):
        model_fields = dict.fromkeys(["silent", "base_url", "api_key", "init_timeout", "finish_timeout", "program"])

        def __init__(self, **values: Any) -> None:
            self.values = values

    wandb.Settings = Settings
    monkeypatch.setenv("ONE_LOGGER_V1_INIT_TIMEOUT", "7")
    monkeypatch.setenv("ONE_LOGGER_V1_DRAIN_TIMEOUT", "10")
    spec = RunSpec(chosen={"host": "https://h", "api_key": "k", "project": "p"}, default={})
    wandb_api.init(spec, "id", "/f", offline=True, program="a\udcff", config={"a": 1})
    wandb.settings.resume = "must"
    wandb_api.init(NOTHING, "id", "/f", offline=False)
    wandb_api.init(NOTHING, "id", "/f", offline=False, resume="never")
    first, second, third = wandb.told
    assert first.pop("settings").values == {
        "silent": True, "x_primary": True, "base_url": "https://h", "api_key": "k", "init_timeout": 7.0,
        "finish_timeout": 8.0,
        "program": "a\\udcff",
    }  # fmt: skip
    assert first == {"id": "id", "dir": "/f", "mode": "offline", "project": "p", "config": {"a": 1}}
    assert second.pop("settings").values.keys() == {"silent", "x_primary", "init_timeout", "finish_timeout"}
    assert second == {"id": "id", "dir": "/f", "mode": "online", "resume": "allow"}
    assert third["resume"] == "never"
    Settings.model_fields.update(dict.fromkeys([*wandb_api._SETTINGS]))
    told = wandb_api.settings(NOTHING).values
    assert {name: told[name] for name in told if not name.endswith("timeout")} == {
        "silent": True, "quiet": True, "console": "off", "x_disable_stats": True, "_disable_stats": True,
        "disable_job_creation": True, "symlink": False, "x_primary": True, "x_skip_transaction_log": False,
        "x_update_finish_state": True,
    }  # fmt: skip
    assert wandb_api.cannot_be_told(spec) is None
    del Settings.model_fields["base_url"]
    assert wandb_api.cannot_be_told(NOTHING) is None
    assert wandb_api.cannot_be_told(spec) == "this wandb has no setting for the host of the v1 configuration"
    del Settings.model_fields["api_key"]
    assert (
        wandb_api.cannot_be_told(spec)
        == "this wandb has no setting for the host and the API key of the v1 configuration"
    )


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, limit in (("1", 30.0), ("20", 60.0)):
        monkeypatch.setenv("ONE_LOGGER_V1_INIT_TIMEOUT", said)
        assert wandb_api.stuck_limit() == limit


def test_a_wandb_that_cannot_be_used(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wandb_api.unusable() is None
    del wandb.init
    wandb.__path__ = ["/here/wandb"]
    assert wandb_api.unusable() == f"wandb is not installed in {sys.executable}: /here/wandb is something else"


def test_git_is_hidden(tmp_path: Path) -> None:
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    (tmp_path / "with" / "git").touch(0o755)
    environ = {"PATH": f"{tmp_path}/with::{tmp_path}/without"}
    wandb_api.hide_git(environ)
    assert environ == {"PATH": f"{tmp_path}/without", "WANDB_DISABLE_GIT": "true"}
    environ = {"PATH": f"{tmp_path}/with"}
    wandb_api.hide_git(environ)
    assert environ["PATH"] == os.devnull


def test_commands_that_send(wandb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb.__file__ = str(tmp_path / "__init__.py")
    offline, online = "/w/offline-run-1", "/w/run-2 x"
    default = RunSpec(chosen={}, default={"entity": "e"})
    host = RunSpec(chosen={"host": "https://u:p@h"}, default={})
    assert wandb_api.sync_command(NOTHING, [offline]) == "wandb sync /w/offline-run-1"
    assert wandb_api.sync_command(default, [online]) == "wandb sync --include-online -e YOUR_ENTITY '/w/run-2 x'"
    assert wandb_api.sync_command(host, [offline]) == "WANDB_BASE_URL=https://h wandb sync /w/offline-run-1"
    two = [offline, "/w/offline-run-3"]
    assert wandb_api.sync_command(NOTHING, two) == "wandb sync /w/offline-run-1 /w/offline-run-3"
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "cli.py").write_text('"--append"')
    assert wandb_api.sync_command(NOTHING, two) == "wandb sync /w/offline-run-1 && wandb sync --append /w/offline-run-3"
    assert wandb_api.notice(NOTHING, "why", two).startswith(
        "W&B run is offline (why): 2 folders, in this order; sync it with: "
    )
    monkeypatch.setattr(sys, "flags", types.SimpleNamespace(isolated=True))
    assert wandb_api.sync_command(NOTHING, [offline]) == f"{sys.executable} -m wandb sync /w/offline-run-1"
    monkeypatch.setattr(sys, "executable", "/train")
    assert wandb_api.sync_command(NOTHING, [offline]) == "wandb sync /w/offline-run-1"


def test_where_a_run_is() -> None:
    class Bare:
        dir = "/w/run-1/files"

    assert wandb_api.run_folder(Bare()) == "/w/run-1"
    assert wandb_api.destination(Bare()) == {"entity": "", "project": "", "run_name": "", "tags": []}
    assert wandb_api._storable(2**63) == str(2**63)
    assert [wandb_api._storable(one) for one in (2**63 - 1, None, 1.5, "a", True)] == [2**63 - 1, None, 1.5, "a", True]


# -- doctor's question ------------------------------------------------------------------------------------------------


def test_what_a_worker_would_decide(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb.settings.entity, wandb.settings.run_tags = "own", ("t",)
    authentication(monkeypatch, read_netrc_auth=lambda host: "k" * 40, authenticate_session=lambda host: None)
    asked: list[Any] = []
    monkeypatch.setattr(dry.server, "unreachable", lambda *given: asked.append(given))
    spec = RunSpec(chosen={"project": "p"}, default={"entity": "d", "run_name": "n"})
    monkeypatch.setenv("WANDB_RUN_ID", "x")
    found = dry.decision(spec, ask=True)
    assert found == {
        "entity": "own", "project": "p", "run_name": "n", "tags": ["t"], "refused": [], "mode": "online",
        "server": "https://own", "key": "netrc", "asked": True, "offline": None,
    }  # fmt: skip
    assert asked[0][3] is True
    assert "WANDB_RUN_ID" not in os.environ
    assert dry.decision(spec, ask=False)["asked"] is False
    assert len(asked) == 1
    wandb.settings.mode = "offline"
    found = dry.decision(spec, ask=True)
    assert (found["asked"], found["offline"]) == (False, "W&B's settings")
    monkeypatch.setenv("WANDB_BAD", "1")
    found = dry.decision(spec, ask=True)
    assert (found["offline"], found["asked"]) == (found["refused"][0], False)
    monkeypatch.setattr(wandb, "setup", lambda: 1 / 0)
    monkeypatch.setenv("WANDB_ODD", "1")
    assert dry.decision(spec, ask=True) == {
        "refused": ["wandb raises 'division by zero' with WANDB_ODD; unset it"], "asked": False,
        "offline": "wandb raises 'division by zero' with WANDB_ODD; unset it",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "key", "who"),
    [
        ({"WANDB_API_KEY": "k"}, "k", "WANDB_API_KEY"),
        ({"WANDB_IDENTITY_TOKEN_FILE": "f"}, None, "WANDB_IDENTITY_TOKEN_FILE"),
        ({}, "filed", "wandb/settings"), ({}, "other", "netrc"), ({}, None, ""),
    ],
)  # fmt: skip
def test_who_has_the_key(environ: Any, key: Any, who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\napi_key = filed\n")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert dry._key(dry.server.Found("online", "https://own", key, True, complete=True), "https://own") == who
    if not who:
        assert (
            dry._key(dry.server.Found("online", "https://own", None, True, True, refused="x"), "https://own") == "netrc"
        )


def test_what_doctors_process_prints(wandb: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(dry, "_v2", lambda: {"v2": ""})
    asked: list[bool] = []
    monkeypatch.setattr(dry, "decision", lambda spec, ask: {"asked": asked.append(ask)})
    dry.main(["--dry", "--attached"])
    dry.main(["--dry", "--attached", "--offline"])
    assert asked == [True, False]
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"asked": None, "v2": ""}
    monkeypatch.setattr(dry, "decision", lambda spec, ask: 1 / 0)
    dry.main([])
    assert json.loads(capsys.readouterr().out) == {"wandb": "ZeroDivisionError: division by zero", "v2": ""}


# -- the download -----------------------------------------------------------------------------------------------------


class Stored:
    """A run on the server."""

    def __init__(self, name: str, rows: int, state: str = "finished", **summary: Any) -> None:
        self.id, self.name, self.state, self.created_at = name, f"name {name}", state, "2026"
        self.project, self.entity, self.url, self.tags, self.config = "p", "e", "u", ["t"], {"c": 1}
        self.rows = [{"_step": n, "_runtime": 1, "_timestamp": n, "a": n, "b": None} for n in range(rows)]
        self.summary = summary or {"a": 1}
        self.breaks = -1

    @property
    def historyLineCount(self) -> int:
        return len(self.rows)

    @property
    def lastHistoryStep(self) -> int:
        return len(self.rows) - 1

    def scan_history(self, page_size: int, min_step: int) -> Any:
        assert page_size == 1000
        for row in self.rows[min_step:]:
            if row["_step"] == self.breaks:
                raise ConnectionError("gone")
            yield row


def fetch(wandb: Any, folder: Path, runs: list[Stored], capsys: Any, **asked: Any) -> list[dict[str, Any]]:
    """What the process prints."""
    api = types.SimpleNamespace(
        runs=lambda path, order, lazy: runs, run=lambda path: next(one for one in runs if path.endswith(one.id))
    )
    wandb.Api = lambda timeout: api
    question = {
        "cache": str(folder), "entity": "e", "project": "p", "run": "", "newest": False, "metrics": ["a"],
        "tag": ["app_tag", ""],
        **asked,
    }  # fmt: skip
    read, write = os.pipe()
    kept = [os.dup(one) for one in (1, 2)]
    mask = os.umask(0o022)
    os.dup2(write, 1)
    try:
        history.main(["--history", "--attached", json.dumps(question)])
    finally:
        os.umask(mask)
        while LOCKS:  # the end of the process gives it back
            os.close(LOCKS.pop())
        for number, one in zip((1, 2), kept):
            os.dup2(one, number)
            os.close(one)
        os.close(write)
    with os.fdopen(read) as pipe:
        return [json.loads(line) for line in pipe.read().splitlines()]


@pytest.fixture
def online(wandb: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that answers, and a watch that does not."""
    authentication(monkeypatch, read_netrc_auth=lambda host: "k" * 40, authenticate_session=lambda host: None)
    monkeypatch.setattr(history.server, "why_incomplete", lambda *_: None)
    monkeypatch.setattr(history._Watch, "start", lambda self: None)
    make = history.open_to_write

    def kept(path: Path, flags: int) -> int:
        descriptor = make(path, flags)
        if path.name == "lock":
            LOCKS.append(descriptor)
        return descriptor

    monkeypatch.setattr(history, "open_to_write", kept)
    return wandb


def test_runs_are_fetched_and_go_on(online: Any, tmp_path: Path, capsys: Any) -> None:
    runs = [Stored("r1", 1500), Stored("r2", 0), Stored("other", 5, b=1), Stored("tagged", 3, a=1, app_tag=["x"])]
    said = fetch(online, tmp_path / "c", runs, capsys)
    assert said[0] == {"total": 1500 + 1 + 3}
    assert [one["more"] for one in said[1:-1]] == [1000, 500, 0, 3]
    folders = said[-1]["folders"]
    assert [Path(one).name[:-13] for one in folders] == ["r1", "tagged"]
    lines = (Path(folders[0]) / "rows.jsonl").read_text().splitlines()
    assert (len(lines), json.loads(lines[7])) == (1500, {"_timestamp": 7, "a": 7})
    state = json.loads((Path(folders[0]) / "history.json").read_text())
    assert (state["whole"], state["rows"], state["next_step"], state["about"]["run_name"]) == (
        True,
        1500,
        1500,
        "name r1",
    )
    assert state["about"] == {
        "id": "r1", "project": "p", "entity": "e", "run_name": "name r1", "url": "u", "tags": ["t"], "config": {"c": 1},
    }  # fmt: skip
    assert (state["format"], state["made"], state["seen"], state["state"]) == (
        1, "2026", ["finished", 1500, "None"], "finished",
    )  # fmt: skip
    assert (Path(folders[0]) / "rows.jsonl").stat().st_mode & 0o777 == 0o600
    assert fetch(online, tmp_path / "c", runs[:1], capsys) == [{"total": 0}, {"folders": folders[:1]}]
    runs[0].rows += [{"_step": 1500, "a": 1}]
    runs[0].state = "running"
    assert fetch(online, tmp_path / "c", runs[:1], capsys) == [{"total": 1}, {"more": 1}, {"folders": folders[:1]}]
    assert fetch(online, tmp_path / "c", runs[:1], capsys)[0] == {"total": 1}  # it may have more
    runs[0].created_at = "2027"  # another run of that name
    assert fetch(online, tmp_path / "c", runs[:1], capsys)[0] == {"total": 1501}
    del runs[0].rows[100:]
    assert fetch(online, tmp_path / "c", runs[:1], capsys)[-1] == {"folders": folders[:1]}
    assert len((Path(folders[0]) / "rows.jsonl").read_text().splitlines()) == 100  # rewound


def test_which_runs(online: Any, tmp_path: Path, capsys: Any) -> None:
    runs = [Stored("r1", 1, a=1, app_tag=["x"]), Stored("r2", 1, a=1, app_tag="y"), Stored("r3", 1, a=1, app_tag=["z"]),
            Stored("r4", 1, _step=1)]  # fmt: skip

    def names(**asked: Any) -> list[str]:
        return [Path(one).name[:2] for one in fetch(online, tmp_path / "c", runs, capsys, **asked)[-1]["folders"]]

    assert names() == ["r1", "r2", "r3", "r4"]
    assert names(newest=True) == ["r4"]
    assert names(run="r2") == ["r2"]
    assert names(tag=["app_tag", "x"]) == ["r1", "r2", "r4"]


def test_a_download_that_breaks(online: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    one = Stored("r1", 10)
    one.breaks = 4
    said = fetch(online, tmp_path / "c", [one], capsys)
    assert said[1] == {"note": "r1: not all of its rows could be fetched (gone)"}
    (folder,) = said[-1]["folders"]
    assert json.loads((Path(folder) / "history.json").read_text())["rows"] == 4
    one.breaks = -1
    assert fetch(online, tmp_path / "c", [one], capsys)[1] == {"more": 6}
    assert [json.loads(line)["a"] for line in (Path(folder) / "rows.jsonl").read_text().splitlines()] == list(range(10))
    one.breaks = 12
    one.rows += [{"_step": n, "a": n} for n in range(10, 14)]
    monkeypatch.setattr(history, "_Fetch", _leaving(history._Fetch, monkeypatch))
    (last,) = fetch(online, tmp_path / "c", [one], capsys)[-1:]
    assert last["error"].startswith("the download stopped: it is away; what has come is kept in ")


def _leaving(fetch_: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(*given: Any) -> Any:
        found = fetch_(*given)
        monkeypatch.setattr(history.server, "why_incomplete", lambda *_: "it is away")
        return found

    return made


def test_what_stops_a_download_at_once(
    online: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "file").write_text("")
    (last,) = fetch(online, tmp_path / "file", [], capsys)
    assert last["error"].endswith("cannot be written (Not a directory); set XDG_CACHE_HOME")
    authentication(monkeypatch, read_netrc_auth=lambda host: None, authenticate_session=lambda host: None)
    assert fetch(online, tmp_path / "c", [], capsys) == [{"error": "no API key for https://own"}]
    authentication(monkeypatch, read_netrc_auth=lambda host: "short", authenticate_session=lambda host: None)
    assert "has 5 characters" in fetch(online, tmp_path / "c", [], capsys)[0]["error"]


def test_the_server_is_asked_why(monkeypatch: pytest.MonkeyPatch) -> None:
    authentication(monkeypatch, read_netrc_auth=lambda host: "k", authenticate_session=lambda host: None)
    asked: list[Any] = []
    monkeypatch.setattr(history.server, "unreachable", lambda *given: asked.append(given) or "it is away")
    assert history._why_not() == "it is away"
    assert asked[0][:2] == ("https://own", "k")


def test_a_watch_that_hears_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(BaseException):
        pass

    clock, why = [0.0], [None, None, "it is away"]
    told: list[bytes] = []
    monkeypatch.setenv("ONE_LOGGER_V1_CONNECT_TIMEOUT", "10")
    monkeypatch.setattr(history.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(history.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    monkeypatch.setattr(history, "_why_not", lambda: why.pop(0))
    monkeypatch.setattr(os, "_exit", lambda code: (_ for _ in ()).throw(Left))
    one = history._Watch(types.SimpleNamespace(write=told.append))  # type: ignore[arg-type]
    one.folder = tmp_path
    with pytest.raises(Left):
        one.run()
    assert (clock[0], why) == (70.0, [])  # asked from 40 s on, every 10 s
    assert json.loads(told[0]) == {"error": f"the download stopped: it is away; what has come is kept in {tmp_path}, "
                                            "and the same command goes on from there"}  # fmt: skip
    why[:] = [None] * 90
    clock[0] = 0.0
    one.seen()
    with pytest.raises(Left):
        one.run()
    assert (clock[0], b"no answer in 600 s" in told[1]) == (610.0, True)

"""W&B's settings as the machine has them: what says "no upload" is obeyed, what wandb refuses costs no row."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._worker.settings import refused_values
from tests.delivery import jobs
from tests.delivery.server import KEY, Server
from tests.support import clean_environment

pytestmark = pytest.mark.ci

ROWS = 5
JOB = f"""
one = one_logger()
log(one, {ROWS})
one.finish()
print("done")
"""
ALL = list(range(ROWS))
Environment = dict[str, Optional[str]]
HEADERS: Environment = {"WANDB_X_EXTRA_HTTP_HEADERS": '{"X-Gate": "open"}'}
ONLINE: Environment = {"WANDB_MODE": None, "WANDB_ENTITY": "team", "WANDB_API_KEY": KEY}

#: what wandb refuses -> the name that the line must say
REFUSED: dict[str, tuple[Environment, str]] = {
    "no tag": ({"WANDB_TAGS": ""}, "WANDB_TAGS=''"),
    "a slash in the project": ({"WANDB_PROJECT": "team/llm-7b"}, "WANDB_PROJECT='team/llm-7b'"),
    "a limit that is no number": ({"WANDB_INIT_TIMEOUT": "abc"}, "WANDB_INIT_TIMEOUT='abc'"),
    "a mode in capitals": ({"WANDB_MODE": "Offline"}, "WANDB_MODE='Offline'"),
    "the mode that keeps nothing in capitals": ({"WANDB_MODE": "DISABLED"}, "WANDB_MODE='DISABLED'"),
    "a server without a scheme": ({"WANDB_BASE_URL": "api.wandb.ai"}, "WANDB_BASE_URL='api.wandb.ai'"),
    "a newline after the key": ({"WANDB_API_KEY": KEY + "\n"}, "WANDB_API_KEY"),
    "headers that are no JSON": ({"WANDB_X_EXTRA_HTTP_HEADERS": "X-Gate: 1"}, "WANDB_X_EXTRA_HTTP_HEADERS"),
    "a package that is missing": ({"WANDB_SYNC_TENSORBOARD": "true"}, "WANDB_SYNC_TENSORBOARD"),
    "two at once": ({"WANDB_CONSOLE": "no", "WANDB_SILENT": "maybe"}, "WANDB_CONSOLE='no'"),
}


def refused(environ: Environment) -> Callable[[Path], tuple[jobs.Result, bool]]:
    """The job, and whether plain wandb raises in the same place."""

    def scenario(home: Path) -> tuple[jobs.Result, bool]:
        wanted: Environment = {"WANDB_MODE": "offline", "WANDB_API_KEY": KEY, **environ}
        home.mkdir(parents=True)
        return jobs.run(JOB, home, wanted), plain_raises(home, wanted)

    return scenario


def plain_raises(home: Path, environ: Environment) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        code = f"import wandb; wandb.setup(); wandb.init(mode='offline', dir={folder!r}).finish()"
        done = subprocess.run([sys.executable, "-c", code], env=full(home, environ), cwd=home, capture_output=True)
        return done.returncode != 0


def full(home: Path, environ: Environment) -> dict[str, str]:
    return clean_environment(home, {key: value for key, value in environ.items() if value is not None})


def wandb(home: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "wandb", *words], cwd=home, env=full(home, {}), check=True)


def with_file(where: str, *words: str) -> Callable[[Path], tuple[jobs.Result, Server]]:
    """``wandb offline`` or ``wandb disabled`` was typed in the folder or in the home; the server would take rows."""

    def scenario(home: Path) -> tuple[jobs.Result, Server]:
        home.mkdir(parents=True)
        if where == "the folder":
            (home / "wandb").mkdir()
            wandb(home, *words)
        else:
            settings(home, mode=words[0])
        return online(home, {})

    return scenario


def settings(home: Path, **values: str) -> None:
    """The settings file of a user whose home is ``home``."""
    folder = home / ".config" / "wandb"
    folder.mkdir(parents=True)
    lines = [f"{name} = {value}" for name, value in values.items()]
    (folder / "settings").write_text("\n".join(["[default]", *lines, ""]))


def online(
    home: Path,
    environ: Environment,
    mode: str = "ok",
    refusal: str = "403",
    wants: Optional[tuple[str, str]] = None,
    prepare: Optional[Callable[[Path, Server], Environment]] = None,
) -> tuple[jobs.Result, Server]:
    server = Server(mode)
    server.wants, server.refusal = wants, refusal
    try:
        home.mkdir(parents=True, exist_ok=True)
        more = prepare(home, server) if prepare is not None else {}
        return jobs.run(JOB, home, {**ONLINE, "WANDB_BASE_URL": server.url, **environ, **more}), server
    finally:
        server.stop()


def key_in_file(home: Path, server: Server) -> Environment:
    settings(home, api_key=KEY, base_url=server.url)
    return {"WANDB_API_KEY": None, "WANDB_BASE_URL": None}


def proxy_in_file(home: Path, server: Server) -> Environment:
    settings(home, http_proxy=server.url)
    return {"WANDB_BASE_URL": "http://wandb.invalid"}


#: a server that wandb reaches, and we do too
REACHED: dict[str, Callable[[Path], tuple[jobs.Result, Server]]] = {
    "a proxy in the environment": lambda home: online(
        home, {}, prepare=lambda _, server: {"WANDB_BASE_URL": "http://wandb.invalid", "WANDB_HTTP_PROXY": server.url}
    ),
    "a proxy in the settings file": lambda home: online(home, {}, prepare=proxy_in_file),
    "a user in the address": lambda home: online(
        home, {}, prepare=lambda _, server: {"WANDB_BASE_URL": server.url.replace("//", "//me:p%40w@")}
    ),
    "a gateway that wants a header": lambda home: online(home, HEADERS, wants=("X-Gate", "open")),
    "key and server in the settings file": lambda home: online(home, {}, prepare=key_in_file),
}

#: what may give the run another id, project, folder or end
OTHERS: dict[str, Environment] = {
    "Launch": {"WANDB_LAUNCH": "true"},
    "Launch with a run id": {"WANDB_LAUNCH": "true", "WANDB_RUN_ID": "theirs01", "WANDB_PROJECT": "launched"},
    "a sweep": {"WANDB_SWEEP_ID": "abcdefgh", "WANDB_RUN_ID": "theirs02"},
    "SageMaker": {"TRAINING_JOB_NAME": "job-1", "SM_TRAINING_ENV": "{}"},
    "shared mode, not primary": {"WANDB_MODE": "shared", "WANDB_X_PRIMARY": "false", "WANDB_X_LABEL": "rank1"},
    "no transaction log": {"WANDB_X_SKIP_TRANSACTION_LOG": "true"},
    "resume": {"WANDB_RESUME": "auto"},
}


def another(environ: Environment) -> Callable[[Path], tuple[jobs.Result, Server, list[str]]]:
    """The run, and then `recover` twice."""

    def scenario(home: Path) -> tuple[jobs.Result, Server, list[str]]:
        server = Server()
        try:
            wanted: Environment = {**ONLINE, "WANDB_BASE_URL": server.url, **environ}
            result = jobs.run(JOB, home, wanted)
            said = [recover(home, full(home, wanted)) for _ in range(2)]
            return result, server, said
        finally:
            server.stop()

    return scenario


def recover(home: Path, environ: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "one_logger_v1_shim", "recover"]
    done = subprocess.run(command, cwd=home, env=dict(environ), capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def dot_wandb(home: Path) -> tuple[jobs.Result, Server, list[str]]:
    (home / ".wandb").mkdir(parents=True)
    return another({})(home)


def resume_in_file(home: Path) -> tuple[jobs.Result, Server, list[str]]:
    settings(home, resume="auto")
    return another({})(home)


ENTITY_REFUSALS = ("403", "404", "errors")


def documented_entity(refusal: str) -> Callable[[Path], tuple[jobs.Result, Server]]:
    return lambda home: online(home, {"WANDB_ENTITY": None}, mode="entity:hwinf_dcm", refusal=refusal)


#: what may pass in a minute: no refusal
PASSING = ("429", "409", "500", "hang")


def passing_trouble(status: str) -> Callable[[Path], tuple[jobs.Result, Server]]:
    return lambda home: online(home, {"WANDB_ENTITY": None}, mode=f"init:{status}")


SAID = {
    "offline in the folder": ("the folder", "offline"),
    "disabled in the home": ("the home", "disabled"),
}
SCENARIOS: dict[str, Callable[[Path], Any]] = {
    **{name: refused(environ) for name, (environ, _) in REFUSED.items()},
    **{name: with_file(*words) for name, words in SAID.items()},
    **REACHED,
    **{name: another(environ) for name, environ in OTHERS.items()},
    "a folder .wandb": dot_wandb,
    "resume in the settings file": resume_in_file,
    **{name: documented_entity(name) for name in ENTITY_REFUSALS},
    **{f"passing {name}": passing_trouble(name) for name in PASSING},
    "an entity that was chosen": lambda home: online(home, {"WANDB_ENTITY": "others"}, mode="entity:others"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_setting_costs_no_row(name: str, outcome: Callable[[str], Any]) -> None:
    result, raises = outcome(name)
    assert (result.code, result.out, result.values()) == (0, "done\n", ALL), result.err
    (run,) = result.runs()
    assert run.path.parent.name.startswith("offline-run-")
    (line,) = result.lines
    assert (REFUSED[name][1] in line) == raises, line
    assert ("refused by wandb" in line or "unset it" in line) == raises
    assert KEY not in result.err
    assert jobs.mark(result.home)["state"] == "finished"


def test_a_tag_that_is_no_text_is_refused() -> None:
    assert "surrogates not allowed" in refused_values(RunSpec({"tags": ["ok", "\udce9"]}, {}))["tags"]


@pytest.mark.parametrize("name", SAID)
def test_a_settings_file_says_no_upload(name: str, outcome: Callable[[str], Any]) -> None:
    result, server = outcome(name)
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert server.requests == []
    if "disabled" in name:
        assert (result.values(), jobs.journals(result.home), result.lines) == ([], [], [])
    else:
        assert result.values() == ALL
        (line,) = result.lines
        assert "settings says mode = offline)" in line


@pytest.mark.parametrize("name", REACHED)
def test_whoever_wandb_reaches_we_reach(name: str, outcome: Callable[[str], Any]) -> None:
    result, server = outcome(name)
    assert (result.code, result.out) == (0, "done\n")
    if name == "a gateway that wants a header" and plain_raises(result.home, HEADERS):  # up to wandb 0.21
        assert "WANDB_X_EXTRA_HTTP_HEADERS is refused by wandb" in result.err
        return
    assert result.lines == []
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == ALL


@pytest.mark.parametrize("name", [*OTHERS, "a folder .wandb", "resume in the settings file"])
def test_each_row_once_in_one_run(name: str, outcome: Callable[[str], Any]) -> None:
    result, server, said = outcome(name)
    assert (result.code, result.out, result.lines) == (0, "done\n", [])
    assert result.values() == ALL
    ((run_id, rows),) = server.runs.items()
    assert [rows[step]["i"] for step in sorted(rows)] == ALL
    assert run_id == result.runs()[0].run_id
    assert not run_id.startswith("theirs")
    assert len(result.runs()) == 1 == len(jobs.stored(result.home))
    assert ["nothing to send for them" in text for text in said] == [True, True], said
    assert not list(result.home.rglob("wandb-resume.json"))


@pytest.mark.parametrize("name", ENTITY_REFUSALS)
def test_the_account_may_not_write_to_the_documented_entity(name: str, outcome: Callable[[str], Any]) -> None:
    result, server = outcome(name)
    assert [server.rows[step]["i"] for step in sorted(server.rows)] == ALL
    assert server.made[-1].get("entity") in (None, "", "team")
    (line,) = result.lines
    assert "may not write to hwinf_dcm, v1's default entity; the run goes to its own: http" in line
    assert "WANDB_ENTITY" in line


def test_an_entity_that_was_chosen_is_not_replaced(outcome: Callable[[str], Any]) -> None:
    result, server = outcome("an entity that was chosen")
    assert not server.rows
    assert result.values() == ALL
    (line,) = result.lines
    assert "W&B run is offline (" in line


#: become a user without an entry in the password file, as containers have them; files stay ours
NOBODY_KNOWS = """
import ctypes, os, sys
own = os.getuid()
if ctypes.CDLL(None).unshare(0x10000000):  # CLONE_NEWUSER
    sys.exit(77)
with open("/proc/self/uid_map", "w") as names:
    names.write(f"54321 {own} 1")
assert os.path.expanduser("~") == "~"
"""


def test_no_home(tmp_path: Path) -> None:
    environ = clean_environment(tmp_path, {"WANDB_MODE": "offline", **jobs.LIMITS})
    del environ["HOME"]
    (tmp_path / "job.py").write_text(NOBODY_KNOWS + jobs.BEGIN + JOB)
    (tmp_path / "plain.py").write_text(NOBODY_KNOWS + "import wandb; wandb.setup()")

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, script], cwd=tmp_path, env=environ, capture_output=True, text=True)

    done = run("job.py")
    if done.returncode == 77:
        pytest.skip("this machine allows no user namespaces")
    jobs.gone(tmp_path)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert [row["i"] for run in jobs.stored(tmp_path) for row in run.rows if "i" in row] == ALL
    assert ("HOME is not set and this user has no home folder" in done.stderr) == bool(run("plain.py").returncode)


@pytest.mark.everywhere
@pytest.mark.parametrize("name", [f"passing {status}" for status in PASSING])
def test_a_trouble_that_may_pass_changes_no_entity(name: str, outcome: Callable[[str], Any]) -> None:
    result, server = outcome(name)
    assert (result.code, result.out, result.values()) == (0, "done\n", ALL), result.err
    assert [made.get("entity") for made in server.made] == []
    (line,) = result.lines
    assert "W&B run is offline (" in line
    assert "may not write" not in line

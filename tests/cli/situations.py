"""Situations in which ``doctor`` is held against what a job then does: environment, files, and where the rows went."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from tests.delivery import jobs
from tests.delivery.server import KEY, Server
from tests.support import run_command

#: of a job's own W&B run
ONLINE, OFFLINE, NOWHERE, JOURNAL = "online", "offline", "nowhere", "in the journal"

_JOB = """
logger = OneLogger()
for number in range(3):
    logger.log_metrics({"i": number})
logger.finish()
"""


@dataclass(frozen=True)
class Situation:
    """``prepare`` gets the home folder, which is the working folder too, and the server."""

    environ: dict[str, str] = field(default_factory=dict)
    prepare: Optional[Callable[[Path, Server], None]] = None
    key: bool = True
    server: bool = True


def settings_file(text: str, name: str = ".config/wandb/settings") -> Callable[[Path, Server], None]:
    def prepare(home: Path, server: Server) -> None:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.replace("SERVER", server.url).encode("utf-8", "surrogateescape"))

    return prepare


def netrc(text: str) -> Callable[[Path, Server], None]:
    def prepare(home: Path, server: Server) -> None:
        host = server.url.partition("//")[2]
        (home / ".netrc").write_text(text.replace("HOST", host.partition(":")[0]).replace("KEY", KEY))
        (home / ".netrc").chmod(0o600)

    return prepare


def exporters(text: str) -> Callable[[Path, Server], None]:
    def prepare(home: Path, server: Server) -> None:
        (home / "one_logger_exporters_config.yaml").write_text(text)

    return prepare


def _closed_port() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


SITUATIONS: dict[str, Situation] = {
    "all is well": Situation(),
    "no key": Situation(key=False),
    "key in netrc's default": Situation(key=False, prepare=netrc("default login user password KEY\n")),
    "a short key": Situation({"WANDB_API_KEY": "short"}),
    "key with quotes": Situation({"WANDB_API_KEY": f'"{KEY}"'}),
    "key with a blank inside": Situation({"WANDB_API_KEY": f"{KEY[:20]} {KEY[20:]}"}),
    "key in the settings file": Situation(key=False, prepare=settings_file(f"[default]\napi_key = {KEY}\n")),
    "server in the settings file": Situation(server=False, prepare=settings_file("[default]\nbase_url = SERVER\n")),
    "mode offline": Situation({"WANDB_MODE": "offline"}),
    "mode in capitals": Situation({"WANDB_MODE": "OFFLINE"}),
    "mode dryrun": Situation({"WANDB_MODE": "dryrun"}),
    "an empty mode": Situation({"WANDB_MODE": ""}),
    "mode with a blank": Situation({"WANDB_MODE": "offline "}),
    "a mode that there is not": Situation({"WANDB_MODE": "sometimes"}),
    "mode offline in the settings file": Situation(prepare=settings_file("[default]\nmode = offline\n")),
    "mode offline in the folder's settings file": Situation(
        prepare=settings_file("[default]\nmode = offline\n", "wandb/settings")
    ),
    "mode disabled": Situation({"WANDB_MODE": "disabled"}),
    "disabled in the settings file": Situation(prepare=settings_file("[default]\nmode = disabled\n")),
    "a settings file with a percent sign": Situation(prepare=settings_file("[default]\nnotes = 50%\n")),
    "a settings file of bytes": Situation(prepare=settings_file("[default]\nnotes = \udcff\n")),
    "a settings file without a section": Situation(prepare=settings_file("mode = offline\n")),
    "the folder's settings file of bytes": Situation(prepare=settings_file("\udcff\n", "wandb/settings")),
    "the folder's settings file with a percent sign": Situation(
        prepare=settings_file("[default]\nnotes = 50%\n", "wandb/settings")
    ),
    "a server with a trailing blank": Situation({"WANDB_BASE_URL": "http://127.0.0.1:9 "}, server=False),
    "a server that is closed": Situation({"WANDB_BASE_URL": _closed_port()}, server=False),
    "a server that is no address": Situation({"WANDB_BASE_URL": "nowhere"}, server=False),
    "tags that wandb refuses": Situation({"WANDB_TAGS": ""}),
    "a project that wandb refuses": Situation({"WANDB_PROJECT": "a/b"}),
    "a project": Situation({"WANDB_PROJECT": "mine"}),
    "an empty entity": Situation({"WANDB_ENTITY": ""}),
    "a folder that is none": Situation({"WANDB_DIR": "/dev/null"}),
    "an interpreter that is not there": Situation({"ONE_LOGGER_V1_PYTHON": "/no/such/python"}),
    "an interpreter that is no Python": Situation({"ONE_LOGGER_V1_PYTHON": "/bin/true"}),
    "variables of earlier versions": Situation({"ONE_LOGGER_V1_DELIVERY": "inline", "ONE_LOGGER_V1_FORWARD": "job"}),
    "an exporter that is not there": Situation(prepare=exporters("exporters:\n- {class_name: nobody.Has}\n")),
    "an export configuration that is none": Situation(prepare=exporters("a: b: c")),
}


def environment(situation: Situation, server: Server) -> dict[str, Optional[str]]:
    own = {"WANDB_API_KEY": KEY} if situation.key else {}
    where = {"WANDB_BASE_URL": server.url} if situation.server else {}
    return {"WANDB_MODE": None, "WANDB_SILENT": None, **own, **where, **situation.environ}


def what_happens(home: Path, environ: dict[str, Optional[str]], server: Server) -> str:
    """Where the rows of a small job are in the end."""
    result = jobs.run(_JOB, home, environ)
    assert result.code == 0, result.err
    if len(server.rows) == 3:
        return ONLINE
    if result.values() == [0, 1, 2]:
        return OFFLINE
    return JOURNAL if jobs.journal_values(home) == [0, 1, 2] else NOWHERE


def what_is_said(home: Path, environ: dict[str, Optional[str]]) -> tuple[int, str]:
    """Exit code and output of ``doctor``."""
    told = {name: value for name, value in environ.items() if value is not None}
    command = [sys.executable, "-m", "one_logger_v1_shim", "doctor"]
    done = run_command(command, home, env=told, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout

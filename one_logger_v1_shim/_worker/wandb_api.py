"""What is asked of wandb. What a version can do is asked by feature, never by version number.

Runs in the worker's process.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from .._journal.destination import RunSpec
from .._journal.files import quoted
from .._journal.interpreter import is_interpreter
from .._journal.secret import hidden, without_user
from .._journal.system import KILL
from .._journal.wandb_file import sync_options
from .._variables import seconds
from .settings import NEVER_LEFT_OUT, resumes

# Wanted settings; those that the installed version does not have are left out.
_SETTINGS: dict[str, Any] = {
    "silent": True,
    "quiet": True,
    "console": "off",
    "x_disable_stats": True,
    "_disable_stats": True,  # its name up to wandb 0.18
    "disable_job_creation": True,
    # `wandb/latest-run` and `wandb/debug*.log` are the user's: `wandb sync wandb/latest-run` must not send ours.
    "symlink": False,
    # A settings file may say otherwise; without them W&B's file, which tells what is stored, would not be there.
    "x_primary": True,
    "x_skip_transaction_log": False,
    "x_update_finish_state": True,
}

_GIT_LIMIT = 3.0  # seconds; it takes a few milliseconds

# The server and the key are never left out: rows would go to somebody else.
_TOLD = {"base_url": "the host", "api_key": "the API key"}

_LEAST = 30.0  # seconds; wandb on a slow network file system


def init_limit() -> float:
    """Seconds that ``wandb.init`` may take."""
    return seconds(os.environ, "ONE_LOGGER_V1_INIT_TIMEOUT")


def stuck_limit() -> float:
    """Seconds after which what asks no server never returns: ``wandb.init`` offline, reading the settings.

    A limit for the server that is short must not keep the rows from W&B's files.
    """
    return max(_LEAST, 3 * init_limit())


def drain_limit() -> float:
    """Seconds that ``run.finish`` may take in the worker: uploading what a server has not taken yet."""
    return seconds(os.environ, "ONE_LOGGER_V1_DRAIN_TIMEOUT")


def settings_in_force() -> str:
    """W&B's variables that are set, in words, for who looks why its process has ended; "": there are none."""
    names = sorted(name for name in os.environ if name.startswith("WANDB_") and name not in NEVER_LEFT_OUT)
    return f" (its process ended early; set here: {', '.join(names)})" if names else " (its process ended early)"


def settings(spec: RunSpec, program: Optional[str] = None) -> Any:
    """``wandb.Settings`` for our run."""
    import wandb

    known = known_settings()
    # wandb is to give up by itself, where it can: it writes its last rows down then
    wanted = {**_SETTINGS, "init_timeout": init_limit(), "finish_timeout": 0.8 * drain_limit()}
    if spec.host:
        wanted["base_url"] = spec.host
    if spec.api_key:
        wanted["api_key"] = spec.api_key
    if program:
        wanted["program"] = program.encode("utf-8", "backslashreplace").decode("utf-8")
    return wandb.Settings(**{name: value for name, value in wanted.items() if name in known})


def git_answers() -> bool:
    """Whether git says what the working directory is, or is not there. On a dead mount it hangs, and wandb with it."""
    try:
        asked = subprocess.Popen(
            ["git", "rev-parse", "--git-dir"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return True
    try:
        asked.wait(_GIT_LIMIT)
    except subprocess.TimeoutExpired:
        with suppress(OSError):  # nobody waits for it: the kernel may not let it go
            os.killpg(asked.pid, KILL) if hasattr(os, "killpg") else asked.kill()
        return False
    return True


def hide_git(environ: MutableMapping[str, str]) -> None:
    """wandb is to do without. wandb 0.20 and its process ask it all the same: they are not to find it."""
    environ["WANDB_DISABLE_GIT"] = "true"
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    without = [one for one in folders if one and not os.access(os.path.join(one, "git"), os.X_OK)]
    environ["PATH"] = os.pathsep.join(without) or os.devnull


def cannot_be_told(spec: RunSpec) -> Optional[str]:
    """What of the v1 configuration's server and key this wandb has no setting for; None: it takes both."""
    known = known_settings()
    given = {"base_url": spec.host, "api_key": spec.api_key}
    lacking = [_TOLD[name] for name, value in given.items() if value and name not in known]
    return f"this wandb has no setting for {' and '.join(lacking)} of the v1 configuration" if lacking else None


def known_settings() -> set[str]:
    """The names of the settings that the installed wandb has: pydantic's fields, or annotations before wandb 0.19."""
    import wandb

    known = set(getattr(wandb.Settings, "model_fields", {}))
    for one in wandb.Settings.__mro__:
        known.update(vars(one).get("__annotations__", {}))
    return known


def unusable() -> Optional[str]:
    """Why this interpreter's wandb can't be used; None: it can."""
    try:
        import wandb
    except ImportError as error:
        if error.name == "wandb":
            return f"wandb is not installed in {sys.executable}"
        return f"wandb cannot be imported in {sys.executable} ({error!r})"
    except Exception as error:
        return f"wandb cannot be imported in {sys.executable} ({error!r})"
    if not hasattr(wandb, "init"):  # a folder that happens to be called wandb, W&B's own run folder for example
        where = [*getattr(wandb, "__path__", []), getattr(wandb, "__file__", None)][0]
        return f"wandb is not installed in {sys.executable}: {where} is something else"
    return None


def init(spec: RunSpec, run_id: str, folder: str, offline: bool, **more: Any) -> Any:
    """``wandb.init`` of our run; raises whatever wandb raises."""
    import wandb

    wanted = settings(spec, more.pop("program", None))
    if "resume" not in more and resumes():
        more["resume"] = "allow"
    return wandb.init(
        id=run_id,
        dir=folder,
        mode="offline" if offline else "online",
        settings=wanted,
        **spec.arguments(os.environ),
        **more,
    )


def run_folder(run: Any) -> str:
    """The folder of a run that ``wandb sync`` takes."""
    found = getattr(getattr(run, "settings", None), "sync_dir", None)
    return os.path.abspath(str(found or os.path.dirname(str(getattr(run, "dir", "")))))


def destination(run: Any) -> dict[str, Any]:
    """Entity, project, name and tags of a run, by the names of :class:`RunSpec`."""
    found = {name: getattr(run, one, None) for name, one in (("entity",) * 2, ("project",) * 2, ("run_name", "name"))}
    tags = getattr(run, "tags", None) or ()
    return {**{name: hidden(str(one or "")) for name, one in found.items()}, "tags": [str(one) for one in tags]}


def notice(spec: RunSpec, reason: str, folders: Sequence[str]) -> str:
    """The one line about an offline run: where it is and how to sync it."""
    where = folders[-1] if len(folders) == 1 else f"{len(folders)} folders, in this order"
    return f"W&B run is offline ({reason}): {where}; sync it with: {sync_command(spec, folders)}"


def sync_command(spec: RunSpec, folders: Sequence[str]) -> str:
    """How to send the run in ``folders`` (a run that went on after a failure has several) to the server.

    A server that only the v1 configuration names is said: `wandb sync` would take W&B's own.
    """
    server = f"WANDB_BASE_URL={shlex.quote(without_user(spec.host))} " if spec.host else ""
    entity = " -e YOUR_ENTITY" if spec.entity_is_documented_default(os.environ) else ""
    # An environment of the worker's own is not the job's: there `wandb` is another one, or none. A frozen program is
    # isolated, too (cx_Freeze), and is no interpreter.
    own = sys.flags.isolated and is_interpreter()
    wandb = server + (f"{quoted(sys.executable)} -m wandb" if own else "wandb")
    options = "".join(f" {option}" for option in sync_options(map(Path, folders))) + entity
    if len(folders) < 2 or not _sync_appends():
        return f"{wandb} sync{options} {' '.join(map(quoted, folders))}"
    first, *rest = folders
    appended = [f"{wandb} sync --append{options} {quoted(one)}" for one in rest]
    return " && ".join([f"{wandb} sync{options} {quoted(first)}", *appended])


def _sync_appends() -> bool:
    """Whether ``wandb sync`` must be told that a folder continues a run. Newer versions see it."""
    import wandb

    with suppress(OSError, TypeError):
        return '"--append"' in (Path(str(wandb.__file__)).parent / "cli" / "cli.py").read_text(encoding="utf-8")
    return False


def log(run: Any, row: dict[str, Any], **step: Any) -> Optional[str]:
    """``run.log(row)``. A row that W&B refuses goes in with its values as text; says so, if that was necessary."""
    try:
        run.log(row, **step)
    except (TypeError, ValueError, OverflowError, UnicodeError) as error:
        run.log({str(key): _storable(value) for key, value in row.items()}, **step)
        return f"W&B refused a row ({error!r}); the values that it cannot take were logged as text"
    return None


def _storable(value: Any) -> Any:
    if value is None or isinstance(value, (bool, float, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else repr(value)
    return repr(value)

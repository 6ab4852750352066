"""What W&B's settings say to this process: environment, settings files, wandb's defaults; and what in them is refused.

wandb itself is asked, in the worker's process, before a run is opened: its rules are not the same in all versions.
``doctor`` starts a process for :func:`main`, which prints the answer as one line of JSON.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, replace
from inspect import signature
from pathlib import Path
from typing import Any, Optional

from .._journal.destination import DEFAULT_HOST, DESTINATION, MODES, RunSpec
from .._journal.destination import mode as asked_mode
from .._journal.secret import hidden, without_user
from .._journal.server import Found
from .._journal.settings_files import files
from .._journal.words import ELSEWHERE

_VARIABLE = "WANDB_"
# Their values are secret, or may hold a password.
_SECRET = ("KEY", "TOKEN", "HEADERS", "PROXY", "PROXIES", "PASSWORD")
# A question of our own would not pass where wandb's do. The names with an underscore are those up to wandb 0.18.
_DETOURS = ("http_proxy", "https_proxy", "x_proxies", "_proxies", "x_extra_http_headers", "_extra_http_headers")
# A value of the v1 configuration -> the field of wandb.Settings that takes it
_FIELDS = {"project": "project", "entity": "entity", "run_name": "run_name", "tags": "run_tags", "host": "base_url"}


# Where the run goes, who may write there, and what the worker itself has set.
NEVER_LEFT_OUT = (
    *DESTINATION,
    "WANDB_API_KEY",
    "WANDB_CONFIG_DIR",
    "WANDB_DIR",
    "WANDB_DISABLE_GIT",
    "WANDB_MODE",
    "WANDB_RUN_ID",
    "WANDB_SERVICE",
)


# Not a refusal, but a wandb that is built in another way
_OTHER_WANDB = (AttributeError, ImportError, NameError, TypeError)


def read(environ: Mapping[str, str], host: Optional[str] = None) -> Found:
    """wandb's settings of this process. Raises whatever wandb raises for a setting that it refuses.

    Args:
        environ: this process's environment; wandb reads it by itself.
        host: the run's server, if the v1 configuration names one.
    """
    try:
        said = of_this_process()
    except _OTHER_WANDB:  # `wandb.init`, which everybody calls, will know
        return Found(asked_mode(environ) or "online", environ.get("WANDB_BASE_URL") or DEFAULT_HOST, None, direct=False)
    mode = str(getattr(said, "mode", None) or "online")
    if getattr(said, "disabled", None):  # up to wandb 0.18 `wandb offline` wrote this one, too
        mode = "offline" if mode != "disabled" else mode
    detours = any(getattr(said, name, None) for name in _DETOURS)
    base_url = str(said.base_url).rstrip("/")
    found = Found(
        mode=MODES.get(mode, mode),
        base_url=base_url,
        api_key=getattr(said, "api_key", None) or None,
        direct=not detours and not _is_behind_proxy(),
    )
    if found.mode != "online":
        return found
    try:
        key = _key(said, host or base_url)
    except _OTHER_WANDB:
        return found
    except Exception as error:
        return replace(found, complete=True, refused=reason(error))
    return replace(found, api_key=key, complete=True)


def _key(said: Any, address: str) -> Optional[str]:
    """The API key that ``wandb.init`` would use for the server at ``address``: wandb's rules have changed with its
    versions, so its own code looks for it. Raises whatever it raises for a key that it refuses."""
    try:
        from wandb.sdk.lib import wbauth
    except ImportError:  # before wandb 0.22
        from requests.utils import get_netrc_auth

        return getattr(said, "api_key", None) or (get_netrc_auth(address) or ("", ""))[1] or None
    options: dict[str, Any] = {"source": "one_logger_v1_shim", "prompt": False, "update_session": False}
    if options.keys() <= signature(wbauth.authenticate_session).parameters.keys():
        auth: Any = wbauth.authenticate_session(host=address, **options)
        return getattr(auth, "api_key", None)
    own = getattr(said, "api_key", None) if str(said.base_url).rstrip("/") == address.rstrip("/") else None
    return os.environ.get("WANDB_API_KEY") or wbauth.read_netrc_auth(host=address) or own


def of_this_process() -> Any:
    """``wandb.Settings`` with what files and environment say. Starts no process where this wandb can do without."""
    import wandb
    from wandb.sdk import wandb_setup

    setup: Any = getattr(wandb_setup, "singleton", None) or wandb.setup
    return setup().settings


def resumes() -> bool:
    """Whether a settings file says ``resume``: then the user's next run would go on with ours."""
    try:
        return bool(getattr(of_this_process(), "resume", None))
    except Exception:
        return False


def _is_behind_proxy() -> bool:
    return bool(urllib.request.getproxies().keys() & {"http", "https", "all"})


def take_refused(environ: MutableMapping[str, str]) -> list[str]:
    """Remove what wandb refuses from ``environ``: with it every ``wandb.init`` raises. Returns a text for each."""
    import wandb

    refused = []
    for name in sorted(name for name in environ if name.startswith(_VARIABLE)):
        blank: Any = wandb.Settings()
        apply = getattr(blank, "update_from_env_vars", None) or getattr(blank, "_apply_env_vars", None)
        if apply is None:
            break
        try:
            environ[name].encode("utf-8")  # wandb.init refuses what is none
            apply({name: environ[name]})
        except _OTHER_WANDB:
            break
        except Exception as error:
            refused.append(_text(name, environ.pop(name), error))
    return refused


def refused_values(spec: RunSpec) -> dict[str, str]:
    """What wandb refuses of the v1 configuration, by its name there, with a text for each."""
    import wandb

    refused = {}
    for name, setting in _FIELDS.items():
        value = spec.chosen.get(name)
        if not value:
            continue
        values: dict[str, Any] = {setting: tuple(value) if name == "tags" else str(value)}
        try:
            "".join(map(str, value if name == "tags" else [value])).encode("utf-8")
            wandb.Settings(**values)
        except _OTHER_WANDB:
            break
        except Exception as error:
            shown = without_user(str(value)) if name == "host" else hidden(value)
            refused[name] = f"{name}={shown!r} of the v1 configuration is refused by wandb ({reason(error)})"
    return refused


def _text(name: str, value: str, error: Exception) -> str:
    if name == "WANDB_API_KEY":
        return f"the API key (WANDB_API_KEY, or the v1 configuration's) is refused by wandb ({reason(error)})"
    value = without_user(value) if name == "WANDB_BASE_URL" else hidden(value)
    shown = name if any(word in name for word in _SECRET) else f"{name}={value!r}"
    return f"{shown} is refused by wandb ({reason(error)}); correct or unset it"


def reason(error: BaseException) -> str:
    """wandb's reason in one line; of a validation error without the value that was refused."""
    errors = getattr(error, "errors", None)
    if callable(errors):
        details = errors()
        if details:
            return hidden(str(details[0].get("msg", "")), alike=True).partition("\n")[0].replace("Value error, ", "")
    text = hidden(str(error), alike=True).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


def mend(environ: MutableMapping[str, str], error: Exception, folder: Path) -> str:
    """Remove from ``environ`` what made wandb raise ``error`` beyond a single variable; returns what that was.

    A process that is started again with that environment can write an offline run.

    Args:
        environ: this process's environment, which the next one inherits.
        error: what ``wandb.setup`` or ``wandb.init`` has raised.
        folder: a folder of our own, in which there is no settings file.

    Raises:
        Exception: ``error``, if nothing is left that could be removed.
    """
    if os.path.expanduser("~") == "~" or environ.get("HOME") == "":
        environ["HOME"] = str(folder)
        return f"HOME is not set and this user has no home folder ({reason(error)}); set HOME"
    found = [os.path.abspath(one) for one in files(environ) if one.is_file()]
    if found and environ.get("WANDB_CONFIG_DIR") != str(folder):
        environ["WANDB_CONFIG_DIR"] = str(folder)
        environ[ELSEWHERE] = "1"
        return f"W&B's settings in {' or '.join(found)} are refused by wandb ({reason(error)}); correct or remove them"
    text = leave_out(environ, error)
    if not text:
        raise error
    return text


def leave_out(environ: MutableMapping[str, str], error: Exception) -> str:
    """Remove W&B's variables that say not where the run goes from ``environ``. Returns which; "": there were none.

    wandb takes each of them alone, and can't be set up with all of them: a package may be missing that one asks for.
    """
    names = sorted(name for name in environ if name.startswith(_VARIABLE) and name not in NEVER_LEFT_OUT)
    for name in names:
        del environ[name]
    return f"wandb raises {reason(error)!r} with {' or '.join(names)}; unset it" if names else ""


def main(arguments: list[str]) -> None:
    """Print what wandb's settings are here: the fields of :class:`Found` and ``refused``, as JSON, without the key.

    Raises whatever is raised where there is no wandb.
    """
    refused = take_refused(os.environ)
    answer: dict[str, Any] = {}
    try:
        found = read(os.environ)
        answer = {**asdict(found), "api_key": found.api_key is not None}
    except Exception as error:
        refused.append(mend(os.environ, error, Path(os.devnull).parent))
    print("\n" + json.dumps({**answer, "refused": refused}), flush=True)

"""Where a run goes: what was chosen, what the environment says, what is documented as the default, in this order.

Both processes ask: the job for the folder and the record, the worker for the arguments of ``wandb.init``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Optional

from .secret import without_user
from .settings_files import setting

# name here -> (argument of wandb.init, variable of the environment, name in W&B's settings files)
_ARGUMENTS = {
    "project": ("project", "WANDB_PROJECT", "project"),
    "entity": ("entity", "WANDB_ENTITY", "entity"),
    "run_name": ("name", "WANDB_NAME", "run_name"),
    "tags": ("tags", "WANDB_TAGS", "run_tags"),
}

_SERVER = "WANDB_BASE_URL"
#: variable of the environment -> name in W&B's settings files, and of wandb's settings
ENTRIES = {**{variable: entry for _, variable, entry in _ARGUMENTS.values()}, _SERVER: "base_url"}
_NOTHING: tuple[Any, ...] = (None, "", [])

# What decides beside the v1 configuration where a run goes and what it is called.
DESTINATION = (
    _SERVER,
    "WANDB_ENTITY",
    "WANDB_PROJECT",
    "WANDB_NAME",
    "WANDB_TAGS",
    "WANDB_RUN_GROUP",
    "WANDB_JOB_TYPE",
    "WANDB_NOTES",
)

# These are about the user's own run: with them ours would join, resume or fork it or their sweep, lie in another folder
# under another name, or leave its end to another process.
FOREIGN = (
    "WANDB_RUN_ID",
    "WANDB_SERVICE",
    "WANDB_RESUME",
    "WANDB_SWEEP_ID",
    "WANDB_SWEEP_PARAM_PATH",
    "WANDB_FORK_FROM",
    "WANDB_RESUME_FROM",
    "WANDB_USE_DOT_WANDB",
    "WANDB_X_FILES_DIR",
    "WANDB_X_LABEL",
    "WANDB_X_PRIMARY",
    "WANDB_X_PRIMARY_NODE",
    "WANDB_X_RUNQUEUE_ITEM_ID",
    "WANDB_X_SKIP_TRANSACTION_LOG",
    "WANDB_X_SYNC_DIR_SUFFIX",
    "WANDB_X_UPDATE_FINISH_STATE",
)

#: W&B's other words for a mode
MODES = {"dryrun": "offline", "run": "online", "shared": "online"}


@dataclass(frozen=True)
class RunSpec:
    """Keys of both: ``entity``, ``project``, ``run_name``, ``host``, ``api_key``, ``tags``, ``save_dir``.

    ``chosen`` is what the v1 configuration says: it wins over the environment. ``default`` loses to it. Not shown: the
    values may hold a key.
    """

    chosen: Mapping[str, Any] = field(repr=False)
    default: Mapping[str, Any] = field(repr=False)

    def arguments(self, environ: Optional[Mapping[str, str]]) -> dict[str, Any]:
        """Arguments for ``wandb.init``. What the environment or W&B's settings files decide is left out: W&B reads it.

        ``environ`` None: nothing is decided there.
        """
        found: dict[str, Any] = {}
        for name in _ARGUMENTS:
            value = self.chosen.get(name)
            if value is None and not self._is_decided(name, environ):
                value = self.default.get(name)
            if value is not None:
                found[_ARGUMENTS[name][0]] = list(value) if name == "tags" else str(value)
        return found

    @staticmethod
    def _is_decided(name: str, environ: Optional[Mapping[str, str]]) -> bool:
        _, variable, entry = _ARGUMENTS[name]
        if environ is None:
            return False
        return variable in environ or setting(environ, entry)[0] is not None

    def changed(self, **chosen: Any) -> RunSpec:
        """The same with other chosen values; None changes nothing."""
        more = {name: value for name, value in chosen.items() if value is not None}
        return RunSpec(chosen={**self.chosen, **more}, default=self.default)

    def without(self, *names: str) -> RunSpec:
        """The same without the values ``names``, chosen or default."""
        halves = (self.chosen, self.default)
        return RunSpec(*({name: one for name, one in half.items() if name not in names} for half in halves))

    def entity_is_documented_default(self, environ: Mapping[str, str]) -> bool:
        """Whether nobody has chosen the entity."""
        unchosen = not self.chosen.get("entity") and not self._is_decided("entity", environ)
        return unchosen and bool(self.default.get("entity"))

    @property
    def host(self) -> Optional[str]:
        """The server, if somebody chose one. The documented default is never passed on: W&B knows its own server."""
        return self.chosen.get("host") or None

    @property
    def api_key(self) -> Optional[str]:
        """The key, if the configuration has one."""
        return self.chosen.get("api_key") or None

    def folder(self, environ: Mapping[str, str]) -> Path:
        """The folder that will hold ``wandb/``. The documented default is ``./wandb``.

        Relative where the working directory has been removed: nothing can be kept there, and the journal sees it.
        """
        chosen = os.path.expanduser(str(self.chosen.get("save_dir") or environ.get("WANDB_DIR") or "."))
        try:
            return Path(os.path.abspath(chosen))
        except OSError:
            return Path(chosen)


DEFAULT_ENTITY = "hwinf_dcm"
DEFAULT_HOST = "https://api.wandb.ai"
DEFAULT_TAGS = ("e2e_metrics_enabled",)
DEFAULT_SAVE_DIR = "./wandb"


@dataclass
class WandBConfig:
    """Where the rows go. ``api_key`` is never shown.

    What stands here as a documented default loses to the environment (``WANDB_ENTITY``, ``WANDB_PROJECT``,
    ``WANDB_DIR``, ``WANDB_API_KEY``, ``WANDB_BASE_URL`` ...); what was chosen wins over it.
    """

    entity: str = DEFAULT_ENTITY
    project: str = "e2e-tracking"
    run_name: Optional[str] = None
    host: str = DEFAULT_HOST
    api_key: str = field(default="", repr=False)
    tags: list[str] = field(default_factory=lambda: list(DEFAULT_TAGS))
    save_dir: str = DEFAULT_SAVE_DIR


FIELDS = tuple(one.name for one in fields(WandBConfig))


def specification(wandb_config: WandBConfig, chosen: Optional[Mapping[str, Any]] = None) -> RunSpec:
    """What was chosen (by default: what differs from the documented default) and what is a default."""
    values = {name: getattr(wandb_config, name) for name in FIELDS}
    if chosen is None:
        documented = {one: getattr(WandBConfig(), one) for one in FIELDS}
        chosen = {name: value for name, value in values.items() if value != documented[name]}
    return RunSpec(chosen=dict(chosen), default={name: one for name, one in values.items() if name not in chosen})


def mode(environ: Mapping[str, str]) -> str:
    """W&B's mode as asked for: ``online``, ``offline``, ``disabled``, or ``""`` when nobody asked.

    ``WANDB_MODE`` counts before W&B's settings files, which ``wandb offline`` writes. ``Disabled`` is refused by wandb,
    so that its user would hear of it: the rows are kept.
    """
    said = environ.get("WANDB_MODE") or setting(environ, "mode")[0] or ""
    asked = said.strip().lower()
    return "offline" if asked == "disabled" != said else MODES.get(asked, asked)


def why_not_online(environ: Mapping[str, str]) -> str:
    """Who has asked for the mode, in words."""
    if environ.get("WANDB_MODE"):
        return f"WANDB_MODE={mode(environ)}"
    value, path = setting(environ, "mode")
    return f"{path} says mode = {value}" if path is not None else "W&B's settings"


def is_quietly_offline(environ: Mapping[str, str]) -> bool:
    """Whether the user asked for an offline run and for silence: then the line that says where it is would be noise."""
    return mode(environ) == "offline" and environ.get("WANDB_SILENT", "").lower() in ("1", "true")


def settled(environ: Mapping[str, str]) -> dict[str, str]:
    """What environment and W&B's settings files say about the run's destination, by the variable's name, to be written
    down: no key, no password. A variable that is empty counts: wandb puts it before a settings file."""
    found = {name: environ[name] for name in DESTINATION if name in environ}
    for name, entry in ENTRIES.items():
        said = setting(environ, entry)[0] if name not in found else None
        if said:
            found[name] = said
    if found.get(_SERVER):
        found[_SERVER] = without_user(found[_SERVER])
    return found


def told(about: Mapping[str, Any], name: str) -> Any:
    """Where a run goes, or has gone: its ``entity``, ``project``, ``run_name``, ``tags`` or ``id``; None: nobody says.

    The only answer to that, for all who show it: as W&B has the run, once it is open; before that what the v1
    configuration chose, what the environment and W&B's settings said, and what is documented as the default.

    Args:
        about: ``run.json`` with the ``mark`` in it, and what W&B's file of the run says.
        name: as in :class:`RunSpec`.
    """
    mark, said = about.get("mark"), about.get("settled")
    has = mark.get("run") if isinstance(mark, dict) else None
    if isinstance(has, dict) and name in has:
        return has[name] or None
    for place in (about.get("chosen"), about):
        if isinstance(place, dict) and place.get(name) not in _NOTHING:
            return place[name]
    variable = _ARGUMENTS[name][1] if name in _ARGUMENTS else None
    if isinstance(said, dict) and variable in said:
        value = said[variable]
        return (_tags(value) if name == "tags" else value) or None
    default = about.get("default")
    return (default.get(name) or None) if isinstance(default, dict) else None


def _tags(value: Any) -> list[str]:
    return [one for one in value.split(",") if one] if isinstance(value, str) else list(value or ())


def public(values: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a specification that may be written down."""
    found = {key: value for key, value in values.items() if key != "api_key"}
    if isinstance(found.get("host"), str):
        found["host"] = without_user(found["host"])
    return found


def destination(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``values``, which stand in a file, can be a part of a specification."""
    found: dict[str, Any] = {}
    for name in FIELDS:
        value = values.get(name) if name != "api_key" else None  # no journal of ours has one
        if isinstance(value, str):
            found[name] = value
        elif name == "tags" and isinstance(value, (list, tuple)):
            found[name] = [one for one in value if isinstance(one, str)]
        elif isinstance(value, (int, float)) and name in ("project", "entity", "run_name"):
            found[name] = str(value)
    return found

"""The configurations that v1's core ``OneLogger`` took: flat, the old nested form, and none.

Runs in the job's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Optional

from .._log import warn_once
from .config import DEFAULTS, bad_value

# key, flat or in the nested form's "wandb" part -> what it is called here
_KEYS = {key: key for key in ("project", "entity", "host", "api_key", "tags", "save_dir")}
_KEYS["name"] = "run_name"
_NOT_IN_A_PROJECT = "/\\#?%:"
_FLAGS = {"async": True, "quiet": False, "no_exception": True, "enable_one_logger": True, "is_baseline_run": False}


class CoreConfig(NamedTuple):
    """What a core configuration says. ``chosen`` holds only what it says about the W&B run.

    Not a dataclass: importing these takes a disabled rank a fifth of its time.
    """

    chosen: Mapping[str, Any] = MappingProxyType({})
    asynchronous: bool = True
    quiet: bool = False
    no_exception: bool = True
    enabled: bool = True

    @property
    def project(self) -> str:
        """The project: v1's default is ``e2e-tracking``."""
        return str(self.chosen.get("project") or DEFAULTS["one_logger_project"])

    @property
    def run_name(self) -> Optional[str]:
        """The run's name, if one was given (Megatron passes None)."""
        return self.chosen.get("run_name")

    @classmethod
    def of_disabled(cls, config: Any) -> CoreConfig:
        """Nothing is validated and nothing is logged; what is raised in a block goes where it would go otherwise."""
        given = config if isinstance(config, Mapping) else {}
        return cls(quiet=True, enabled=False, no_exception=bool(given.get("no_exception", True)))

    @classmethod
    def read(cls, config: Optional[Mapping[str, Any]]) -> CoreConfig:
        """Raises ``ValueError`` naming the key, the value and what was expected."""
        if config is None:
            return cls()
        if not isinstance(config, Mapping):
            raise bad_value("config", config, "a dict or None")
        nested = config.get("wandb") or {}
        if not isinstance(nested, Mapping):
            raise bad_value("wandb", nested if isinstance(nested, (int, float)) else "(not shown)", "a dict")  # the key
        chosen: dict[str, Any] = {}
        for key, name in _KEYS.items():
            value = config.get(key) if config.get(key) is not None else nested.get(key)
            # "${oc.env:WANDB_API_KEY}" of a default.yaml that nobody resolved is no value
            if value is None or value == "" or (isinstance(value, str) and value.startswith("${")):
                continue
            if name == "tags":
                if isinstance(value, str) or not all(isinstance(tag, str) for tag in value):
                    raise bad_value(key, value, "a list of strings")
                value = list(value)
            elif not isinstance(value, str):
                if isinstance(value, (Mapping, list, tuple, set)):
                    shown = "(not shown)" if name == "api_key" else value
                    raise bad_value(key, shown, "a string")
                value = str(value)
            if name == "project" and (len(value) > 128 or set(value) & set(_NOT_IN_A_PROJECT)):
                raise bad_value(key, value, f"at most 128 characters and none of {_NOT_IN_A_PROJECT}, as W&B wants it")
            chosen[name] = value
        unknown = config.keys() - _KEYS.keys() - _FLAGS.keys() - {"wandb"}
        unknown |= {f"wandb.{key}" for key in nested.keys() - _KEYS.keys()}
        if unknown:
            warn_once(f"core:{sorted(unknown)}", f"OneLogger: keys that v1 did not have are ignored: {sorted(unknown)}")
        flags = {name: default if config.get(name) is None else bool(config[name]) for name, default in _FLAGS.items()}
        return cls(
            chosen=chosen,
            asynchronous=flags["async"],
            quiet=flags["quiet"],
            no_exception=flags["no_exception"],
            enabled=flags["enable_one_logger"],
        )

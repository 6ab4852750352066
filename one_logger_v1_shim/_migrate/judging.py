"""Whether a construction or a callback works: by v1's own tables, where the arguments are written out."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from typing import Any, Optional

from .._v1.config import V1Config
from .._v1.core_config import CoreConfig
from .._v1.job import VERSION, Job
from .._v1.schema import CHECKPOINT_CALLBACK_ARGS, MINIMAL_SCHEMA_CALLBACK_ARGS, THROUGHPUT_CALLBACK_ARGS
from .._v1.timer import NamedTimer
from ..core import OneLogger
from ..utils._hooks import JobCallback
from ..utils.core import OneLoggerUtils
from .findings import ERROR, OK, WARNING, Verdict, worst
from .literals import UNKNOWN, Config
from .names import PARAMETERS

# what a configuration key that only the program knows may hold, for the checks that need some value
_STAND_IN: Any = 1
_SAVES = ("on_save_checkpoint_start", "on_save_checkpoint_end", "on_save_checkpoint_success")
_CORE_CALLS = frozenset(name for name in vars(OneLogger) if not name.startswith("_"))
_UTILS_ATTRIBUTES = frozenset(vars(OneLoggerUtils({})))
#: what consumers call on a ``TimeEventCallback`` themselves; its other methods belong to the trainer
_EVENT_CALLS = frozenset(name for name in vars(JobCallback) if name.startswith("on_"))


def arguments(thing: str, call: ast.Call) -> tuple[Verdict, dict[str, ast.expr]]:
    """Whether the call fits the parameters of what is called; with the arguments by parameter."""
    names = [name.rstrip("?") for name in PARAMETERS[thing]]
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        return Verdict(OK, "its arguments are not written out, and were not checked"), {}
    given = dict(zip(names, call.args))
    if len(call.args) > len(names):
        return Verdict(ERROR, f"TypeError: {len(call.args)} arguments; expected {_listed(PARAMETERS[thing])}"), given
    for keyword in call.keywords:
        if keyword.arg not in names or keyword.arg in given:
            return Verdict(ERROR, f"TypeError: argument {keyword.arg!r}; expected {_listed(PARAMETERS[thing])}"), given
        given[keyword.arg] = keyword.value
    missing = [name for name in PARAMETERS[thing] if not name.endswith("?") and name not in given]
    if missing:
        return Verdict(ERROR, f"TypeError: missing {_listed(missing)}"), given
    return Verdict(), given


# -- configurations --------------------------------------------------------------------------------------------


def utils_config(config: Optional[Config]) -> Verdict:
    """The configuration of a ``OneLoggerUtils``, by the rules of v1."""
    if config is None:
        return Verdict(OK, "the configuration is not written out in this file; its keys were not checked")
    enabled = config.constant("enable_for_current_rank", False)
    if enabled is not UNKNOWN and not enabled:
        return Verdict(OK, "logs nothing: enable_for_current_rank is not true, and nothing is checked then")
    saves = config.constant("is_save_checkpoint_enabled", True)
    throughput = config.constant("is_log_throughput_enabled", False)
    required, allowed = _expected("initialize")
    switched = [
        (throughput, "flops_per_sample", THROUGHPUT_CALLBACK_ARGS, "is_log_throughput_enabled"),
        (saves, "save_checkpoint_strategy", CHECKPOINT_CALLBACK_ARGS, "is_save_checkpoint_enabled"),
    ]
    verdicts = []
    for flag, key, table, name in switched:
        allowed |= table["initialize"]["optional"]
        # BioNeMo passes the keys of features that are off; v1 refused them, the shim ignores them
        if (flag is UNKNOWN or not flag) and config.constant(key, None) is not None and key in config.keys:
            verdicts.append(Verdict(OK, f"ignored where {name} is false, where v1 refused it: {key!r}"))
    if throughput is not UNKNOWN and throughput and config.constant("flops_per_sample", None) is None:
        verdicts.append(
            Verdict(ERROR, "is_log_throughput_enabled without 'flops_per_sample': refused at on_train_start")
        )
    return worst(_keys("key", "ValueError", config.keys, required, allowed, config.open), _values(config), *verdicts)


def core_config(config: Optional[Config]) -> Verdict:
    """The configuration of a core ``OneLogger``."""
    if config is None:
        return Verdict(OK, "the configuration is not written out in this file; its keys were not checked")
    known = {key: config.constant(key, None) for key in config.keys}
    known = {key: value for key, value in known.items() if value is not UNKNOWN}
    try:
        CoreConfig.read({key: value for key, value in known.items() if key in _CORE_KEYS})
    except ValueError as error:
        return Verdict(ERROR, f"ValueError: {error}")
    unknown = set(config.keys) - _CORE_KEYS
    return Verdict(WARNING, f"v1 had no {_listed(sorted(unknown))}: ignored") if unknown else Verdict()


_CORE_KEYS = frozenset(
    {
        "project", "name", "async", "quiet", "no_exception", "entity", "host", "api_key", "tags", "save_dir", "wandb",
        "enable_one_logger", "is_baseline_run",
    }
)  # fmt: skip


def _values(config: Config) -> Verdict:
    """The values that are literals: kinds, and metadata with the name of a metric."""
    known = {key: config.constant(key, None) for key in config.keys}
    known = {key: _STAND_IN if value is UNKNOWN else value for key, value in known.items()}
    if config.keys.get("metadata") is not None and config.constant("metadata", None) is UNKNOWN:
        known["metadata"] = _metadata_keys(config.keys["metadata"])
    try:
        job = Job(V1Config(known), NamedTimer(None))
        for _, row in job.construction():
            job.with_metadata(row)
    except ValueError as error:
        return Verdict(ERROR, f"ValueError: {error}")
    except Exception:  # a stand-in does not fit: nothing is known about these values
        return Verdict()
    return Verdict()


def _metadata_keys(node: ast.expr) -> dict[str, int]:
    keys = node.keys if isinstance(node, ast.Dict) else []
    return {key.value: 1 for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


# -- calls on objects ------------------------------------------------------------------------------------------


def utils_call(call: ast.Call, name: str, config: Optional[Config], certain: bool) -> Optional[Verdict]:
    """``x.on_...(...)`` on a ``OneLoggerUtils``; None if it is none of its calls. ``certain``: x is known to be one."""
    if name in MINIMAL_SCHEMA_CALLBACK_ARGS and name != "initialize":
        return worst(_callback(call, name), _with_config(call, name, config))
    if name == "finish":
        return _bound(OneLoggerUtils.finish, call)
    if not certain or name in _UTILS_ATTRIBUTES or name.startswith("__") or hasattr(OneLoggerUtils, name):
        return None
    return Verdict(ERROR, f"AttributeError: OneLoggerUtils {VERSION} has no {name!r}")


def event_call(call: ast.Call, name: str, config: Optional[Config]) -> Optional[Verdict]:
    """A v1 callback that is called on a ``TimeEventCallback`` itself."""
    return utils_call(call, name, config, certain=False) if name in _EVENT_CALLS else None


def core_call(call: ast.Call, name: str, certain: bool) -> Optional[Verdict]:
    """``x.log_metrics(...)`` and the like on a core ``OneLogger``."""
    if name in _CORE_CALLS:
        return _bound(getattr(OneLogger, name), call)
    return Verdict(ERROR, f"AttributeError: v1's OneLogger has no {name!r}") if certain else None


def _callback(call: ast.Call, name: str) -> Verdict:
    if len(call.args) > 1:
        return Verdict(ERROR, f"TypeError: {len(call.args)} positional arguments; v1 took set_barrier only")
    given = [one.arg for one in call.keywords if one.arg is not None and one.arg != "set_barrier"]
    is_open = any(one.arg is None for one in call.keywords) or any(isinstance(one, ast.Starred) for one in call.args)
    required, allowed = _expected(name)
    return _keys("argument", "ValueError", given, required, allowed, is_open)


def _with_config(call: ast.Call, name: str, config: Optional[Config]) -> Verdict:
    """What a callback needs from the configuration of its object."""
    if config is None:
        return Verdict()
    if name in _SAVES and config.constant("is_save_checkpoint_enabled", True) is False:
        return Verdict(ERROR, "AssertionError: is_save_checkpoint_enabled is False")
    barrier: list[ast.expr] = [*call.args, *(one.value for one in call.keywords if one.arg == "set_barrier")]
    wanted = bool(barrier) and isinstance(barrier[0], ast.Constant) and bool(barrier[0].value)
    if wanted and name != "on_save_checkpoint_success" and config.constant("barrier", None) is None:
        return Verdict(ERROR, "RuntimeError: set_barrier, and the configuration has no barrier")
    return Verdict()


def _bound(function: Any, call: ast.Call) -> Verdict:
    if any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords):
        return Verdict()
    try:
        inspect.signature(function).bind(None, *call.args, **{str(one.arg): None for one in call.keywords})
    except TypeError as error:
        return Verdict(ERROR, f"TypeError: {error}")
    return Verdict()


def _expected(callback: str) -> tuple[set[str], set[str]]:
    table = MINIMAL_SCHEMA_CALLBACK_ARGS[callback]
    return set(table["required"]), table["required"] | table["optional"]


def _keys(noun: str, error: str, given: Iterable[str], required: set[str], allowed: set[str], is_open: bool) -> Verdict:
    names = set(given)
    reasons = []
    if required - names and not is_open:
        reasons.append(f"missing {noun} {_listed(sorted(required - names))}")
    if names - allowed:
        reasons.append(f"unknown {noun} {_listed(sorted(names - allowed))}")
    return Verdict(ERROR, f"{error}: {'; '.join(reasons)}") if reasons else Verdict()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name.rstrip("?")) for name in names)

"""Whether a construction or a callback works: by v1's own tables, where the arguments are written out."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable
from typing import Any, Optional

import libcst as cst

from .._v1.config import V1Config
from .._v1.core_config import CoreConfig
from .._v1.job import Job
from .._v1.schema import CHECKPOINT_CALLBACK_ARGS, MINIMAL_SCHEMA_CALLBACK_ARGS, THROUGHPUT_CALLBACK_ARGS
from .._v1.timer import NamedTimer
from .._v1.wires import DEFAULT, STEP_CALLBACKS, STEPS, VARIABLE, named
from ..core import OneLogger
from ..utils._hooks import JobCallback
from ..utils.core import OneLoggerUtils
from .config import UNKNOWN, Config, literal
from .findings import ERROR, NOT_JUDGED, OK, WARNING, Verdict, worst
from .names import CORE_KEYS, PARAMETERS

_NOT_WRITTEN = Verdict(NOT_JUDGED, "the configuration is not written out in this file, or may be changed")
# what a configuration key that only the program knows may hold, for the checks that need some value
_STAND_IN: Any = 1
_SAVES = ("on_save_checkpoint_start", "on_save_checkpoint_end", "on_save_checkpoint_success")
#: v1's callbacks by their names
CALLBACKS = (MINIMAL_SCHEMA_CALLBACK_ARGS.keys() - {"initialize"}) | set(STEP_CALLBACKS)
_CORE_CALLS = frozenset(name for name in vars(OneLogger) if not name.startswith("_"))
_UTILS_ATTRIBUTES = frozenset(vars(OneLoggerUtils({})))
#: what consumers call on a ``TimeEventCallback`` themselves; its other methods belong to the trainer
_EVENT_CALLS = frozenset(name for name in vars(JobCallback) if name.startswith("on_"))


def arguments(thing: str, call: cst.Call) -> tuple[Verdict, dict[str, cst.BaseExpression]]:
    """Whether the call fits the parameters of what is called; with the arguments by parameter."""
    names = [name.rstrip("?") for name in PARAMETERS[thing]]
    if any(one.star for one in call.args):
        return Verdict(NOT_JUDGED, "its arguments are not written out"), {}
    positional = [one.value for one in call.args if one.keyword is None]
    given = dict(zip(names, positional))
    if len(positional) > len(names):
        return Verdict(ERROR, f"TypeError: {len(positional)} arguments; expected {_listed(PARAMETERS[thing])}"), given
    for one in call.args:
        if one.keyword is not None:
            name = one.keyword.value
            if name not in names or name in given:
                return Verdict(ERROR, f"TypeError: argument {name!r}; expected {_listed(PARAMETERS[thing])}"), given
            given[name] = one.value
    missing = [name for name in PARAMETERS[thing] if not name.endswith("?") and name not in given]
    if missing:
        return Verdict(ERROR, f"TypeError: missing {_listed(missing)}"), given
    return Verdict(), given


# -- configurations --------------------------------------------------------------------------------------------


def utils_config(config: Optional[Config]) -> Verdict:
    """The configuration of a ``OneLoggerUtils``, by the rules of v1."""
    if config is None:
        return _NOT_WRITTEN
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
        if (flag is UNKNOWN or not flag) and config.constant(key, None) is not None and key in config.certain:
            verdicts.append(Verdict(OK, f"ignored where {name} is false, where v1 refused it: {key!r}"))
    if throughput is not UNKNOWN and throughput and config.constant("flops_per_sample", None) is None:
        verdicts.append(
            Verdict(ERROR, "is_log_throughput_enabled without 'flops_per_sample': refused at on_train_start")
        )
    return worst(_keys("key", config.certain, required, allowed, config.maybe, config.open), _values(config), *verdicts)


def core_config(config: Optional[Config]) -> Verdict:
    """The configuration of a core ``OneLogger``."""
    if config is None:
        return _NOT_WRITTEN
    known = {key: value for key in config.certain if (value := config.constant(key, None)) is not UNKNOWN}
    try:
        CoreConfig.read({key: value for key, value in known.items() if key in CORE_KEYS})
    except ValueError as error:
        return Verdict(ERROR, f"ValueError: {error}")
    if config.open or config.maybe - CORE_KEYS:
        return _NOT_WRITTEN
    unknown = set(config.keys) - CORE_KEYS
    return Verdict(WARNING, f"v1 had no {_listed(sorted(unknown))}: ignored") if unknown else Verdict()


def _values(config: Config) -> Verdict:
    """The values that are literals: kinds, and metadata with the name of a metric."""
    known = {key: config.constant(key, None) for key in config.certain}
    known = {key: _STAND_IN if value is UNKNOWN else value for key, value in known.items()}
    if "metadata" in known and config.constant("metadata", None) is UNKNOWN:
        known["metadata"] = dict.fromkeys(config.inner.get("metadata", []), 1)
    try:
        job = Job(V1Config(known), NamedTimer(None))
        for _, row in job.construction():
            job.with_metadata(row)
    except ValueError as error:
        return Verdict(ERROR, f"ValueError: {error}")
    except Exception:  # a stand-in does not fit: nothing is known about these values
        return Verdict()
    return Verdict()


# -- calls on objects ------------------------------------------------------------------------------------------


def utils_call(call: cst.Call, name: str, config: Optional[Config], certain: bool) -> Optional[Verdict]:
    """``x.on_...(...)`` on a ``OneLoggerUtils``; None if it is none of its calls. ``certain``: x is known to be one."""
    if name in MINIMAL_SCHEMA_CALLBACK_ARGS and name != "initialize":
        return worst(_callback(call, name), _with_config(call, name, config))
    if name in STEP_CALLBACKS:
        other = Verdict(WARNING, f"only v1 {STEPS} had it: set {VARIABLE}={STEPS} for its rows")
        return worst(_callback(call, name), *([] if named(os.environ) == STEPS else [other]))
    if name == "finish":
        return _bound(OneLoggerUtils.finish, call)
    if not certain or name in _UTILS_ATTRIBUTES or name.startswith("__") or hasattr(OneLoggerUtils, name):
        return None
    return Verdict(ERROR, f"AttributeError: OneLoggerUtils {named(os.environ) or DEFAULT} has no {name!r}")


def event_call(call: cst.Call, name: str, config: Optional[Config]) -> Optional[Verdict]:
    """A v1 callback that is called on a ``TimeEventCallback`` itself."""
    return utils_call(call, name, config, certain=False) if name in _EVENT_CALLS else None


def core_call(call: cst.Call, name: str, certain: bool) -> Optional[Verdict]:
    """``x.log_metrics(...)`` and the like on a core ``OneLogger``."""
    if name in _CORE_CALLS:
        return _bound(getattr(OneLogger, name), call)
    return Verdict(ERROR, f"AttributeError: v1's OneLogger has no {name!r}") if certain else None


def _callback(call: cst.Call, name: str) -> Verdict:
    positional = [one for one in call.args if one.keyword is None and one.star != "**"]
    if len(positional) > 1:
        return Verdict(ERROR, f"TypeError: {len(positional)} positional arguments; v1 took set_barrier only")
    given = {one.keyword.value for one in call.args if one.keyword is not None} - {"set_barrier"}
    required, allowed = _expected(name)
    return _keys("argument", given, required, allowed, set(), any(one.star for one in call.args))


def _with_config(call: cst.Call, name: str, config: Optional[Config]) -> Verdict:
    """What a callback needs from the configuration of its object."""
    if config is None:
        return Verdict()
    if name in _SAVES and config.constant("is_save_checkpoint_enabled", True) is False:
        return Verdict(ERROR, "AssertionError: is_save_checkpoint_enabled is False")
    barrier = [one.value for one in call.args if one.keyword is None or one.keyword.value == "set_barrier"]
    wanted = bool(barrier) and literal(barrier[0]) is True
    if wanted and name != "on_save_checkpoint_success" and config.constant("barrier", None) is None:
        return Verdict(ERROR, "RuntimeError: set_barrier, and the configuration has no barrier")
    return Verdict()


def _bound(function: Any, call: cst.Call) -> Verdict:
    if any(one.star for one in call.args):
        return Verdict(NOT_JUDGED, "its arguments are not written out")
    positional = [one for one in call.args if one.keyword is None]
    keywords = {one.keyword.value: None for one in call.args if one.keyword is not None}
    try:
        inspect.signature(function).bind(None, *positional, **keywords)
    except TypeError as error:
        return Verdict(ERROR, f"TypeError: {error}")
    return Verdict()


def _expected(callback: str) -> tuple[set[str], set[str]]:
    table = MINIMAL_SCHEMA_CALLBACK_ARGS.get(callback) or {"required": set(), "optional": set()}
    return set(table["required"]), table["required"] | table["optional"]


def _keys(noun: str, names: set[str], required: set[str], allowed: set[str], maybe: set[str], is_open: bool) -> Verdict:
    """``maybe``: names that may be there or not; ``is_open``: there may be more."""
    reasons = []
    missing = required - names
    if missing - maybe and not is_open:
        reasons.append(f"missing {noun} {_listed(sorted(missing - maybe))}")
    if names - allowed:
        reasons.append(f"unknown {noun} {_listed(sorted(names - allowed))}")
    if reasons:
        return Verdict(ERROR, f"ValueError: {'; '.join(reasons)}")
    uncertain = (missing & maybe) | (maybe - allowed)
    if uncertain and not is_open:
        return Verdict(NOT_JUDGED, f"{noun} {_listed(sorted(uncertain))} may be there or not")
    return Verdict(NOT_JUDGED, f"it may have more than the {noun}s in this file") if is_open else Verdict()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name.rstrip("?")) for name in names)

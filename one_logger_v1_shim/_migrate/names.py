"""v1's import names: what each module had, and the shim's name for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from .._noedit import _TARGETS
from .._v1.schema import MINIMAL_SCHEMA_CALLBACK_ARGS

#: v1's top-level module -> the shim's module
ROOTS: dict[str, str] = dict(_TARGETS)

#: the shim's top-level module
SHIM = ROOTS["one_logger"]

_UTILS = {
    "OneLoggerUtils": "OneLoggerUtils",
    "VERSION": "",
    "MINIMAL_SCHEMA_CALLBACK_ARGS": "",
    "THROUGHPUT_CALLBACK_ARGS": "",
    "CHECKPOINT_CALLBACK_ARGS": "",
}
_LIGHTNING = {
    "TimeEventCallback": "lightning.TimeEventCallback",
    "AugmentedAsyncCheckpointIO": "lightning.AugmentedAsyncCheckpointIO",
    "OneLoggerPTLTrainer": "lightning.OneLoggerPTLTrainer",
    "hook_trainer_cls": "lightning.hook_trainer_cls",
}

#: v1's modules -> their public names -> what the name stands for (a key of :data:`PARAMETERS`, or "")
MODULES: dict[str, dict[str, str]] = {
    "one_logger": {"OneLogger": "OneLogger"},
    "one_logger.core": {"OneLogger": "OneLogger"},
    "one_logger.rankpulse": {"start": "rankpulse.start", "stop": "rankpulse.stop"},
    "one_logger_utils": _UTILS,
    "one_logger_utils.core": _UTILS,
    "one_logger_utils.huggingface": {
        "TimeEventCallback": "huggingface.TimeEventCallback",
        "hook_trainer_cls": "huggingface.hook_trainer_cls",
    },
    "one_logger_utils.nemo": {
        "OneLoggerNemoModel": "nemo.OneLoggerNemoModel",
        "get_hooked_model": "nemo.get_hooked_model",
        "hook_model_cls": "nemo.hook_model_cls",
    },
    "one_logger_utils.pytorch_lightning": _LIGHTNING,
    "one_logger_utils.ptl": _LIGHTNING,
}

#: what can be called -> its parameters in order; "?" marks those that may be left out
PARAMETERS: dict[str, tuple[str, ...]] = {
    "OneLogger": ("config?",),
    "OneLoggerUtils": ("config",),
    "huggingface.TimeEventCallback": ("callback_config?",),
    "huggingface.hook_trainer_cls": ("trainer_cls", "one_logger_callback_utils"),
    "lightning.AugmentedAsyncCheckpointIO": ("checkpoint_io?",),
    "lightning.OneLoggerPTLTrainer": ("trainer_config", "callback_config?"),
    "lightning.TimeEventCallback": ("callback_config?",),
    "lightning.hook_trainer_cls": ("cls", "callback_config?", "one_logger_callback_utils?"),
    "nemo.OneLoggerNemoModel": ("model_class", "trainer", "cfg"),
    "nemo.get_hooked_model": ("model_class", "cfg", "trainer"),
    "nemo.hook_model_cls": ("model_cls", "trainer"),
    "rankpulse.start": ("interval_seconds?", "twindow_seconds?", "enable_gpu_debug_info?"),
    "rankpulse.stop": ("timeout_seconds?",),
}

#: keys of the core's configuration
CORE_KEYS = frozenset(
    {
        "project", "name", "async", "quiet", "no_exception", "entity", "host", "api_key", "tags", "save_dir", "wandb",
        "enable_one_logger", "is_baseline_run",
    }
)  # fmt: skip
#: and of both
CONFIG_KEYS = CORE_KEYS.union(*MINIMAL_SCHEMA_CALLBACK_ARGS["initialize"].values())

#: v1's module -> the extra of this package that its framework needs
EXTRAS = {
    "one_logger_utils.huggingface": "huggingface",
    "one_logger_utils.pytorch_lightning": "lightning",
    "one_logger_utils.ptl": "lightning",
}


@dataclass(frozen=True)
class Reference:
    """A dotted name below one of v1's modules."""

    #: the longest module of v1 that the name begins with
    module: str
    #: the rest, in parts: ``("OneLogger", "log_metrics")``; empty for the module itself
    rest: tuple[str, ...] = ()

    @property
    def root(self) -> str:
        """v1's top-level module."""
        return self.module.partition(".")[0]

    @property
    def known(self) -> bool:
        """Whether the shim has what is named. (Attributes of a class are not looked at.)"""
        return not self.rest or self.rest[0] in MODULES[self.module]

    @property
    def thing(self) -> str:
        """The key of :data:`PARAMETERS` that the whole name stands for, or ""."""
        return MODULES[self.module].get(self.rest[0], "") if len(self.rest) == 1 else ""

    @property
    def dotted(self) -> str:
        """v1's name."""
        return ".".join([self.module, *self.rest])


def reference(dotted: str) -> Optional[Reference]:
    """What ``dotted`` means below v1's modules, under v1's names or the shim's; None if it is neither."""
    name = v1_name(dotted)
    if name is None:
        return None
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        if module in MODULES:
            return Reference(module, tuple(parts[length:]))
    return None


def v1_name(dotted: str) -> Optional[str]:
    """v1's name for ``dotted``, which may already be the shim's; None for what v1 did not have."""
    if dotted.partition(".")[0] in ROOTS:
        return dotted
    for old, new in sorted(ROOTS.items(), key=lambda pair: -len(pair[1])):
        if dotted == new or dotted.startswith(new + "."):
            name = old + dotted[len(new) :]
            first = name.partition(".")[2].partition(".")[0]
            # The shim's top-level module has names of its own, which are none of v1's.
            known = not first or first in MODULES[old] or f"{old}.{first}" in MODULES
            return name if known or old != "one_logger" else None
    return None


def is_swapped(dotted: str) -> bool:
    """Whether this is the shim's own name already."""
    return dotted.partition(".")[0] not in ROOTS


_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_][\w.]*)?")


def in_string(text: str, names_a_module: bool) -> Optional[Reference]:
    """What a string names: ``"one_logger_utils.core.OneLoggerUtils"``, also as ``"module:name"``.

    ``names_a_module``: the string stands where only a module can be meant (``importlib.import_module(...)``).
    Elsewhere ``"one_logger"`` may be any attribute or key, so that a name which v1 had must follow.
    """
    if text.partition(".")[0].partition(":")[0] not in ROOTS or not _DOTTED.fullmatch(text):
        return None
    found = reference(text.replace(":", "."))
    if found is None or names_a_module:
        return found
    return found if found.known and ("." in text or ":" in text) else None


#: functions that import a module by its name, and give that module
IMPORT_FUNCTIONS = frozenset(
    {"import_module", "importlib.import_module", "pytest.importorskip", "importorskip", "__import__"}
)

#: functions whose first argument can only be the name of a module
MODULE_FUNCTIONS = IMPORT_FUNCTIONS | {
    "importlib.__import__", "importlib.util.find_spec", "find_spec", "importlib.find_loader", "pkgutil.find_loader",
    "pkgutil.get_loader", "pkgutil.resolve_name", "runpy.run_module", "run_module", "types.ModuleType", "ModuleType",
    "sys.modules.get", "sys.modules.pop", "sys.modules.setdefault",
}  # fmt: skip

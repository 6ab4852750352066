"""What each call of v1 becomes in a program that uses v2 or OpenTelemetry itself: a table, and what reads it.

``docs/leaving.md`` is made from it, and ``scan --report`` looks a tree's calls up in it.
"""

from __future__ import annotations

from typing import NamedTuple

from .findings import ERROR, FILE, IMPORT, PIN, STRING, SUBCLASS, Finding


class Way(NamedTuple):
    """What one thing of v1's becomes.

    Attributes:
        v2: v2's callback (``nv_one_logger.training_telemetry.api.callbacks``), "" where v2 has none.
        otel: what it is in OpenTelemetry, where v2's spans and events keep their names; "" where nothing is left of it.
        note: what else there is to do.
    """

    v2: str
    otel: str = ""
    note: str = ""


def _phase(v1: str, v2: str, span: str, note: str = "") -> dict[str, Way]:
    return {
        f"{v1}_start": Way(f"{v2}_start", f"span `{span}` starts", note),
        f"{v1}_end": Way(f"{v2}_end", f"span `{span}` ends"),
    }


_ITERATION = "v2 exports it only if its export customization names it; progress is in the event "

#: v1's callbacks (``OneLoggerUtils``) and the core's methods (``OneLogger``), by name
CALLS: dict[str, Way] = {
    **_phase("on_app", "on_app", "application", "`app_start_time` is `start_time_msec`, at most ten minutes old"),
    **_phase("on_model_init", "on_model_init", "model_initialization"),
    **_phase("on_dataloader_init", "on_dataloader_init", "data_loader_initialization"),
    **_phase("on_optimizer_init", "on_optimizer_init", "optimizer_initialization"),
    **_phase("on_load_checkpoint", "on_load_checkpoint", "checkpoint_load"),
    **_phase("on_train", "on_train", "training_loop", "needs a `TrainingTelemetryConfig`"),
    **_phase(
        "on_train_batch",
        "on_training_single_iteration",
        "training_single_iteration",
        _ITERATION + "`training_metrics_update`",
    ),
    **_phase(
        "on_train_step",
        "on_training_single_iteration",
        "training_single_iteration",
        "only in v1 1.0.3; v2 has one kind of iteration: call it for batches or for steps",
    ),
    **_phase("on_validation", "on_validation", "validation_loop"),
    **_phase(
        "on_validation_batch",
        "on_validation_single_iteration",
        "validation_single_iteration",
        _ITERATION + "`validation_metrics_update`",
    ),
    **_phase("on_test", "on_testing", "testing_loop"),
    "on_save_checkpoint_start": Way(
        "on_save_checkpoint_start", "span `checkpoint_save_sync` starts", "or `checkpoint_save_async`"
    ),
    "on_save_checkpoint_success": Way(
        "on_save_checkpoint_success", "event `save_checkpoint_success`", "for a sync save, before its end"
    ),
    "on_save_checkpoint_end": Way(
        "on_save_checkpoint_end", "span `checkpoint_save_sync` ends", "v2's callback has no `global_step`"
    ),
    "finish": Way("on_app_end", "`shutdown()` of the providers", "v2 closes its exporters there and has no `atexit`"),
    "log_metrics": Way("", "gauge", "v2 has no custom metrics; use attributes of events on spans"),
    "log_app_tag": Way("", "resource attribute", "`perf_tag_or_fn` of v2's `TrainingTelemetryConfig`"),
    "store_set": Way("", note="a variable of your own"),
    "store_get": Way("", note="a variable of your own"),
    "store_has_key": Way("", note="a variable of your own"),
    "store_pop": Way("", note="a variable of your own"),
    "get_context_manager": Way("", note="`error_handling_strategy` of v2's `OneLoggerConfig`"),
}

#: constructions and functions, by their key in ``names.PARAMETERS``, and the modules that are imported for them
THINGS: dict[str, Way] = {
    "OneLogger": Way("", note="`TrainingTelemetryProvider.instance().with_base_config(...)`, once in a process"),
    "OneLoggerUtils": Way("", note="the same; `ConfigAdapter` makes v2's configuration of v1's (docs/leaving.md)"),
    "lightning.TimeEventCallback": Way("", note="v2's `TimeEventCallback`, which needs Lightning before 2.6"),
    "lightning.hook_trainer_cls": Way("", note="v2's `hook_trainer_cls`, which needs Lightning before 2.6"),
    "lightning.OneLoggerPTLTrainer": Way("", note="v2's `OneLoggerPTLTrainer`, which needs Lightning before 2.6"),
    "lightning.AugmentedAsyncCheckpointIO": Way("", note="nothing: report the success of an async save yourself"),
    "huggingface.TimeEventCallback": Way("", note="v2 has nothing for Hugging Face: a `TrainerCallback` of your own"),
    "huggingface.hook_trainer_cls": Way("", note="v2 has nothing for Hugging Face: a `TrainerCallback` of your own"),
    "nemo.OneLoggerNemoModel": Way("", note="NeMo's own OneLogger callback (docs/nemo.md)"),
    "nemo.get_hooked_model": Way("", note="NeMo's own OneLogger callback (docs/nemo.md)"),
    "nemo.hook_model_cls": Way("", note="NeMo's own OneLogger callback (docs/nemo.md)"),
    "rankpulse.start": Way("", note="nothing: it can be removed"),
    "rankpulse.stop": Way("", note="nothing: it can be removed"),
}

#: what v2 has no counterpart of: somebody has to write it
BY_HAND = frozenset({"log_metrics", "log_app_tag", "store_set", "store_get", "store_has_key", "store_pop"}) | frozenset(
    name for name in THINGS if name.startswith("huggingface.") or name.endswith("CheckpointIO")
)

#: module of v1 -> the kind of program that imports it
KINDS = {
    "one_logger": "core (`OneLogger`, as Megatron-LM)",
    "one_logger_utils": "callbacks (`OneLoggerUtils`)",
    "one_logger_utils.core": "callbacks (`OneLoggerUtils`)",
    "one_logger_utils.huggingface": "Hugging Face `Trainer`",
    "one_logger_utils.nemo": "NeMo",
    "one_logger_utils.pytorch_lightning": "Lightning",
    "one_logger_utils.ptl": "Lightning",
}

_CALLBACKS = "nv_one_logger.training_telemetry.api.callbacks"


def module(finding: Finding) -> str:
    """v1's module that an import names, or ""."""
    return finding.called if finding.kind == IMPORT else ""


def kind_of(name: str) -> str:
    """The kind of program that imports v1's module ``name``."""
    return KINDS.get(name) or KINDS.get(name.partition(".")[0], "")


class Becomes(NamedTuple):
    """What one finding becomes: in v2, in OpenTelemetry, and whether somebody has to write it."""

    v2: str
    otel: str
    by_hand: bool = False


def becomes(finding: Finding) -> Becomes:
    """What is to be done with one finding."""
    if finding.kind == PIN:
        return Becomes("`nv-one-logger-training-telemetry`, PyYAML", "`opentelemetry-sdk` and an exporter")
    if finding.kind == IMPORT:
        return _import(finding)
    if finding.kind == STRING:
        return Becomes("the new module's name; a guard can go", "the same")
    if finding.kind == SUBCLASS:
        return Becomes("v2 has functions, and no class to inherit from", "", True)
    if finding.kind == FILE:
        return Becomes("", "", True)
    way = CALLS.get(finding.called) or THINGS.get(finding.called)
    if way is None:
        return Becomes("only the running program knows", "", True)
    return Becomes(_v2(way, finding.what), way.otel, finding.called in BY_HAND)


def _import(finding: Finding) -> Becomes:
    name = module(finding)
    if not name:
        return Becomes("stays as it is", "OpenTelemetry's own")
    if finding.level == ERROR:
        return Becomes("v1 does not have it either", "", True)
    if name.endswith((".huggingface", ".rankpulse")):
        return Becomes("remove it", "remove it")
    if name.endswith((".pytorch_lightning", ".ptl")):
        return Becomes("`nv_one_logger.training_telemetry.integration.pytorch_lightning`", "a callback of your own")
    if name.endswith(".nemo"):
        return Becomes("remove it: NeMo has a callback of its own", "a callback of your own")
    return Becomes(f"`{_CALLBACKS}`", "`opentelemetry`")


def _v2(way: Way, what: str) -> str:
    said = [f"`{way.v2}`"] if way.v2 else []
    said += [way.note] if way.note else []
    if "set_barrier" in what:
        said.append("call your barrier before it")
    return "; ".join(said)


def table() -> str:
    """The table of ``docs/leaving.md``."""
    lines = ["| v1 | v2 | OpenTelemetry | what else |", "|---|---|---|---|"]
    for name, way in CALLS.items():
        v2 = f"`{way.v2}`" if way.v2 else "by hand" if name in BY_HAND else "remove it"
        lines.append(f"| `{name}` | {v2} | {way.otel} | {way.note} |")
    return "\n".join(lines)

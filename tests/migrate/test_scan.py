"""``scan``: what it finds, and what it says of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import CONFIG

from .trees import Commands, plant

KEYS = {key: repr(value) for key, value in CONFIG.items()}


def config(**changes: object) -> str:
    """The smallest configuration as source; None leaves a key out, a str is an expression."""
    keys: dict[str, Any] = {**KEYS, **changes}
    return "{" + ", ".join(f"{key!r}: {value}" for key, value in keys.items() if value is not None) + "}"


def verdict(commands: Commands, tmp_path: Path, text: str, kind: str = "construction") -> tuple[str, str]:
    """Level and reason of the last finding of a kind."""
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    found = [one for one in commands.scan(path) if one["kind"] == kind]
    assert found, commands("scan", path).out
    return found[-1]["level"], found[-1]["why"]


U = "from one_logger_utils import OneLoggerUtils\n"

CONFIGS = {
    "complete": (config(), "ok", ""),
    "a missing key": (config(world_size=None), "error", "ValueError: missing key 'world_size'"),
    "an unknown key": (config(wandb_project="1"), "error", "ValueError: unknown key 'wandb_project'"),
    "both": (
        config(world_size=None, app_tag=None, x="1"),
        "error",
        "ValueError: missing key 'app_tag', 'world_size'; unknown key 'x'",
    ),
    "an unknown value": (config(world_size="n"), "ok", ""),
    "no number": (config(world_size="'many'"), "error", "world_size='many'"),
    "a numeric string": (config(world_size="'8'"), "ok", ""),
    "disabled": ("{'enable_for_current_rank': False, 'x': 1}", "ok", "logs nothing"),
    "no flag, as boltz-cp": ("{'global_batch_size': n, 'project': p}", "ok", "logs nothing"),
    "empty, as NeMo's inference": ("{}", "ok", "logs nothing"),
    "checkpoints off, and a strategy": (
        config(is_save_checkpoint_enabled="False", save_checkpoint_strategy="'sync'"),
        "ok",
        "ignored where is_save_checkpoint_enabled is false",
    ),
    "checkpoints off, strategy None": (
        config(is_save_checkpoint_enabled="False", save_checkpoint_strategy="None"), "ok", "",
    ),
    "checkpoints off at run time": (
        config(is_save_checkpoint_enabled="x", save_checkpoint_strategy="'sync'"),
        "ok",
        "ignored where is_save_checkpoint_enabled is false",
    ),
    "throughput without flops": (config(is_log_throughput_enabled="True"), "error", "without 'flops_per_sample'"),
    "throughput": (config(is_log_throughput_enabled="True", flops_per_sample="1"), "ok", ""),
    "flops without throughput": (config(flops_per_sample="1"), "ok", "ignored where is_log_throughput_enabled is"),
    "metadata": (config(metadata="{'mine': x}"), "ok", ""),
    "metadata with a metric's name": (config(metadata="{'world_size': x}"), "error", "Metadata overlap"),
    "open": ("{**base, 'x': 1}", "error", "unknown key 'x'"),
    "open, and nothing unknown": ("{**base, 'world_size': 1}", "not judged", "it may have more"),
    "dict()": (f"dict({config()}, x=1)", "error", "unknown key 'x'"),
    "a union": (f"{config()} | {{'x': 1}}", "error", "unknown key 'x'"),
    "not written out": ("load()", "not judged", "not written out in this file"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "level", "why"), CONFIGS.values(), ids=list(CONFIGS))
@pytest.mark.parametrize("form", ["{u}(%s)", "config = %s\n{u}(config)", "config = %s\n{u}(config=config)"])
def test_configuration(form: str, text: str, level: str, why: str, tmp_path: Path, commands: Commands) -> None:
    program = U + form.format(u="OneLoggerUtils") % text
    found = verdict(commands, tmp_path, program)
    assert found[0] == level, found
    assert why in found[1]
    assert bool(why) == bool(found[1])


WAYS = {
    "another name of the class": "U = OneLoggerUtils\nU({'enable_for_current_rank': True, 'x': 1})",
    "in a with": "with suppress():\n    u = OneLoggerUtils({'enable_for_current_rank': True, 'x': 1})",
}


@pytest.mark.parametrize("text", WAYS.values(), ids=list(WAYS))
def test_configuration_is_followed(text: str, tmp_path: Path, commands: Commands) -> None:
    level, why = verdict(commands, tmp_path, U + text)
    assert level == "error"
    assert "unknown key 'x'" in why
    assert "missing key 'app_tag'" in why


CALLS = {
    "no arguments": ("on_app_start()", "ok", ""),
    "an instant": ("on_app_start(app_start_time=1)", "ok", ""),
    "a barrier": ("on_model_init_start(False)", "ok", ""),
    "a barrier that the configuration has not": (
        "on_model_init_start(set_barrier=True)",
        "error",
        "RuntimeError: set_barrier",
    ),
    "an unknown argument": ("on_app_start(start=1)", "error", "ValueError: unknown argument 'start'"),
    "a missing argument": ("on_train_start()", "error", "ValueError: missing argument 'train_iterations_start'"),
    "a missing step": ("on_save_checkpoint_end()", "error", "missing argument 'global_step'"),
    "positional": ("on_train_start(True, 0)", "error", "TypeError: 2 positional arguments"),
    "not written out": ("on_train_start(**kw)", "not judged", "it may have more than the arguments"),
    "unknown, beside such": ("on_train_start(x=1, **kw)", "error", "unknown argument 'x'"),
    "v1's misspelt argument": (
        "on_dataloader_init_start(app_build_dataiter_start_time=1)",
        "error",
        "unknown argument",
    ),
    "only in version 1.0.3": ("on_train_step_start()", "warning", "only v1 1.0.3 had it: set ONE_LOGGER_V1_WIRE=1.0.3"),
    "that, with an argument": ("on_train_step_end(step=1)", "error", "ValueError: unknown argument 'step'"),
    "in no version": ("on_train_epoch_start()", "error", "AttributeError: OneLoggerUtils 1.0.2 has no"),
    "finish": ("finish()", "ok", ""),
    "finish with an argument": ("finish(1)", "error", "TypeError: too many positional arguments"),
}

RECEIVERS = {
    "a variable": "u = OneLoggerUtils({config})\nu.{call}",
    "directly": "OneLoggerUtils({config}).{call}",
    "an attribute": "class A:\n    def __init__(self):\n        self.x = OneLoggerUtils({config})\n"
    "    def f(self):\n        self.x.{call}",
    "a fallback": "u = OneLoggerUtils({config}) if rank == 0 else None\nif u is not None: u.{call}",
    "a function of the file": "def get():\n    return _U\n_U = OneLoggerUtils({config})\nget().{call}",
    "a with": "with OneLoggerUtils({config}) as u:\n    u.{call}",
}


@pytest.mark.parametrize(("call", "level", "why"), CALLS.values(), ids=list(CALLS))
@pytest.mark.parametrize("receiver", RECEIVERS.values(), ids=list(RECEIVERS))
def test_callback(receiver: str, call: str, level: str, why: str, tmp_path: Path, commands: Commands) -> None:
    program = U + receiver.replace("{config}", config()).replace("{call}", call)
    found = verdict(commands, tmp_path, program, "call")
    assert found[0] == level, found
    assert why in found[1]


def test_checkpoint_callbacks_while_checkpoints_are_off(tmp_path: Path, commands: Commands) -> None:
    text = (
        U
        + f"u = OneLoggerUtils({config(is_save_checkpoint_enabled='False')})\nu.on_save_checkpoint_start(global_step=1)"
    )
    assert verdict(commands, tmp_path, text, "call") == ("error", "AssertionError: is_save_checkpoint_enabled is False")


CORE = {
    "Megatron's": ("OneLogger(config={'project': p, 'name': None, 'async': True})", "construction", "ok", ""),
    "nothing": ("OneLogger()", "construction", "ok", ""),
    "nested": ("OneLogger({'wandb': {'project': p}, 'enable_one_logger': True})", "construction", "ok", ""),
    "an unknown key": ("OneLogger({'tag': 1})", "construction", "warning", "v1 had no 'tag': ignored"),
    "a bad project": ("OneLogger({'project': 'a/b'})", "construction", "error", "ValueError: "),
    "a wrong keyword": ("OneLogger(cfg={})", "construction", "error", "TypeError: argument 'cfg'"),
    "a row": ("OneLogger().log_metrics({'a': 1})", "call", "ok", ""),
    "two rows": ("OneLogger().log_metrics({}, {})", "call", "error", "TypeError: "),
    "no such method": ("OneLogger().log({})", "call", "error", "AttributeError: v1's OneLogger has no 'log'"),
}


@pytest.mark.parametrize(("text", "kind", "level", "why"), CORE.values(), ids=list(CORE))
def test_core(text: str, kind: str, level: str, why: str, tmp_path: Path, commands: Commands) -> None:
    found = verdict(commands, tmp_path, f"from one_logger import OneLogger\n{text}", kind)
    assert found[0] == level, found
    assert why in found[1]


FRAMEWORKS = {
    "VILA": (
        "from one_logger_utils.huggingface import TimeEventCallback, hook_trainer_cls\n"
        "cb = TimeEventCallback({config})\ncb.on_save_checkpoint_start(step=1)",
        "unknown argument 'step'",
    ),
    "a hook's keyword": (
        "from one_logger_utils.huggingface import hook_trainer_cls\nhook_trainer_cls(Trainer, callback=cb)",
        "TypeError: argument 'callback'",
    ),
    "CodonFM": (
        "from one_logger_utils.pytorch_lightning import hook_trainer_cls\n"
        "Hooked, cb = hook_trainer_cls(Trainer, callback_config={config})\ncb.on_load_checkpoint_start(x=1)",
        "unknown argument 'x'",
    ),
    "NeMo": (
        "from one_logger_utils.ptl import OneLoggerPTLTrainer\n"
        "t = OneLoggerPTLTrainer(trainer_config={}, callback_config={config})\n"
        "t.time_event_callback.logtimeevent.on_train_start()",
        "missing argument 'train_iterations_start'",
    ),
    "nemo": (
        "from one_logger_utils.nemo import get_hooked_model\nget_hooked_model(model_class=M, cfg=c)",
        "TypeError: missing 'trainer'",
    ),
}


@pytest.mark.parametrize(("text", "why"), FRAMEWORKS.values(), ids=list(FRAMEWORKS))
def test_frameworks(text: str, why: str, tmp_path: Path, commands: Commands) -> None:
    level, found = verdict(commands, tmp_path, text.replace("{config}", config()), "call")
    assert level == "error"
    assert why in found


def test_a_trainers_own_calls_are_not_v1s(tmp_path: Path, commands: Commands) -> None:
    text = "from one_logger_utils.ptl import TimeEventCallback as T\ncb = T({})\ncb.on_train_start(trainer, module)\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    assert [one["kind"] for one in commands.scan(path)] == ["import", "construction"]


IMPORTS = {
    "in try": "try:\n    from one_logger import OneLogger\nexcept ImportError:\n    OneLogger = None\n",
    "in a function": "def f():\n    import one_logger_utils.core\n",
    "a dotted use": "import one_logger.core\none_logger.core.OneLogger()\n",
    "importlib": "import importlib\nimportlib.import_module('one_logger').OneLogger()\n",
    "getattr": "import importlib\ngetattr(importlib.import_module('one_logger'), 'OneLogger')()\n",
    "sys.modules": "import sys\nsys.modules['one_logger'].OneLogger()\n",
    "a star": "from one_logger_utils import *\nOneLoggerUtils({})\n",
    "a string": "mock.patch('one_logger.OneLogger')\n",
}


@pytest.mark.parametrize("text", IMPORTS.values(), ids=list(IMPORTS))
def test_ways_in(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    kinds = [one["kind"] for one in commands.scan(path)]
    assert {"import", "string"} & set(kinds)
    assert ("construction" in kinds) == ("()" in text.split("\n")[-2] or "({})" in text)
    assert commands("scan", path).code == 0


def test_by_name_only_where_v1_is_used(tmp_path: Path, commands: Commands) -> None:
    """Megatron's files use an object that another file has made; a tree without v1 may have one of that name, too."""
    other = "def train(one_logger):\n    one_logger.log_metrics({'a': 1})\n    one_logger.on_train_start(iteration=1)\n"
    tree = plant(tmp_path, {"train.py": other})
    assert commands("scan", tree).code == 2
    plant(tmp_path, {"base.py": "from one_logger import OneLogger\n"})
    found = [(one["file"][-8:], one["line"], one["level"]) for one in commands.scan(tree)]
    assert found == [("/base.py", 1, "ok"), ("train.py", 2, "ok"), ("train.py", 3, "warning")]


def test_megatrons_own_module_is_not_v1(tmp_path: Path, commands: Commands) -> None:
    text = (
        "from one_logger import OneLogger\nfrom . import one_logger_utils\nfrom .g import get_one_logger\n"
        "one_logger_utils.on_train_start(iteration=1, consumed_train_samples=2)\n"
        "one_logger = get_one_logger()\none_logger.log_metrics({})\n"
    )
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    assert [(one["line"], one["level"]) for one in commands.scan(path)] == [(1, "ok"), (6, "ok")]


def test_the_trees_own_module(tmp_path: Path, commands: Commands) -> None:
    """A module of the tree that has v1's name is found first, by Python and so here."""
    files = {
        "train/one_logger.py": "from one_logger_utils.core import OneLoggerUtils\ndef get(): pass\n",
        "train/run.py": "from one_logger import get\nimport one_logger.core\nget()\n",
        "other/run.py": "from one_logger import OneLogger\n",
    }
    tree = plant(tmp_path, files)
    why = {one["what"]: one["why"] for one in commands.scan(tree)}
    assert f"not v1: the tree's own {tmp_path / 'train/one_logger.py'}" in why["from one_logger import get"]
    assert why["from one_logger import OneLogger"] == ""
    result = commands("swap", "--write", tree)
    assert result.code == 1
    assert result.out.count("is the tree's own module here, and not v1") == 2
    assert (tree / "train/run.py").read_text() == files["train/run.py"]
    assert "one_logger_v1_shim.utils.core" in (tree / "train/one_logger.py").read_text()
    assert (tree / "other/run.py").read_text() == "from one_logger_v1_shim import OneLogger\n"


@pytest.mark.parametrize("own", ["one_logger/__init__.py", "src/one_logger/__init__.py", "one_logger.py"])
def test_own_module_at_the_top(own: str, tmp_path: Path, commands: Commands) -> None:
    tree = plant(tmp_path, {own: "", "pkg/run.py": "import one_logger\n"})
    assert commands("swap", tree).code == 1
    assert commands.scan(tree)[0]["why"].startswith("not v1: ")


def test_a_log_folder_is_no_module(tmp_path: Path, commands: Commands) -> None:
    tree = plant(tmp_path, {"one_logger/log.txt": "", "run.py": "import one_logger\n"})
    assert commands("swap", tree).code == 0


def test_subclass(tmp_path: Path, commands: Commands) -> None:
    body = "class A(OneLoggerUtils):\n    def {}(self): pass\n"
    assert verdict(commands, tmp_path, U + body.format("on_app_start"), "subclass") == ("ok", "")
    assert verdict(commands, tmp_path, U + body.format("_set_one_logger"), "subclass") == ("ok", "")
    level, why = verdict(commands, tmp_path, U + body.format("_log_metrics"), "subclass")
    assert (level, "_log_metrics" in why) == ("warning", True)


def test_after_the_swap(tmp_path: Path, commands: Commands) -> None:
    """The shim's own names are judged as v1's: the check is of use in CI after the move, too."""
    text = U + f"u = OneLoggerUtils({config(x='1')})\nu.on_train_start()\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    before = [(one["line"], one["level"]) for one in commands.scan(path)]
    commands("swap", "--write", path)
    assert (
        [(one["line"], one["level"]) for one in commands.scan(path)]
        == before
        == [(1, "ok"), (2, "error"), (3, "error")]
    )

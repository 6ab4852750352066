"""``scan``: v1's names by ``getattr`` and ``__import__``, and modules of the tree's own that have v1's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from .trees import Commands, plant


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nm = importlib.import_module('one_logger')\ngetattr(m, 'OneLogger')({})",
        "import one_logger\ngetattr(one_logger, 'OneLogger')({})",
        "import one_logger\nfound = getattr(one_logger.core, 'OneLogger')\nfound({})",
        "import sys, one_logger\nsys.modules['one_logger'].OneLogger({})",
        "m = __import__('one_logger.core')\nm.core.OneLogger({})",
    ],
)
def test_constructions_by_name(text: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": text + "\n"}) / "p.py"
    found = [one for one in commands.scan(path) if one["kind"] == "construction"]
    assert [(one["line"], one["level"]) for one in found] == [(text.count("\n") + 1, "ok")]


def test_getattr_of_something_else(tmp_path: Path, commands: Commands) -> None:
    text = "import one_logger\ngetattr(torch, 'OneLogger')({})\ngetattr(None, 'OneLogger')({})\n"
    path = plant(tmp_path, {"p.py": text}) / "p.py"
    assert [one["kind"] for one in commands.scan(path)] == ["import"]


OWN = "class OneLogger: pass\n"
USES = """\
from one_logger.core import OneLogger
import one_logger.core
import one_logger.other
class Mine(OneLogger):
    def _log(self): pass
OneLogger(1, 2, 3)
one_logger.core.OneLogger(1, 2, 3)
one_logger.other.nothing()
"""


def test_a_package_of_the_trees_own(tmp_path: Path, commands: Commands) -> None:
    files = {"one_logger/__init__.py": "", "one_logger/core.py": OWN, "p.py": USES}
    tree = plant(tmp_path, files)
    found = [one for one in commands.scan(tree) if one["file"].endswith("p.py")]
    assert [(one["kind"], one["level"]) for one in found if one["kind"] != "subclass"] == [("import", "ok")] * 3
    assert all("not v1: the tree's own" in one["why"] for one in found if one["kind"] == "import")


def test_the_same_program_without_it(tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": USES}) / "p.py"
    levels = [(one["line"], one["kind"], one["level"]) for one in commands.scan(path)]
    assert levels == [
        (1, "import", "ok"),
        (2, "import", "ok"),
        (3, "import", "error"),
        (4, "subclass", "warning"),
        (6, "construction", "error"),
        (7, "construction", "error"),
        (8, "call", "error"),
    ]


CALLS = {
    "one_logger": ["OneLogger()", "OneLogger(config={})"],
    "one_logger.core": ["OneLogger({})"],
    "one_logger.rankpulse": [
        "start()", "start(1, 2, True)", "start(interval_seconds=1, twindow_seconds=2, enable_gpu_debug_info=True)",
        "stop()", "stop(1)", "stop(timeout_seconds=1)",
    ],
    "one_logger_utils": ["OneLoggerUtils(c)", "OneLoggerUtils(config=c)"],
    "one_logger_utils.core": ["OneLoggerUtils(config=c)"],
    "one_logger_utils.huggingface": [
        "TimeEventCallback()", "TimeEventCallback(callback_config=c)", "hook_trainer_cls(T, x)",
        "hook_trainer_cls(trainer_cls=T, one_logger_callback_utils=x)",
    ],
    "one_logger_utils.nemo": [
        "OneLoggerNemoModel(M, t, c)", "OneLoggerNemoModel(model_class=M, trainer=t, cfg=c)",
        "get_hooked_model(M, c, t)", "get_hooked_model(model_class=M, cfg=c, trainer=t)", "hook_model_cls(M, t)",
        "hook_model_cls(model_cls=M, trainer=t)",
    ],
    "one_logger_utils.pytorch_lightning": [
        "TimeEventCallback(callback_config=c)", "AugmentedAsyncCheckpointIO()", "hook_trainer_cls(T)",
        "AugmentedAsyncCheckpointIO(checkpoint_io=x)", "OneLoggerPTLTrainer(c)", "hook_trainer_cls(cls=T)",
        "OneLoggerPTLTrainer(trainer_config=c, callback_config=c)",
        "hook_trainer_cls(cls=T, callback_config=c, one_logger_callback_utils=x)",
    ],
    "one_logger_utils.ptl": ["TimeEventCallback(c)", "OneLoggerPTLTrainer(c, c)"],
}  # fmt: skip
WRONG = {
    "OneLogger": "(1, 2)", "OneLoggerUtils": "()", "start": "(1, 2, 3, 4)", "stop": "(seconds=1)",
    "hook_trainer_cls": "()", "get_hooked_model": "(M, c)", "hook_model_cls": "(M)", "OneLoggerNemoModel": "(M, t)",
    "TimeEventCallback": "(config=c)", "AugmentedAsyncCheckpointIO": "(io=x)", "OneLoggerPTLTrainer": "()",
}  # fmt: skip


@pytest.mark.parametrize("module", CALLS)
def test_every_name_with_its_parameters(module: str, tmp_path: Path, commands: Commands) -> None:
    calls = CALLS[module]
    names = sorted({call.partition("(")[0] for call in calls})
    wrong = [name + WRONG[name] for name in names]
    text = "\n".join([f"from {module} import {', '.join(names)}", *calls, *wrong])
    path = plant(tmp_path, {"p.py": text + "\n"}) / "p.py"
    found = [(one["line"], one["kind"], one["level"] == "error") for one in commands.scan(path)]
    assert found[0] == (1, "import", False)
    everything = enumerate([*calls, *wrong], 2)
    kinds = {True: "construction", False: "call"}
    assert found[1:] == [(number, kinds[text[0].isupper()], number > len(calls) + 1) for number, text in everything]

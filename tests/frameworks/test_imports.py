"""What importing the framework modules costs, and what it says when the framework is not there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.support import run_python

needs_lightning = pytest.mark.skipif(
    importlib.util.find_spec("lightning") is None or importlib.util.find_spec("pytorch_lightning") is None,
    reason="NOT RUN: lightning is not installed (pip install 'one-logger-v1-shim[lightning]')",
)

ABSENT = """
import sys
for name in ("lightning", "lightning.pytorch", "pytorch_lightning", "transformers", "transformers.trainer_callback"):
    sys.modules[name] = None
"""


@pytest.mark.parametrize(
    ("module", "extra"), [("pytorch_lightning", "lightning"), ("ptl", "lightning"), ("huggingface", "huggingface")]
)
@pytest.mark.parametrize("package", ["one_logger_v1_shim.utils", "one_logger_utils"])
def test_an_absent_framework_is_an_import_error_that_names_the_extra(
    tmp_path: Path, package: str, module: str, extra: str
) -> None:
    run_python(
        f"""{ABSENT}
from one_logger_v1_shim._noedit import install
install()
try:
    import {package}.{module}
except ImportError as error:
    assert "pip install 'one-logger-v1-shim[{extra}]'" in str(error), error
else:
    raise AssertionError("imported")
""",
        tmp_path,
    )


def test_nemo_needs_nothing(tmp_path: Path) -> None:
    run_python(f"{ABSENT}\nimport one_logger_v1_shim.utils.nemo", tmp_path)


@needs_lightning
def test_ptl_is_the_same_module_under_both_packages(tmp_path: Path) -> None:
    run_python(
        """
from one_logger_v1_shim._noedit import install
install()
import one_logger_utils.ptl
import one_logger_v1_shim.utils.ptl
from one_logger_utils import ptl, pytorch_lightning
from one_logger_v1_shim.utils import pytorch_lightning as ours
assert ptl is pytorch_lightning is ours is one_logger_v1_shim.utils.ptl
assert ptl.OneLoggerPTLTrainer is ours.OneLoggerPTLTrainer
""",
        tmp_path,
    )


@needs_lightning
@pytest.mark.parametrize(
    ("users", "other"), [("pytorch_lightning", "lightning"), ("lightning.pytorch", "pytorch_lightning")]
)
def test_only_the_users_lightning_is_imported(tmp_path: Path, users: str, other: str) -> None:
    run_python(
        f"""
import importlib, sys
from one_logger_v1_shim.utils.pytorch_lightning import hook_trainer_cls  # before the user's import
assert not {{"torch", "lightning", "pytorch_lightning", "wrapt", "wandb", "nv_one_logger"}} & set(sys.modules)
pl = importlib.import_module({users!r})
hooked, callback = hook_trainer_cls(pl.Trainer, callback_config={{"global_batch_size": 8}})
assert isinstance(callback, pl.Callback) and issubclass(hooked, pl.Trainer)
assert {other!r} not in sys.modules
from one_logger_v1_shim.utils.pytorch_lightning import OneLoggerPTLTrainer
trainer = OneLoggerPTLTrainer(trainer_config={{"logger": False, "accelerator": "cpu"}}, callback_config={{}})
assert isinstance(trainer, pl.Trainer), type(trainer).__mro__
assert {other!r} not in sys.modules
assert not {{"wandb", "nv_one_logger"}} & set(sys.modules)
""",
        tmp_path,
    )

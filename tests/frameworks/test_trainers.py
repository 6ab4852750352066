"""The trainer classes themselves: what they take, what they keep, who they are."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

LIGHTNING = "NOT RUN: lightning is not installed (pip install 'one-logger-v1-shim[lightning]')"
QUIET = {"logger": False, "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def pl(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip("torch", reason=LIGHTNING)
    return pytest.importorskip(request.param, reason=LIGHTNING)


@pytest.fixture
def shim() -> Any:
    pytest.importorskip("lightning", reason=LIGHTNING)
    return importlib.import_module("one_logger_v1_shim.utils.pytorch_lightning")


@pytest.fixture(params=["wrapt", "no wrapt"])
def enabled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Callbacks whose core only listens: these tests are about classes. In isolated mode a job may have no wrapt."""
    if request.param == "no wrapt":
        monkeypatch.setitem(sys.modules, "wrapt", None)
    from one_logger_v1_shim.utils import OneLoggerUtils
    from tests.support import CONFIG, CoreSpy

    spy = CoreSpy()
    monkeypatch.setattr(OneLoggerUtils, "_set_one_logger", lambda self: setattr(self, "one_logger", spy))
    return CONFIG


def test_a_hooked_class_is_the_users_to_look_at(pl: Any, shim: Any, enabled: Any) -> None:
    before = dict(vars(pl.Trainer))
    hooked, callback = shim.hook_trainer_cls(pl.Trainer, callback_config=enabled)
    assert dict(vars(pl.Trainer)) == before
    assert isinstance(callback, pl.Callback)
    assert callback.callback_config is enabled
    assert issubclass(hooked, pl.Trainer)
    assert (hooked.__module__, hooked.__name__) == (pl.Trainer.__module__, "Trainer")
    assert inspect.signature(hooked) == inspect.signature(pl.Trainer)
    for name in ("__init__", "fit", "save_checkpoint"):
        assert inspect.signature(getattr(hooked, name)) == inspect.signature(getattr(pl.Trainer, name))
    trainer = hooked(**QUIET)
    assert trainer.time_event_callback is callback
    assert trainer.augmented_async_checkpoint_io is None
    assert sum(one is callback for one in trainer.callbacks) == 1
    assert isinstance(trainer.callbacks[-1], pl.callbacks.Checkpoint), "checkpoints are last"
    assert shim.hook_trainer_cls(hooked, one_logger_callback_utils=callback)[0] is hooked


def test_a_trainer_subclass_of_the_users_with_a_signature_of_its_own(pl: Any, shim: Any, enabled: Any) -> None:
    class Own(pl.Trainer):  # type: ignore[misc,name-defined]
        def __init__(self, epochs: int, **more: Any) -> None:
            super().__init__(max_epochs=epochs, **more)

    hooked, callback = shim.hook_trainer_cls(Own, enabled)
    trainer = hooked(3, **QUIET)
    assert trainer.max_epochs == 3
    assert callback in trainer.callbacks


def test_trainers_and_callbacks_can_be_copied_and_pickled(pl: Any, shim: Any, enabled: Any) -> None:
    hooked, callback = shim.hook_trainer_cls(pl.Trainer, enabled)
    trainer = hooked(**QUIET)
    other = pickle.loads(pickle.dumps(trainer))
    assert type(other) is hooked
    (theirs,) = [one for one in other.callbacks if type(one) is type(callback)]
    assert not theirs.enabled, "what is sent to another process does not log a second time"
    assert theirs.callback_config == enabled
    assert copy.deepcopy(callback).logtimeevent is callback.logtimeevent


def test_a_disabled_class_pickles(pl: Any, shim: Any) -> None:
    hooked, _ = shim.hook_trainer_cls(pl.Trainer, {})
    trainer = hooked(**QUIET)
    assert type(pickle.loads(pickle.dumps(trainer))) is hooked


@pytest.mark.parametrize("several", [False, True])
def test_the_users_callbacks_and_plugins_are_kept(pl: Any, shim: Any, enabled: Any, several: bool) -> None:
    theirs = pl.callbacks.Timer()
    own_io = pl.plugins.io.TorchCheckpointIO()
    config = {**QUIET, "callbacks": [theirs] if several else theirs, "plugins": [own_io] if several else own_io}
    given = dict(config)
    trainer = shim.OneLoggerPTLTrainer(
        trainer_config=config, callback_config={**enabled, "save_checkpoint_strategy": "async"}
    )
    assert isinstance(trainer, pl.Trainer)
    assert theirs in trainer.callbacks
    assert trainer.time_event_callback in trainer.callbacks
    io = trainer.augmented_async_checkpoint_io
    assert type(io).__name__ == "AugmentedAsyncCheckpointIO"
    assert trainer.strategy.checkpoint_io is io
    assert io.checkpoint_io is own_io
    assert config == given
    if several:
        assert config["callbacks"] == [theirs]


def test_an_io_that_the_strategy_has(pl: Any, shim: Any, enabled: Any) -> None:
    own_io = pl.plugins.io.TorchCheckpointIO()
    strategy = pl.strategies.SingleDeviceStrategy(device="cpu", checkpoint_io=own_io)
    trainer = shim.OneLoggerPTLTrainer(
        {**QUIET, "strategy": strategy}, {**enabled, "save_checkpoint_strategy": "async"}
    )
    assert trainer.augmented_async_checkpoint_io.checkpoint_io is own_io
    assert trainer.strategy.checkpoint_io is trainer.augmented_async_checkpoint_io


@pytest.mark.parametrize("config", [{}, None, {"global_batch_size": 8, "name": "run", "log_model": False}])
def test_a_configuration_without_the_flag(pl: Any, shim: Any, config: Any) -> None:
    hooked, callback = shim.hook_trainer_cls(pl.Trainer, callback_config=config)
    trainer = hooked(**QUIET, callbacks=[callback])
    assert trainer.time_event_callback is callback
    assert callback.logtimeevent.one_logger is None
    callback.on_load_checkpoint_start()
    callback.on_model_init_end()
    trainer.time_event_callback.logtimeevent.on_app_end()


def test_asynchronous_io(pl: Any, shim: Any, tmp_path: Path) -> None:
    import torch

    io = shim._make("AugmentedAsyncCheckpointIO", pl.__name__)(pl.plugins.io.TorchCheckpointIO())
    assert isinstance(io, pl.plugins.io.AsyncCheckpointIO)
    weights = torch.ones(3)
    io.save_checkpoint({"global_step": 1, "weights": weights}, tmp_path / "1")
    weights += 1  # training goes on
    io.save_checkpoint({"global_step": 2, "weights": weights}, tmp_path / "2")
    io.remove_checkpoint(tmp_path / "1")
    assert io.load_checkpoint(tmp_path / "2")["weights"].tolist() == [2, 2, 2]
    io.teardown()
    assert io.collect_finished_saves() == [1, 2]
    assert io.collect_finished_saves() == []
    assert not (tmp_path / "1").exists(), "removed after it was written"
    io.save_checkpoint({"global_step": 3}, tmp_path / "3")  # a second fit
    io.teardown()
    assert io.collect_finished_saves() == [3]


def test_asynchronous_io_takes_its_copy_at_once(pl: Any, shim: Any, tmp_path: Path) -> None:
    import threading

    import torch

    go = threading.Event()

    class Slow(pl.plugins.io.TorchCheckpointIO):  # type: ignore[misc,name-defined]
        def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
            assert go.wait(30)
            super().save_checkpoint(*args, **kwargs)

    io = shim._make("AugmentedAsyncCheckpointIO", pl.__name__)(Slow())
    weights = torch.ones(3)
    io.save_checkpoint({"global_step": 1, "weights": weights}, tmp_path / "1")
    weights += 1
    assert io.collect_finished_saves() == []
    go.set()
    assert io.load_checkpoint(tmp_path / "1")["weights"].tolist() == [1, 1, 1]
    assert io.collect_finished_saves() == [1]
    io.teardown()


def test_asynchronous_errors_surface_once(pl: Any, shim: Any, tmp_path: Path) -> None:
    class Full(pl.plugins.io.TorchCheckpointIO):  # type: ignore[misc,name-defined]
        def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
            raise OSError("no space left")

    io = shim._make("AugmentedAsyncCheckpointIO", pl.__name__)(Full())
    io.save_checkpoint({"global_step": 1}, tmp_path / "1")
    with pytest.raises(OSError, match="no space left"):
        io.teardown()
    io.teardown()
    assert io.collect_finished_saves() == []


def test_transformers_class() -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip(
        "transformers", reason="NOT RUN: transformers is not installed (pip install 'one-logger-v1-shim[huggingface]')"
    )
    from one_logger_v1_shim.utils import huggingface

    off = huggingface.TimeEventCallback({})
    assert huggingface.hook_trainer_cls(transformers.Trainer, one_logger_callback_utils=off) is transformers.Trainer
    assert isinstance(off, transformers.TrainerCallback)
    off.on_model_init_start()
    off.on_save_checkpoint_success(global_step=1)
    off.on_app_end()


def test_transformers_hooked_class(enabled: Any) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip(
        "transformers", reason="NOT RUN: transformers is not installed (pip install 'one-logger-v1-shim[huggingface]')"
    )
    from one_logger_v1_shim.utils import huggingface

    callback = huggingface.TimeEventCallback(enabled)
    before = dict(vars(transformers.Trainer))
    hooked = huggingface.hook_trainer_cls(transformers.Trainer, one_logger_callback_utils=callback)
    assert dict(vars(transformers.Trainer)) == before
    assert isinstance(hooked, type)
    assert issubclass(hooked, transformers.Trainer)
    assert inspect.signature(hooked) == inspect.signature(transformers.Trainer)
    for name in ("__init__", "train", "evaluate", "prediction_step"):
        assert inspect.signature(getattr(hooked, name)) == inspect.signature(getattr(transformers.Trainer, name))
    assert huggingface.hook_trainer_cls(hooked, one_logger_callback_utils=callback) is hooked

"""Hooks over a NeMo-shaped model class. NeMo is not needed, and neither is Lightning."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any, Optional

import pytest

from one_logger_v1_shim.utils.nemo import OneLoggerNemoModel, get_hooked_model, hook_model_cls
from tests.support import CONFIG, CoreSpy, run_python, utils_on


class Model:
    """A model."""

    def __init__(self, cfg: Any, trainer: Any = None) -> None:
        self.cfg = cfg
        self.trainer = trainer
        self.setup_training_data(cfg["train_ds"])

    def setup_training_data(self, train_data_config: Optional[dict[str, Any]]) -> str:
        if train_data_config is None:
            raise LookupError("no data")
        return "data"

    def configure_optimizers(self, *, lr: float = 0.1) -> float:
        return lr

    def maybe_init_from_pretrained_checkpoint(self, cfg: Any, map_location: str = "cpu") -> str:
        return map_location

    @classmethod
    def restore_from_pretrained_models(cls, cfg: Any, trainer: Any = None) -> Model:
        return cls(cfg, trainer)


@pytest.fixture
def spy() -> CoreSpy:
    return CoreSpy()


@pytest.fixture
def trainer(spy: CoreSpy) -> Any:
    utils = utils_on(spy, CONFIG)
    spy.take()
    return SimpleNamespace(time_event_callback=SimpleNamespace(logtimeevent=utils))


def keys(spy: CoreSpy) -> list[str]:
    return [key for row in spy.rows() for key in row]


DATA = ["app_build_dataiters_start_time", "app_build_dataiters_finish_time"]


def test_a_hooked_model(spy: CoreSpy, trainer: Any) -> None:
    model = get_hooked_model(model_class=Model, cfg={"train_ds": {}}, trainer=trainer)
    assert isinstance(model, Model)
    assert model.trainer is trainer
    assert keys(spy) == ["app_model_init_start_time", *DATA, "app_model_init_finish_time"]
    assert model.configure_optimizers(lr=0.5) == 0.5
    assert keys(spy) == ["app_build_optimizer_start_time", "app_build_optimizer_finish_time"]
    assert model.maybe_init_from_pretrained_checkpoint({}) == "cpu"
    assert keys(spy) == ["load_checkpoint_start_time", "load_checkpoint_finish_time", "load_checkpoint_time"]


def test_v1s_own_name_for_it(spy: CoreSpy, trainer: Any) -> None:
    model: Any = OneLoggerNemoModel(model_class=Model, cfg={"train_ds": {}}, trainer=trainer)
    assert isinstance(model, Model)
    assert keys(spy)[0] == "app_model_init_start_time"


def test_a_hooked_class(spy: CoreSpy, trainer: Any) -> None:
    hooked: Any = hook_model_cls(Model, trainer)
    assert keys(spy) == []
    model = hooked.restore_from_pretrained_models({"train_ds": {}}, trainer=trainer)
    assert isinstance(model, hooked)
    assert keys(spy) == DATA


def test_the_users_class_is_left_as_it_was(spy: CoreSpy, trainer: Any) -> None:
    before = dict(vars(Model))
    hooked: Any = hook_model_cls(Model, trainer)
    assert dict(vars(Model)) == before
    Model({"train_ds": {}}).configure_optimizers()
    assert keys(spy) == []
    # NeMo writes the name into its files and looks it up when it reads them
    assert (hooked.__module__, hooked.__qualname__, hooked.__doc__) == (Model.__module__, "Model", "A model.")


@pytest.mark.parametrize(
    "name", ["__init__", "setup_training_data", "configure_optimizers", "maybe_init_from_pretrained_checkpoint"]
)
def test_signatures_survive(trainer: Any, name: str) -> None:
    hooked: Any = hook_model_cls(Model, trainer)
    assert inspect.signature(getattr(hooked, name)) == inspect.signature(getattr(Model, name))
    assert inspect.signature(hooked) == inspect.signature(Model)


def test_a_phase_that_raises_ends(spy: CoreSpy, trainer: Any) -> None:
    with pytest.raises(LookupError, match="no data"):
        get_hooked_model(Model, {"train_ds": None}, trainer)
    assert keys(spy) == ["app_model_init_start_time", *DATA, "app_model_init_finish_time"]


def test_methods_that_the_class_does_not_have(spy: CoreSpy, trainer: Any) -> None:
    class Bare:
        def __init__(self, cfg: Any, trainer: Any) -> None: ...

    model = get_hooked_model(Bare, {}, trainer)
    assert not hasattr(model, "configure_optimizers")
    assert keys(spy) == ["app_model_init_start_time", "app_model_init_finish_time"]


def test_a_trainer_with_the_callback_in_its_list(spy: CoreSpy, trainer: Any) -> None:
    own = SimpleNamespace(callbacks=[object(), trainer.time_event_callback])
    get_hooked_model(Model, {"train_ds": {}}, own)
    assert DATA[0] in keys(spy)


def test_a_trainer_without_it_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    from one_logger_v1_shim._log import forget

    forget()
    for _ in range(2):
        assert isinstance(get_hooked_model(Model, {"train_ds": {}}, SimpleNamespace(callbacks=[])), Model)
    assert [record.message.count("time_event_callback") for record in caplog.records] == [1]


def test_a_rank_that_does_not_log() -> None:
    from one_logger_v1_shim.utils import OneLoggerUtils

    off = SimpleNamespace(time_event_callback=SimpleNamespace(logtimeevent=OneLoggerUtils({})))
    assert hook_model_cls(Model, off) is Model
    assert type(get_hooked_model(Model, {"train_ds": {}}, off)) is Model


def test_nothing_heavy_is_imported(tmp_path: Any) -> None:
    run_python(
        """
import sys
from types import SimpleNamespace
from one_logger_v1_shim.utils import OneLoggerUtils
from one_logger_v1_shim.utils.nemo import get_hooked_model
class Model:
    def __init__(self, cfg, trainer): pass
get_hooked_model(Model, {}, SimpleNamespace(time_event_callback=SimpleNamespace(logtimeevent=OneLoggerUtils({}))))
heavy = {"torch", "lightning", "pytorch_lightning", "transformers", "wandb", "nv_one_logger", "wrapt"}
heavy &= set(sys.modules)
assert not heavy, heavy
""",
        tmp_path,
    )

"""v2's private names, and what is done where v2 has renamed them."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.span import StandardSpanName
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.spans import StandardTrainingJobSpanName as Name
from nv_one_logger.training_telemetry.api.training_recorder import TrainingRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

from one_logger_v1_shim._v2 import private
from tests.v2.room import TRAINING, Heard, configured, in_thread, no_provider, stamp

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")

BARE = SimpleNamespace()  # a recorder with none of the names


def test_few_names() -> None:
    """Each is one that v2 may rename. There is no way around these; a tenth would have to be argued for."""
    assert len(private.NAMES) <= 9
    assert all(private.NAMES.values()), "what is done without it"


def test_no_other_module_touches_them() -> None:
    """A private name of v2 is an attribute of something that is not ours: ``self._x`` and ``cls._x`` are our own."""
    package = Path(private.__file__).parent.parent
    names = {name for name in private.NAMES if name.startswith("_")}
    found = []
    for path in [*sorted((package / "_v2").glob("*.py")), package / "_adapter.py", *package.glob("v1_*.py")]:
        if path.name == "private.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in names:
                ours = isinstance(node.value, ast.Name) and node.value.id == "self"
                found += [] if ours else [f"{path.name}:{node.lineno} {node.attr}"]
    assert found == []


def test_the_table_has_all_that_the_module_touches() -> None:
    tree = ast.parse(Path(private.__file__).read_text(encoding="utf-8"))
    touched = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "setattr"):
            touched |= {one.value for one in node.args[1:2] if isinstance(one, ast.Constant)}
    assert {
        name for name in touched if name.startswith("_") and not name.startswith("__")
    } - private.NAMES.keys() == set()


def test_closed() -> None:
    recorder = configured()
    assert private.is_closed(recorder) is False
    recorder.close()
    assert private.is_closed(recorder) is True
    assert private.is_closed(BARE) is False
    assert private.is_closed(SimpleNamespace(_closed=None)) is False


def test_thread_continues_the_nesting_of_the_process() -> None:
    heard = Heard()
    recorder = configured(heard)
    recorder.start(Name.TRAINING_LOOP, start_time=stamp(0))
    inner = recorder.start(Name.VALIDATION_LOOP, start_time=stamp(1))

    def work() -> None:
        private.adopt_thread(recorder)
        recorder.start(Name.TESTING_LOOP, start_time=stamp(2))

    in_thread(work)
    assert heard.take()[-1] == ("start", "testing_loop", "validation_loop", 2.0)
    private.adopt_thread(recorder)  # this thread's own span is open: it stays where it is
    recorder.start(Name.MODEL_INIT, start_time=stamp(3))
    assert heard.take()[-1] == ("start", "model_initialization", "validation_loop", 3.0)
    assert inner.active


def test_thread_whose_span_was_ended_elsewhere() -> None:
    heard = Heard()
    recorder = configured(heard)
    recorder.start(Name.TRAINING_LOOP, start_time=stamp(0))
    inner = recorder.start(Name.VALIDATION_LOOP, start_time=stamp(1))
    in_thread(lambda: recorder.stop(inner))
    private.adopt_thread(recorder)
    recorder.start(Name.TESTING_LOOP, start_time=stamp(3))
    assert heard.take()[-1] == ("start", "testing_loop", "training_loop", 3.0)


def test_thread_of_a_process_without_spans() -> None:
    heard = Heard()
    recorder = configured(heard)
    span = recorder.start(Name.MODEL_INIT, start_time=stamp(0))
    in_thread(lambda: recorder.stop(span))
    private.adopt_thread(recorder)
    recorder.start(Name.TESTING_LOOP, start_time=stamp(1))
    assert heard.take()[-1] == ("start", "testing_loop", None, 1.0)


@pytest.mark.parametrize("missing", ["_latest_active_span", "_spans"])
def test_thread_where_v2_has_renamed(missing: str) -> None:
    recorder = configured()
    kept = {name: vars(recorder)[name] for name in ("_latest_active_span", "_spans") if name != missing}
    recorder.start(Name.MODEL_INIT, start_time=stamp(0))
    before = recorder._latest_active_span.get()
    private.adopt_thread(SimpleNamespace(**kept))
    assert recorder._latest_active_span.get() is before
    private.adopt_thread(SimpleNamespace(_latest_active_span="no ContextVar", _spans={}))


def test_active_span_inside_of_a_block() -> None:
    recorder = configured()
    span = recorder.start(Name.MODEL_INIT, start_time=stamp(0))
    with private.active_span(recorder, span) as possible:
        assert possible is True
        assert recorder._get_active_span(Name.CHECKPOINT_SAVE_SYNC) is span
    assert "_get_active_span" not in vars(recorder)
    with pytest.raises(KeyError), private.active_span(recorder, span):
        raise KeyError("inside")
    assert "_get_active_span" not in vars(recorder)
    with private.active_span(BARE, span) as possible:
        assert possible is False
    assert vars(BARE) == {}


def test_training_configuration_without_an_application() -> None:
    configured(training=None)
    config = TrainingTelemetryConfig(**TRAINING)
    private.set_training_config(config)
    assert TrainingTelemetryProvider.instance().config.telemetry_config == config


def test_training_configuration_where_v2_has_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = TrainingTelemetryProvider.instance()
    recorder = configured(training=None)
    config = TrainingTelemetryConfig(**TRAINING)
    recorder.on_app_start(stamp(0))
    monkeypatch.delattr(TrainingTelemetryProvider, "_mutable_config", raising=False)
    told: list[Any] = []
    monkeypatch.setattr(provider, "set_training_telemetry_config", told.append, raising=False)
    private.set_training_config(config)
    assert told == [config]

    def refuse(config: Any) -> None:
        raise RuntimeError("not now")

    monkeypatch.setattr(provider, "set_training_telemetry_config", refuse, raising=False)
    private.set_training_config(config)


def test_provider_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    configured()
    before = TrainingTelemetryProvider.instance(), OneLoggerProvider.instance()
    assert private.forget_provider() is True
    assert TrainingTelemetryProvider.instance() is not before[0]
    assert OneLoggerProvider.instance() is not before[1]
    assert private.forget_provider() is True
    assert private.forget_provider() is True, "nothing to forget is no trouble"


def test_provider_that_cannot_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    import nv_one_logger.core.internal.singleton as module

    class Renamed:
        pass

    with monkeypatch.context() as patch:
        patch.setattr(module, "SingletonMeta", Renamed)
        assert private.forget_provider() is False
    with monkeypatch.context() as patch:
        patch.delattr(module, "SingletonMeta")
        assert private.forget_provider() is False


def test_modules_whose_globals_v2_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    from nv_one_logger.core import span, time

    assert private.module_clock() is time
    assert private.module_ids() is span
    monkeypatch.delattr(time, "time")
    monkeypatch.delattr(span, "uuid")
    assert private.module_clock() is None
    assert private.module_ids() is None


def test_recorder_is_v2s_own() -> None:
    """The stand-ins above are for a v2 that has renamed; this v2 has all the names."""
    recorder = configured()
    assert type(recorder) is TrainingRecorder
    span = recorder.on_app_start(stamp(0))
    assert span.name == StandardSpanName.APPLICATION
    for name in private.NAMES:
        if name.startswith("_") and name not in ("_mutable_config", "_instances"):
            assert hasattr(recorder, name), name

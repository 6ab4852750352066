"""The API of v1's core, ``OneLogger``: what it hands on, and what it keeps from the caller."""

from __future__ import annotations

import logging
from typing import Any, Optional

import pytest

from one_logger_v1_shim import OneLogger, _log, core
from one_logger_v1_shim._v1.bookkeeping import TAG
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, Clock, warned
from tests.v1.job import T0


class Behind:
    """What stands behind the API: it keeps what it is given, or raises."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.error: Any = None

    def _take(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def log_metrics(self, metrics: Any, now: float) -> None:
        self._take("log_metrics", metrics, now)

    def call(self, name: str, now: float, emits: Any) -> None:
        self._take("call", name, now, emits)

    def leave(self) -> None:
        self._take("leave")


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Behind:
    _log.forget()
    Clock(monkeypatch, T0)
    one = Behind()
    monkeypatch.setattr(core, "_attach", lambda *arguments, **keywords: one)
    return one


def test_rows_and_tags_are_handed_on_with_the_time(behind: Behind) -> None:
    one = OneLogger({"project": "p"})
    row = {"a": None}
    assert one.log_metrics(row) is None
    assert one.log_app_tag(["x", "y"]) is None
    assert behind.calls == [("log_metrics", {"a": None}, T0), ("call", "", T0, [(TAG, ["x", "y"])])]
    one.log_metrics({})
    assert len(behind.calls) == 2, "an empty dict sends nothing"


def test_any_mapping_is_a_row(behind: Behind) -> None:
    import types

    one = OneLogger({"no_exception": False})
    one.log_metrics(types.MappingProxyType({"a": 1}))
    assert behind.calls[0][1] == {"a": 1}


@pytest.mark.parametrize(("value", "shown"), [(None, "None (NoneType)"), ([1], "[1] (list)")])
def test_what_is_no_row(value: Any, shown: str, behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    text = f"log_metrics: {shown}; expected a dict of metrics"
    for _ in range(2):
        OneLogger().log_metrics(value)
    assert warned(caplog) == [f"OneLogger: TypeError in log_metrics: {text}"]
    with pytest.raises(TypeError) as refused:
        OneLogger({"no_exception": False}).log_metrics(value)
    assert str(refused.value) == text
    assert behind.calls == []


def test_finish_once_and_nothing_after_it(behind: Behind) -> None:
    one = OneLogger()
    one.finish()
    one.finish()
    one.log_metrics({"a": 1})
    one.log_app_tag("x")
    assert behind.calls == [("leave",)]


CALLS: dict[str, tuple[Any, ...]] = {"log_metrics": ({"a": 1},), "log_app_tag": ("x",), "finish": ()}


@pytest.mark.parametrize("call", CALLS)
def test_no_exception_is_the_default(call: str, behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    behind.error = OSError("no space")
    for _ in range(2):
        getattr(OneLogger(), call)(*CALLS[call])
    assert warned(caplog) == [f"OneLogger: OSError in {call}: no space"]
    with pytest.raises(OSError, match="no space"):
        getattr(OneLogger({"no_exception": False}), call)(*CALLS[call])


@pytest.mark.parametrize("call", CALLS)
def test_quiet_is_heard_by_a_debugger_only(call: str, behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    behind.error = OSError("no space")
    with caplog.at_level(logging.DEBUG, "one_logger_v1_shim"):
        getattr(OneLogger({"quiet": True}), call)(*CALLS[call])
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.DEBUG, f"OneLogger: OSError in {call}: no space")
    ]


def test_interrupts_pass(behind: Behind) -> None:
    behind.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        OneLogger().log_metrics({"a": 1})


def test_core_that_is_off(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    one = OneLogger({"enable_one_logger": False})
    one.log_metrics({"a": 1})
    one.log_metrics(None)  # type: ignore[arg-type]
    one.log_app_tag("x")
    one.finish()
    assert one, "consumers write `if one_logger:`"
    assert behind.calls == []
    assert warned(caplog) == []


def test_core_that_cannot_be_set_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    _log.forget()

    def refuse(*arguments: Any, **keywords: Any) -> Any:
        raise RuntimeError("no v2")

    monkeypatch.setattr(core, "_attach", refuse)
    one = OneLogger()
    one.log_metrics({"a": 1})
    assert one
    (line,) = warned(caplog)
    assert line.startswith("OneLogger is off: no row of it is kept or sent, as it could not be set up (RuntimeError(")
    assert "doctor" in line
    with pytest.raises(RuntimeError, match="no v2"):
        OneLogger({"no_exception": False})


def test_bad_configuration_raises_at_once() -> None:
    with pytest.raises(ValueError, match=r"config=3 \(int\); expected a dict or None"):
        OneLogger(3)  # type: ignore[arg-type]


def test_store_is_the_objects_own(behind: Behind) -> None:
    one, other = OneLogger(), OneLogger()
    one.store_set("k", None)
    assert (one.store_has_key("k"), other.store_has_key("k")) == (True, False)
    assert one.store_get("k") is None
    one.store_set("k", len)
    assert one.store_pop("k") is len
    assert not one.store_has_key("k")
    for call in (one.store_get, one.store_pop):
        with pytest.raises(KeyError, match="k"):
            call("k")


# -- the context manager --------------------------------------------------------------------------------------


def test_block_ends_where_it_raises_and_the_program_goes_on(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    one = OneLogger()
    reached = []
    with one.get_context_manager() as given:
        assert given is one
        reached.append(1)
        raise ZeroDivisionError("division by zero")
    for _ in range(2):
        with one.get_context_manager():
            one.store_get("absent")
    assert reached == [1]
    first, second = warned(caplog)
    assert first.startswith("OneLogger: ZeroDivisionError in test_block_ends_where_it_raises_and_the_program_goes_on:")
    assert first.endswith(": division by zero")
    assert second.startswith("OneLogger: KeyError in store_get:"), "the innermost place is named"


def test_block_that_ends_well(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    with OneLogger().get_context_manager():
        pass
    assert warned(caplog) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_passes_a_block(error: type[BaseException], behind: Behind) -> None:
    with pytest.raises(error), OneLogger().get_context_manager():
        raise error


def test_block_of_a_core_that_lets_exceptions_through(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="mine"), OneLogger({"no_exception": False}).get_context_manager():
        raise ValueError("mine")
    assert warned(caplog) == []


def test_blocks_nest(behind: Behind) -> None:
    one = OneLogger()
    reached = []
    with one.get_context_manager():
        with one.get_context_manager():
            raise ValueError
        reached.append("after the inner one")
    assert reached == ["after the inner one"]


def test_block_whose_error_comes_without_a_place(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    assert OneLogger().get_context_manager().__exit__(ValueError, ValueError("x"), None) is True
    assert warned(caplog) == ["OneLogger: ValueError in a block: x"]


def test_each_kind_of_error_is_said(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    for behind.error in (OSError("a"), ValueError("b"), OSError("c")):
        OneLogger().log_metrics({"a": 1})
    assert warned(caplog) == ["OneLogger: OSError in log_metrics: a", "OneLogger: ValueError in log_metrics: b"]


# -- under a OneLoggerUtils -----------------------------------------------------------------------------------


def test_callables_are_read_once_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    """What v2 and the run are told comes from that one reading."""
    calls: dict[str, int] = {}

    def counting(key: str, value: Any) -> Any:
        def read() -> Any:
            calls[key] = calls.get(key, 0) + 1
            return value

        return read

    monkeypatch.setattr(core, "_attach", lambda *arguments, **keywords: Behind())
    keys = ("world_size", "global_batch_size", "app_tag", "app_tag_run_name", "is_train_iterations_enabled")
    config = {key: counting(key, value) if key in keys else value for key, value in CONFIG.items()}
    for key, value in (
        ("summary_data_schema_version", "2"),
        ("app_run_type", "training"),
        ("app_start_time", 5),
        ("save_checkpoint_strategy", "async"),
    ):
        config[key] = counting(key, value)
    OneLoggerUtils(config)
    assert set(calls.values()) == {1}
    assert len(calls) == 9


@pytest.mark.parametrize(
    ("name", "slurm", "session"),
    [("run", "slurm", "run"), ("run", None, "run"), (None, "slurm", "slurm"), (None, None, "p")],
)
def test_session_that_v2_is_told(
    name: Optional[str], slurm: Optional[str], session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v1's core had no word for v2's session: the run's name, the SLURM job's, the project."""
    told: list[Any] = []
    monkeypatch.setattr(core, "_attach", lambda settings, values, *more: told.append(values))
    if slurm is not None:
        monkeypatch.setenv("SLURM_JOB_NAME", slurm)
    OneLogger({"project": "p", "name": name})
    assert [values.base["session_tag_or_fn"] for values in told] == [session]

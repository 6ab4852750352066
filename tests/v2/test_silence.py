"""What v2 logs about our calls stays out of the job's log; what it logs about the application's own passes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Callable

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._v2 import silence

MODULE = "nv_one_logger.made_for_this_test"
OURS = "one_logger_v1_shim._v2.made_for_this_test"

Say = Callable[..., None]


def function_of(module: str) -> Say:
    """A function of ``module`` that calls the function that it is given, with the other arguments."""
    found: dict[str, Any] = {"__name__": module}
    exec("def call(function, *arguments): function(*arguments)", found)
    call: Say = found["call"]
    return call


ours, adapter = function_of(OURS), function_of("one_logger_v1_shim._adapter")
applications, faces = function_of("train"), function_of("one_logger_v1_shim.utils.core")


@pytest.fixture
def v2(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    """The logger of a module of v2 that was loaded just now."""
    monkeypatch.setitem(sys.modules, MODULE, ModuleType(MODULE))
    monkeypatch.setitem(sys.modules, "nv_one_logger_of_somebody", ModuleType("nv_one_logger_of_somebody"))
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger(MODULE)
    for name in (MODULE, "nv_one_logger"):
        caplog.set_level(logging.DEBUG, logger=name)  # v2 raises the level when an application's trouble disables it
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    _log.forget()
    silence.install()
    yield logger
    _log.forget()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_each_logger_of_v2_has_the_filter_once(v2: logging.Logger) -> None:
    silence.install()
    assert len(v2.filters) == 1
    assert len(logging.getLogger("nv_one_logger").filters) == ("nv_one_logger" in sys.modules)
    for name in ("nv_one_logger_of_somebody", "one_logger_v1_shim", "root"):
        assert not logging.getLogger(name).filters


@pytest.mark.parametrize("caller", [ours, adapter])
@pytest.mark.parametrize("level", ["debug", "info"])
def test_small_talk_about_our_calls_is_not_logged(
    caller: Say, level: str, v2: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caller(getattr(v2, level), "skipped")
    assert said(caplog) == []


@pytest.mark.parametrize("caller", [ours, adapter])
@pytest.mark.parametrize("level", ["warning", "error"])
def test_trouble_with_our_calls_is_one_line_of_ours(
    caller: Say, level: str, v2: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        caller(getattr(v2, level), "no such span: %s\nTraceback ...\nValueError", "train")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("one_logger_v1_shim", "v2 reports: no such span: train; v1 rows are not affected")
    ]


def test_two_kinds_of_trouble_are_two_lines(v2: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    for line, text in ((10, "one"), (20, "two"), (10, "one, again")):
        ours(v2.handle, logging.LogRecord(MODULE, logging.WARNING, "span.py", line, text, (), None))
    ours(v2.handle, logging.LogRecord(f"{MODULE}.other", logging.WARNING, "span.py", 10, "three", (), None))
    assert said(caplog) == [f"v2 reports: {text}; v1 rows are not affected" for text in ("one", "two", "three")]


@pytest.mark.parametrize(
    "text",
    [
        "The parent of span validation is gone",  # v1 knew no nesting
        "No exporters were provided. This means that no telemetry data will be collected.",  # v2 with the worker
    ],
)
def test_what_is_no_trouble_of_the_jobs(text: str, v2: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    ours(v2.warning, text)
    assert said(caplog) == []


@pytest.mark.parametrize("caller", [applications, faces])
def test_the_applications_own_calls_are_logged_as_ever(
    caller: Say, v2: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caller(v2.info, "small talk")
    caller(v2.error, "trouble\nin two lines")
    assert said(caplog) == ["small talk", "trouble\nin two lines"]


def test_our_call_on_a_deep_stack(v2: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """v2 calls exporters of the application, which may call functions of theirs."""

    def deeper(levels: int, function: Say, *arguments: Any) -> None:
        if levels:
            deeper(levels - 1, function, *arguments)
        else:
            function(*arguments)

    ours(deeper, 100, v2.info, "of our call")
    assert said(caplog) == []
    # too far below to be looked for: rather one line too many than a long look at each
    ours(deeper, 300, v2.info, "who knows")
    assert said(caplog) == ["who knows"]


def test_below_our_own_filter_nothing_is_ours(v2: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """The filter's own module is on the stack at each record: that alone says nothing."""
    function_of(silence.__name__)(v2.info, "the application's")
    assert said(caplog) == ["the application's"]

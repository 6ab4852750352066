"""v2 in the job's process: whose provider it is, and calls from several threads, signal handlers and exporters."""

from __future__ import annotations

import importlib
import json
import sys
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from nv_one_logger.api.one_logger_provider import OneLoggerProvider
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span
from nv_one_logger.exporter.exporter import BaseExporter
from nv_one_logger.recorder.default_recorder import DefaultRecorder
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from overrides import override

from one_logger_v1_shim import OneLogger, _log, _state
from one_logger_v1_shim._conversion import convert
from one_logger_v1_shim._job.telemetry import where_v2_hears
from one_logger_v1_shim._journal.calls import Call
from one_logger_v1_shim._v1.config import V1Config
from one_logger_v1_shim._v2.forward import ROW_EVENT
from one_logger_v1_shim._v2.here import Here
from one_logger_v1_shim.testing import capture
from tests.support import CONFIG, journalled_rows
from tests.v2.room import Heard, configured, no_provider, reading, stamp, v2_config
from tests.v2.test_attach import FAILS, HEARD, exporters, exporting, warnings
from tests.v2.test_exporter import KeptRows, exporter_of

__all__ = ["no_provider"]

pytestmark = pytest.mark.usefixtures("no_provider")

OPEN = Call("open", reading(1), (None,))
APPLICATION = ("start", "application", None, 1.0)


def here(exporter: Any = None, **config: Any) -> Here:
    return Here(convert(V1Config({**CONFIG, **config})), exporter)


def row(second: float, text: bytes = b"{}") -> Call:
    return Call("row", reading(second), (text,))


def test_provider_that_nobody_has_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    exporting(monkeypatch, HEARD)
    one = here(global_batch_size=lambda: 0)
    assert Heard.made == [], "v2 is set up at the first call"
    one.play([Call("value", None, ("global_batch_size", 24)), OPEN])
    (heard,) = exporters()
    assert heard is Heard.made[0]
    (told,) = heard.events("update_training_telemetry_config")
    assert told["global_batch_size"] == 24
    one.play([Call("close", reading(2))])
    assert heard.spans() == [APPLICATION, ("stop", "application", 2.0)]


def test_provider_of_the_application() -> None:
    heard = Heard()
    configured(heard)
    one = here()
    one.play([OPEN])
    assert exporters() == [heard]
    assert heard.take() == [], "the application opens its own"
    assert TrainingTelemetryProvider.instance().config.application_name == "app"


def test_run_of_an_exporter_that_the_application_has() -> None:
    """A v1 class joins the exporter's run, and holds it open when v2 ends."""
    run = KeptRows()
    exporter = exporter_of(run)
    configured(exporter)
    one = here(exporter)
    one.play([Call("app_start", reading(1), (None,)), Call("app_end", reading(2), (None,))])
    assert run.exit_codes == []
    assert run.take() == [], "v1's own calls are not translated: their rows are sent by v1's arithmetic"


def test_our_own_exporter_of_the_export_configuration_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would open a second run, with nothing to translate."""
    mine = exporter_of(KeptRows())
    monkeypatch.setattr("one_logger_v1_shim._v2.here.configured_exporters", lambda config: [mine, Heard()])
    here().play([OPEN])
    assert exporters() == Heard.made
    assert mine.rows.sink is None


@pytest.mark.parametrize("exporter", [HEARD, FAILS])
def test_exporter_that_cannot_be_initialised(
    exporter: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exporting(monkeypatch, HEARD, exporter)
    here().play([OPEN])
    if exporter is HEARD:
        assert (len(exporters()), warnings(caplog)) == (2, [])
    else:
        (text,) = warnings(caplog)
        assert text.startswith("v2's other exporters are left out, one could not be initialised: RuntimeError(")


def test_recorder_of_another_kind(caplog: pytest.LogCaptureFixture) -> None:
    OneLoggerProvider.instance().configure(v2_config(), DefaultRecorder(exporters=[]))
    one = here()
    one.play([OPEN, row(2)])
    _log.forget()
    one.play([row(3)])  # it is not tried again
    (text,) = warnings(caplog)
    assert "the v2 provider has a DefaultRecorder; expected a TrainingRecorder" in text
    assert text.startswith("v2 hears nothing, it could not be set up (")
    assert text.endswith("; v1 rows are not affected")


# -- who comes in between --------------------------------------------------------------------------------------


class Does(BaseExporter):
    """Keeps the rows that it hears, in order, and does something at each."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []
        self.deep = self.deepest = 0
        self.does: Callable[[int], None] = lambda number: None

    @override
    def export_event(self, event: Event, span: Span) -> None:
        super().export_event(event, span)
        if event.name_str != ROW_EVENT:
            return
        number = json.loads(event.attributes.to_json()["row"])["n"]
        self.deep += 1
        self.deepest = max(self.deepest, self.deep)
        self.rows.append(number)
        self.does(number)
        self.deep -= 1


def numbered(*numbers: int) -> list[Call]:
    return [row(2 + number, b'{"n": %d}' % number) for number in numbers]


@pytest.fixture
def does() -> Does:
    exporter = Does()
    configured(exporter).on_app_start(stamp(0))
    return exporter


def test_exporter_that_logs_a_row_itself(does: Does) -> None:
    """The row follows the one at hand: v2 is never called inside of its own call."""
    one = here()
    does.does = lambda number: one.play(numbered(number + 10)) if number < 10 else None
    one.play(numbered(0, 1))
    one.play(numbered(2))
    assert does.rows == [0, 1, 10, 11, 2, 12]
    assert does.deepest == 1


def test_second_thread_while_the_first_is_inside_of_v2(does: Does, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for nothing, and what it gave is played by the first one."""
    one = here()
    inside, go_on = threading.Event(), threading.Event()

    def hold(number: int) -> None:
        if number == 0:
            inside.set()
            assert go_on.wait(30)

    does.does = hold
    asked: list[bool] = []
    monkeypatch.setattr(one, "_busy", Asked(asked))
    first = threading.Thread(target=lambda: one.play(numbered(0, 1)), daemon=True)
    first.start()
    assert inside.wait(30)
    second = threading.Thread(target=lambda: one.play(numbered(2)), daemon=True)
    second.start()
    second.join(30)
    assert not second.is_alive(), "it does not wait for v2"
    assert does.rows == [0]
    go_on.set()
    first.join(30)
    assert does.rows == [0, 1, 2]
    assert asked == [False, False]


class Asked:
    """A lock that notes whether somebody would have waited."""

    def __init__(self, asked: list[bool]) -> None:
        self._asked = asked
        self._lock = threading.Lock()
        self.release = self._lock.release

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        self._asked.append(blocking)
        return self._lock.acquire(blocking, timeout)


def test_many_threads_lose_nothing(does: Does) -> None:
    one = here()
    ready = threading.Barrier(8)

    def work(of: int) -> None:
        ready.wait(30)
        for number in range(50):
            one.play(numbered(of * 100 + number))

    threads = [threading.Thread(target=work, args=(of,), daemon=True) for of in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(does.rows) == [of * 100 + number for of in range(8) for number in range(50)]
    for of in range(8):
        mine = [number for number in does.rows if number // 100 == of]
        assert mine == sorted(mine), "each thread's in its order"
    assert does.deepest == 1


def test_what_breaks_off_a_call_loses_only_that_call(does: Does) -> None:
    """Ctrl-C inside of an exporter: the queue is played on by whoever comes next."""
    one = here()

    def interrupt(number: int) -> None:
        if number == 0:
            does.deep = 0
            raise KeyboardInterrupt

    does.does = interrupt
    with pytest.raises(KeyboardInterrupt):
        one.play(numbered(0, 1))
    one.play(numbered(2))
    assert does.rows == [0, 1, 2]


# -- with a journal --------------------------------------------------------------------------------------------


@pytest.fixture
def journalled(fresh: Path) -> Callable[[], list[int]]:
    """The numbers of the rows in the journal."""
    return lambda: [found["n"] for found in journalled_rows(fresh) if "n" in found]


def test_exporter_that_logs_a_row_of_the_same_logger(fresh: Path, journalled: Callable[[], list[int]]) -> None:
    """The journal and v2 have all rows, both in the same order."""
    does = Does()
    configured(does).on_app_start(stamp(0))
    core = OneLogger({"project": "p"})
    does.does = lambda number: core.log_metrics({"n": number + 10}) if number < 10 else None
    for number in range(3):
        core.log_metrics({"n": number})
    assert journalled() == does.rows == [0, 10, 1, 11, 2, 12]


# -- where v2 hears --------------------------------------------------------------------------------------------

PARTS = ("nv_one_logger.api", "nv_one_logger.core", "nv_one_logger.training_telemetry.api")


@pytest.mark.parametrize("loaded", PARTS)
def test_application_that_has_imported_v2(loaded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PARTS:
        if name != loaded:
            monkeypatch.delitem(sys.modules, name, raising=False)
    assert loaded in sys.modules
    assert where_v2_hears() == "job"


def test_application_that_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own portion of v2's namespace package is no use of v2."""
    importlib.import_module("nv_one_logger.training_telemetry.v1_adapter")
    for name in PARTS:
        monkeypatch.delitem(sys.modules, name)
    assert where_v2_hears() == "worker"


def test_forked_child_of_an_application_that_uses_v2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its provider came with the fork: files and connections are the parent's. Without v2 it has a worker."""
    _state.process.forked = True
    assert where_v2_hears() == "none"
    for name in PARTS:
        monkeypatch.delitem(sys.modules, name)
    assert where_v2_hears() == "worker"


def test_inside_of_a_test() -> None:
    with capture():
        assert where_v2_hears() == "job"


def test_the_look_imports_nothing() -> None:
    before = set(sys.modules)
    where_v2_hears()
    assert set(sys.modules) == before

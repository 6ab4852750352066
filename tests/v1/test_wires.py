"""Which version's rows are sent, and what programs of the other version get. The rows: ``test_v1_arithmetic.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._v1.wires import DEFAULT, STEP_CALLBACKS, STEPS, VARIABLE, WIRES, chosen
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, CoreSpy, run_python, utils_on, warned
from tests.v1.job import V1Job


@pytest.mark.parametrize("value", [None, "", " ", *WIRES, " 1.0.3 "])
def test_a_version(value: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    rows = [emit[1] for emit in V1Job(monkeypatch).construction if emit[0] == "log_metrics"]
    assert rows[0]["one_logger_utils_version"] == ((value or "").strip() or DEFAULT)
    assert warned(caplog) == []


@pytest.mark.parametrize("value", ["1.0.1", "v1.0.3", "1", "latest", "1.0.3.0"])
def test_no_version_is_one_line(value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv(VARIABLE, value)
    for _ in range(2):
        assert chosen({VARIABLE: value}) == DEFAULT
    utils_on(CoreSpy(), CONFIG)
    expected = f"{VARIABLE}={value!r}; expected 1.0.0, 1.0.2 or 1.0.3; 1.0.2 is used"
    assert warned(caplog) in ([], [expected])  # said in this process already, or now
    caplog.clear()
    V1Job(monkeypatch)  # which forgets what was said
    assert warned(caplog) == [expected]


def test_a_disabled_rank_says_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv(VARIABLE, "x")
    utils = OneLoggerUtils({})
    for name in STEP_CALLBACKS:
        assert getattr(utils, name)(True, 1, nonsense=1) is None
    assert warned(caplog) == []


def test_steps_are_no_attributes_of_102() -> None:
    assert not {name for name in dir(OneLoggerUtils) if "train_step" in name}
    assert not {name for name in dir(OneLoggerUtils({})) if "train_step" in name}
    with pytest.raises(AttributeError):
        _ = OneLoggerUtils.on_train_step_start  # type: ignore[attr-defined]


@pytest.mark.slow
def test_steps_are_attributes_of_103(tmp_path: Path) -> None:
    code = (
        "import inspect\nfrom one_logger_v1_shim.utils import OneLoggerUtils, VERSION\nassert VERSION == '1.0.3'\n"
        "class Own(OneLoggerUtils):\n"
        "    def on_train_step_start(self, set_barrier=False, **kwargs):\n"
        "        super().on_train_step_start(set_barrier, **kwargs)\n"
        "Own({}).on_train_step_start()\n"
        "a, b = OneLoggerUtils.on_train_step_start, OneLoggerUtils.on_train_batch_start\n"
        "assert inspect.signature(a) == inspect.signature(b)\n"
        "assert 'on_train_step_end' in dir(OneLoggerUtils)\n"
    )
    run_python(code, tmp_path, env={VARIABLE: STEPS})


@pytest.mark.parametrize("wire", ["1.0.0", "1.0.2"])
def test_steps_alone_are_iterations_there(
    wire: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, wire)
    job = V1Job(monkeypatch, log_every_n_train_iterations=1)
    job.emits("on_train_start", train_iterations_start=0)
    for _ in range(2):
        job.emits("on_train_step_start")
        job.emits("on_train_step_start", later=0.5)  # the step goes on: another batch
        row = job.row("on_train_step_end", later=1.0)
    assert (row["train_iterations"], row["train_iterations_time_total"]) == (2, 3.0)
    assert job.emits("on_train_step_end") == [], "no step has begun"
    lines = warned(caplog)
    assert len(lines) == 1
    assert f"rows of {wire} are sent" in lines[0]
    assert f"{VARIABLE}={STEPS}" in lines[0]


def test_beside_batches_they_change_nothing_in_102(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def rows(steps: bool) -> list[Any]:
        job = V1Job(monkeypatch, log_every_n_train_iterations=1)
        found = job.emits("on_train_start", train_iterations_start=0)
        for _ in range(3):
            found += job.emits("on_train_step_start") if steps else []
            found += job.emits("on_train_batch_start") + job.emits("on_train_batch_end", later=1.0)
            found += job.emits("on_train_step_end") if steps else []
        return found

    assert rows(steps=True) == rows(steps=False)
    assert len(warned(caplog)) == 1


@pytest.mark.parametrize("wire", WIRES)
def test_arguments_and_the_barrier_of_steps(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, wire)
    calls: list[int] = []
    job = V1Job(monkeypatch, barrier=lambda: calls.append(1))
    for name in STEP_CALLBACKS:
        with pytest.raises(ValueError, match=rf"Additional arguments .*OneLoggerUtils\.{name}': {{'step'}}"):
            getattr(job.utils, name)(step=1)
        with pytest.raises(TypeError, match=r"takes from 1 to 2 positional arguments but 3 were given"):
            getattr(job.utils, name)(False, 1)
    job.emits("on_train_step_end", set_barrier=True)
    assert calls == [], "nothing ends"
    job.emits("on_train_step_start", set_barrier=True)
    job.emits("on_train_step_start", set_barrier=True)
    assert calls == [1], "the step goes on"
    job.emits("on_train_step_end", set_barrier=True)
    assert calls == [1, 1]


def test_quiet_does_not_end_at_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    job = V1Job(monkeypatch, quiet=True, log_every_n_train_iterations=1)
    job.emits("on_train_step_start")
    assert job.emits("on_train_step_end") != []


def test_rankpulse_was_not_there_in_100(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("RANKPULSE_ENABLE", "1")
    for wire, lines in (("1.0.0", 0), ("1.0.3", 1)):
        monkeypatch.setenv(VARIABLE, wire)
        V1Job(monkeypatch).emits("on_train_start", train_iterations_start=0)
        assert len(warned(caplog)) == lines


def test_a_step_is_an_iteration_for_v2_and_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    from one_logger_v1_shim.testing import capture

    monkeypatch.setenv(VARIABLE, STEPS)
    with capture() as captured:
        utils = OneLoggerUtils({**CONFIG, "log_every_n_train_iterations": 1})
        utils.on_app_start()
        utils.on_train_start(train_iterations_start=0)
        for _ in range(2):
            for _ in range(3):
                utils.on_train_step_start()
                utils.on_train_batch_start()
                utils.on_train_batch_end()
            utils.on_train_step_end()
        utils.on_train_end()
        utils.on_app_end()
        utils.finish()
    rows = [row for row in captured.rows if "train_batch" in row and "train_iterations" not in row]
    assert [row["train_batch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    steps = [row for row in captured.rows if "train_iterations" in row and "train_batch" not in row]
    assert [row["train_iterations"] for row in steps] == [1, 2]
    (loop,) = [span for span in captured.spans if span.name == "training_loop"]
    assert [event.attributes["num_iterations"] for event in loop.events] == [2]

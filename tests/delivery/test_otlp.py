"""OTLP from the worker, with whole jobs: a collector that hangs, refuses or is away costs neither rows nor time.

tests/otlp/test_journal.py has the same faults with the worker's thread alone.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Callable, Optional

import pytest

from tests.delivery import jobs
from tests.delivery.test_recover import recover
from tests.otlp.receiver import HANGS, OK, REFUSES, Collector, attributes, collector, number
from tests.support import CONFIG

JOB = f"""
from one_logger_v1_shim.utils import OneLoggerUtils

utils = OneLoggerUtils({{**{CONFIG!r}, "one_logger_async": True}})
slowest = 0.0

def timed(name, *arguments, **keywords):
    global slowest
    began = time.monotonic()
    getattr(utils, name)(*arguments, **keywords)
    slowest = max(slowest, time.monotonic() - began)

timed("on_app_start")
timed("on_train_start", train_iterations_start=0)
for i in range(20):
    timed("on_train_batch_start")
    timed("on_train_batch_end")
"""
END = """
timed("on_train_end")
timed("on_app_end")
began = time.monotonic()
utils.finish()
assert not [name for name in sys.modules if name.startswith(("opentelemetry", "wandb", "nv_one_logger"))]
print(json.dumps([slowest, time.monotonic() - began]))
"""


def otlp(one: Collector, **more: Optional[str]) -> dict[str, Optional[str]]:
    return {"ONE_LOGGER_V1_OTLP": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": one.address, "RANK": "0", **more}


def with_collector(status: int, **environ: Optional[str]) -> Callable[[Path], tuple[jobs.Result, Collector, str]]:
    def scenario(home: Path) -> tuple[jobs.Result, Collector, str]:
        with collector(status) as one:
            result = jobs.run(JOB + END, home, otlp(one, **environ))
        return result, one, jobs.mark(home).get("otlp", "")

    return scenario


def without(home: Path) -> tuple[jobs.Result, Collector, str]:
    return jobs.run(JOB + END, home), Collector(), jobs.mark(home).get("otlp", "")


SCENARIOS = {
    "takes": with_collector(OK),
    "hangs": with_collector(HANGS),
    "refuses": with_collector(REFUSES),
    "off": without,
}

Outcome = Callable[[str], tuple[jobs.Result, Collector, str]]


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_job_and_its_rows_are_as_ever(name: str, outcome: Outcome) -> None:
    result, _, _ = outcome(name)
    off, _, _ = outcome("off")
    assert result.code == 0, result.err
    assert "Traceback" not in result.err
    slowest, _ = json.loads(result.out)
    assert slowest < 1.0
    (run,), (other,) = result.runs(), off.runs()
    assert len(run.rows) == len(other.rows)
    assert run.exit_code == 0


@pytest.mark.parametrize("name", ["hangs", "refuses"])
def test_a_collector_in_trouble_is_one_line_and_waits_in_the_journal(name: str, outcome: Outcome) -> None:
    result, one, state = outcome(name)
    assert one.received.asked > 0
    assert state == "unsent"
    (line,) = [line for line in result.lines if "OTLP" in line]
    assert "collector" in line or str(one.port) in line


def test_recover_after_a_run_that_w_and_b_has(outcome: Outcome) -> None:
    """Only spans and metrics are left: W&B is not asked again."""
    home = outcome("refuses")[0].home
    before, folders = jobs.mark(home), [run.path for run in jobs.stored(home)]
    with collector() as one:
        environ = {name: value or "" for name, value in otlp(one).items()}
        code, said = recover(home, WANDB_MODE="offline", **environ)
        assert code == 0, said
        assert [span.name for span in one.received.spans] == ["training_loop", "application"]
        assert [span.status.code for span in one.received.spans] == [0, 0]
    after = jobs.mark(home)
    assert [run.path for run in jobs.stored(home)] == folders
    assert (after["otlp"], after["rows"], after["state"]) == ("sent", before["rows"], before["state"])
    assert not [text for text in after["said"] if "OTLP" in text]


def test_the_end_of_the_job_does_not_wait_for_a_collector(outcome: Outcome) -> None:
    """The worker gives it 20 s more, and the job none of them."""
    _, finish = json.loads(outcome("hangs")[0].out)
    _, usual = json.loads(outcome("off")[0].out)
    assert finish < usual + 15.0


def test_what_a_collector_gets(outcome: Outcome) -> None:
    result, one, state = outcome("takes")
    assert state == "sent"
    assert [line for line in result.lines if "OTLP" in line] == []
    assert [span.name for span in one.received.spans] == ["training_loop", "application"]
    assert [number(point) for point in one.received.points["one_logger.train_iterations"]] == list(range(2, 21, 2))
    (run,) = result.runs()
    found = one.received.resources[0]
    assert (found["wandb.run.id"], found["nv.dl.rank"], found["nv.dl.world_size"]) == (run.run_id, 0, 2)


def test_a_disabled_run_is_sent_all_the_same(tmp_path: Path) -> None:
    """``WANDB_MODE=disabled``: nobody wants the rows in W&B."""
    with collector() as one:
        jobs.run(JOB + END, tmp_path, otlp(one, WANDB_MODE="disabled"))
        assert [span.name for span in one.received.spans] == ["training_loop", "application"]


def test_recover_sends_what_a_collector_did_not_take(tmp_path: Path) -> None:
    """The job, its worker and W&B's process are killed while a collector is away; it comes back on another port."""
    with collector(REFUSES) as away:
        job = jobs.Job(JOB + 'say_so("logged"); time.sleep(60)', tmp_path, otlp(away))
        job.wait_for("logged")
        job.taken(12)
        jobs.until(lambda: away.received.asked, "a request")
        worker, service = job.worker(), job.service()
        for pid in (worker, service):
            os.kill(pid, signal.SIGKILL)
        os.killpg(job.process.pid, signal.SIGKILL)
        job.end()
    code, said = recover(tmp_path, WANDB_MODE="offline")
    assert code == 1
    assert "set ONE_LOGGER_V1_OTLP=1" in said
    with collector() as back:
        environ = {name: value or "" for name, value in otlp(back, RANK="7").items()}
        code, said = recover(tmp_path, WANDB_MODE="offline", **environ)
        assert code == 0, said
        got = back.received
        assert [span.name for span in got.spans] == ["training_loop", "application"]
        assert got.spans[1].status.message == "the job has gone"
        assert attributes(got.traces[0].resource_spans[0].resource)["nv.dl.rank"] == 0
        before = got.asked
        assert recover(tmp_path, WANDB_MODE="offline", **environ)[0] == 0
        assert got.asked == before

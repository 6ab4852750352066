"""v2 lives with the worker: an exporter that hangs, or a v2 that is broken, costs the job neither time nor rows.

Where the application itself uses v2 in its process: tests/v2/test_rows_first.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.delivery import jobs
from tests.support import CONFIG

METHODS = ("initialize", "export_start", "export_stop", "export_event", "close")

#: an exporter of v2's export configuration that is in trouble in its methods ``METHODS``
EXPORTER = """
import os, time
from overrides import override
from nv_one_logger.exporter.exporter import BaseExporter

HOME = os.path.dirname(__file__)

class Exporter(BaseExporter):
    def _trouble(self, method):
        if method not in METHODS:
            return
        asked = os.path.join(HOME, "asked-" + method)
        first = not os.path.exists(asked)
        open(asked, "a").close()
        TROUBLE
        open(os.path.join(HOME, "over-" + method), "a").close()

    @override
    def initialize(self):
        self._trouble("initialize")
        super().initialize()

    @override
    def export_start(self, span):
        self._trouble("export_start")

    @override
    def export_stop(self, span):
        self._trouble("export_stop")

    @override
    def export_event(self, event, span):
        self._trouble("export_event")

    @override
    def close(self):
        self._trouble("close")
        super().close()
"""

SLEEPS = "time.sleep(1.0 if first else 0.0)"
HANGS = """limit = time.monotonic() + 60
        while not os.path.exists(os.path.join(HOME, "let go")) and time.monotonic() < limit:
            time.sleep(0.02)"""

JOB = """
import glob
from one_logger_v1_shim.utils import OneLoggerUtils

slowest = {"construction": 0.0, "callback": 0.0, "on disk": 0.0}

def on_disk():
    (path,) = glob.glob("wandb/one-logger-*/rows-*.jsonl")
    return sum(line.startswith(b"{") for line in open(path, "rb"))

def timed(kind, function, *arguments, **keywords):
    began = time.monotonic()
    found = function(*arguments, **keywords)
    slowest[kind] = max(slowest[kind], time.monotonic() - began)
    return found

def logged(number):
    before = on_disk()
    timed("callback", core.log_metrics, {"i": number})
    began = time.monotonic()
    while on_disk() <= before and time.monotonic() < began + 10:
        time.sleep(0.001)
    slowest["on disk"] = max(slowest["on disk"], time.monotonic() - began)

def train():
    for name, more in [("train_start", {"train_iterations_start": 0}), ("validation_start", {}), ("validation_end", {}),
                       ("train_batch_start", {}), ("train_batch_end", {}), ("train_end", {})]:
        timed("callback", getattr(utils, "on_" + name), **more)

utils = timed("construction", OneLoggerUtils, CONFIG)
core = utils.one_logger
logged(0)
timed("callback", utils.on_app_start)
train()
if "close" in METHODS:
    timed("callback", utils.on_app_end)
logged(1)
wait_for("asked-" + METHODS[-1])  # the exporter is in trouble now
assert os.path.exists("asked-" + METHODS[-1])
for number in range(2, 6):
    logged(number)
train()
limit = time.monotonic() + 60
while '"rows": %d' % on_disk() not in open(glob.glob("wandb/one-logger-*/mark.json")[0]).read():  # with W&B meanwhile
    assert time.monotonic() < limit
    logged(6)
    time.sleep(0.7)
hanging = not os.path.exists("over-" + METHODS[-1])
say_so("let go")
timed("callback", utils.on_app_end)
utils.finish()
assert "nv_one_logger" not in sys.modules and "wandb" not in sys.modules
print(json.dumps([slowest, hanging]))
"""


def trouble(what: str, *methods: str) -> Callable[[Path], jobs.Result]:
    def scenario(home: Path) -> jobs.Result:
        home.mkdir(parents=True)
        names = f"METHODS = {methods!r}\n"
        (home / "exporters_of_mine.py").write_text(names + EXPORTER.replace("TROUBLE", what))
        exporters = {"exporters": [{"class_name": "exporters_of_mine.Exporter"}]}
        (home / "one_logger_exporters_config.json").write_text(json.dumps(exporters))
        config = {**CONFIG, "one_logger_async": True}
        return jobs.run(f"CONFIG = {config!r}\n{names}{JOB}", home)

    return scenario


#: how a package of v2 is broken, and what of it is said
BROKEN = {
    "RuntimeError": ("raise RuntimeError('no driver')", "RuntimeError('no driver')"),
    "SyntaxError": ("def broken(:", "SyntaxError("),
    "SystemExit": ("raise SystemExit(9)", "SystemExit(9)"),
}

BROKEN_JOB = """
from one_logger_v1_shim.utils import OneLoggerUtils
utils = OneLoggerUtils(CONFIG)
utils.on_app_start()
log(utils.one_logger, 20)
utils.on_app_end()
utils.finish()
sys.exit(3)
"""


def broken(code: str) -> Callable[[Path], jobs.Result]:
    def scenario(home: Path) -> jobs.Result:
        package = home / "packages" / "nv_one_logger"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code + "\n")
        begin = f"import sys\nsys.path.insert(0, {str(package.parent)!r})\n"
        return jobs.run(f"CONFIG = { ({**CONFIG, 'one_logger_async': True})!r}\n{BROKEN_JOB}", home, begin=begin)

    return scenario


SCENARIOS: dict[str, Callable[[Path], jobs.Result]] = {
    "sleeps everywhere": trouble(SLEEPS, *METHODS[:-1]),
    **{method: trouble(HANGS, method) for method in METHODS},
    **{name: broken(code) for name, (code, _) in BROKEN.items()},
}

#: seconds
LIMITS = {"construction": 0.5, "callback": 0.25, "on disk": 0.3}


@pytest.mark.parametrize("name", [*METHODS, "sleeps everywhere"])
def test_an_exporter_in_trouble(name: str, outcome: Callable[[str], jobs.Result], tmp_path: Path) -> None:
    result = outcome(name)
    slowest, hanging = answer(result)
    if any(slowest[kind] > limit for kind, limit in LIMITS.items()):  # jobs run beside each other: once more, alone
        result = SCENARIOS[name](tmp_path / "again")
        slowest, hanging = answer(result)
    assert {kind: seconds for kind, seconds in slowest.items() if seconds > LIMITS[kind]} == {}
    assert hanging or name == "sleeps everywhere"
    (run,) = result.runs()
    assert run.steps == list(range(len(list(jobs.journal_lines(result.home)))))
    assert set(range(7)) >= set(result.values()) >= set(range(6))
    mark = jobs.mark(result.home)
    assert (mark["state"], mark["exit_code"], mark["v2"]) == ("finished", 0, "played")
    assert [line for line in result.lines if "v2" in line] == []


def answer(result: jobs.Result) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


@pytest.mark.parametrize("name", BROKEN)
def test_a_v2_that_is_broken(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    """All rows, the job's own exit code, and one line."""
    result = outcome(name)
    assert result.code == 3, result.err
    assert result.values() == list(range(20))
    assert len(result.runs()) == 1
    assert jobs.mark(result.home)["state"] == "finished"
    offline, line = result.lines
    assert "W&B run is offline (WANDB_MODE=offline)" in offline
    assert line.startswith(f"v2 (nv_one_logger) hears nothing: it could not be set up ({BROKEN[name][1]}")
    assert line.endswith("v1 rows are not affected")


@pytest.mark.parametrize("raised", ["SystemExit(4)", "ImportError('no such part')"])
def test_a_part_of_v2_that_is_loaded_and_another_that_is_broken(raised: str, tmp_path: Path) -> None:
    """The application has imported a v2 of which the training telemetry raises: rows do not need it."""
    code = f"""
import importlib.abc, sys
import nv_one_logger.core.event

class Broken(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "nv_one_logger.training_telemetry.api.training_recorder":
            raise {raised}

sys.meta_path.insert(0, Broken())
one = one_logger()
log(one, 3)
one.finish()
"""
    result = jobs.run(code, tmp_path)
    assert (result.code, result.values()) == (0, [0, 1, 2]), result.err
    assert sum("v2 hears nothing" in line for line in result.lines) == 1, result.err

"""The fixture ``one_logger_capture`` in real pytest runs, and what a block must not do, in processes of their own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import support
from tests.documents.samples import samples
from tests.support import clean_environment, run_command, run_python

pytestmark = pytest.mark.slow  # each test starts a pytest, or a Python

pytest_plugins = ["pytester"]

SAMPLES = [one for one in samples("python", "sh") if one.document.name == "testing-your-code.md"]

CONFIG = f"CONFIG = {support.CONFIG | {'one_logger_async': True}!r}\n"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``run(source, *arguments)``: pytest on a test file, as a user of the installed package runs it."""
    for name, value in clean_environment(pytester.path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", "")  # the installed package
    monkeypatch.setenv("WANDB_MODE", "offline")

    def runs(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        # the last two are slow to import, and nothing to us
        without = [word for name in ("cacheprovider", "hypothesispytest", "anyio") for word in ("-p", f"no:{name}")]
        return pytester.runpytest_subprocess(*without, *arguments)

    return runs


# -- the fixture -----------------------------------------------------------------------------------------------


def test_the_fixture_gives_rows_spans_and_runs(run: Any, pytester: pytest.Pytester) -> None:
    result = run(
        CONFIG
        + """
import pytest
from one_logger_v1_shim import OneLogger
from one_logger_v1_shim.utils import OneLoggerUtils

@pytest.mark.parametrize("turn", [1, 2])
def test_utils(one_logger_capture, turn):
    assert one_logger_capture.rows == []
    utils = OneLoggerUtils(CONFIG)
    utils.on_app_start()
    assert one_logger_capture.rows[-1]["app_start_time"] > 1e12
    assert [span.name for span in one_logger_capture.spans] == ["application"]
    assert [run.project for run in one_logger_capture.runs] == ["tests"]

def test_core(one_logger_capture):
    OneLogger({"project": "p"}).log_metrics({"loss": 1.5})
    assert one_logger_capture.rows[0]["loss"] == 1.5

def test_failing(one_logger_capture):
    OneLoggerUtils(CONFIG)
    assert one_logger_capture.rows == []

def test_after_the_failing_one(one_logger_capture):
    assert one_logger_capture.rows == one_logger_capture.spans == []

@pytest.fixture
def core(one_logger_capture):
    return OneLogger({"project": "p"})

def test_a_fixture_of_the_user(core, one_logger_capture):
    core.log_metrics({"a": 1})
    assert one_logger_capture.rows[0]["a"] == 1

class TestOwn:
    @pytest.fixture
    def one_logger_capture(self):
        return "mine"

    def test_overridden(self, one_logger_capture):
        assert one_logger_capture == "mine"
"""
    )
    result.assert_outcomes(passed=6, failed=1)
    assert not list(pytester.path.rglob("*wandb*"))
    assert not list(pytester.path.rglob("onelogger.*"))


PARALLEL = """
import os, pytest
from one_logger_v1_shim import OneLogger

@pytest.mark.parametrize("number", range(12))
def test_own(one_logger_capture, number):
    core = OneLogger({"project": str(number)})
    for _ in range(5):
        core.log_metrics({"number": number})
    assert [row["number"] for row in one_logger_capture.rows] == [number] * 5
    assert [run.project for run in one_logger_capture.runs] == [str(number)]
    with open(f"{os.getpid()}.worker", "a") as file:
        file.write("x")
"""


def test_with_xdist_each_test_has_its_own(run: Any, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    run(PARALLEL, "-n", "2").assert_outcomes(passed=12)
    used = [len(path.read_text()) for path in pytester.path.glob("*.worker")]
    assert sum(used) == 12
    assert len(used) == 2


def test_a_program_without_an_edit(run: Any, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(
        program="""
from one_logger import OneLogger
from one_logger_utils import OneLoggerUtils

def main():
    OneLogger({"project": "p"}).log_metrics({"loss": 1})
"""
    )
    source = """
def test_program(one_logger_capture):
    import program
    program.main()
    assert one_logger_capture.rows[0]["loss"] == 1
"""
    without = run(source)
    without.assert_outcomes(failed=1)
    without.stdout.fnmatch_lines(["*No module named 'one_logger'*"])
    monkeypatch.setenv("ONE_LOGGER_V1_SHIM", "1")
    result = run(source, "-W", "error")
    result.assert_outcomes(passed=1)


# -- who does not use it sees nothing --------------------------------------------------------------------------

LOOKS = """
import json, logging, os, sys, threading

def test_look(request):
    found = {
        "modules": sorted(name for name in sys.modules if "one_logger" in name),
        "finders": [type(finder).__name__ for finder in sys.meta_path],
        "environ": sorted(name for name in os.environ if "ONE_LOGGER" in name or "WANDB" in name),
        "loggers": sorted(name for name in logging.Logger.manager.loggerDict if "one_logger" in name),
        "threads": threading.active_count(),
        "heavy": sorted({"wandb", "pydantic", "wrapt", "yaml", "overrides"} & set(sys.modules)),
    }
    with open("found.json", "w") as file:
        json.dump(found, file)
"""


@pytest.mark.parametrize("mode", ["", "1"], ids=["", "no-edit"])
def test_who_does_not_use_it_sees_nothing(
    mode: str, run: Any, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With warnings as errors; with the plugin and without it the process is the same."""
    monkeypatch.setenv("ONE_LOGGER_V1_SHIM", mode)
    looks = []
    for arguments in (("-W", "error"), ("-W", "error", "-p", "no:one_logger_v1_shim")):
        result = run(LOOKS, *arguments, "-q", "--no-header")
        result.assert_outcomes(passed=1)
        output = re.sub(r"in [\d.]+s", "", result.stdout.str())
        looks.append((json.loads((pytester.path / "found.json").read_text()), output, result.stderr.str()))
    (found, *text), (bare, *bare_text) = looks
    assert text == bare_text
    assert found["modules"] == sorted([*bare["modules"], "_one_logger_v1_shim_pytest"])
    assert {**found, "modules": []} == {**bare, "modules": []}
    assert ("one_logger_v1_shim" in found["modules"]) == bool(mode)


def test_the_plugin_is_a_module_of_few_imports(tmp_path: Path) -> None:
    code = """
import pytest, sys, typing
before = set(sys.modules)
import _one_logger_v1_shim_pytest
assert set(sys.modules) - before == {"_one_logger_v1_shim_pytest"}, set(sys.modules) - before
"""
    run_python(code, tmp_path)


def test_pytest_lists_it(run: Any) -> None:
    result = run("", "--fixtures", "-v")
    result.stdout.fnmatch_lines(["one_logger_capture -- *", "    OneLogger rows and v2 spans of a test, in memory*"])


# -- what a block must not do ----------------------------------------------------------------------------------

WATCHED = (
    """
import os, sys
sys.dont_write_bytecode = True
events = []

def audit(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND) if isinstance(flags, int) else True
        if writes and path != os.devnull:
            events.append((event, path, mode, flags))
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.mkdir",
                   "os.rename", "os.remove", "shutil.rmtree", "tempfile.mkdtemp", "tempfile.mkstemp") or (
        event in ("socket.__new__", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto")
    ):
        events.append((event, arguments))
"""
    + CONFIG
    + """
from one_logger_v1_shim.testing import capture
from one_logger_v1_shim import OneLogger, configure_v2_adapter
from one_logger_v1_shim.utils import OneLoggerUtils

sys.addaudithook(audit)
with capture() as captured:
    for asynchronous in (True, False):
        utils = OneLoggerUtils({**CONFIG, "one_logger_async": asynchronous})
        utils.on_app_start()
        utils.on_train_start(train_iterations_start=0)
        for _ in range(4):
            utils.on_train_batch_start()
            utils.on_train_batch_end()
        utils.on_save_checkpoint_start(global_step=4)
        utils.on_save_checkpoint_end(global_step=4)
        utils.on_save_checkpoint_success(global_step=4)
        OneLogger({"project": "p"}).log_metrics({"odd": object(), "large": 10**30})
        if asynchronous:
            utils.on_app_end()
            utils.finish()
assert len(captured.rows) > 20 and len(captured.runs) == 1, captured
with capture() as captured:
    configure_v2_adapter(CONFIG)
    from nv_one_logger.training_telemetry.api import callbacks as v2
    v2.on_app_start()
    v2.on_app_end()
assert len(captured.rows) > 2 and len(captured.spans) == 1
assert events == [], events
assert "wandb" not in sys.modules and "subprocess" not in sys.modules
open("proof", "w").close()
assert len(events) == 1, "the hook hears"
"""
)


@pytest.mark.parametrize("mode", ["online", None])
def test_no_process_no_file_no_connection_no_wandb(mode: Any, tmp_path: Path) -> None:
    given = {"WANDB_MODE": mode, "WANDB_API_KEY": "0" * 40}
    env = {key: value for key, value in given.items() if value is not None}
    run_python(WATCHED, tmp_path, env=env)
    assert [path.name for path in tmp_path.iterdir()] == ["proof"]


STARTS = """
import subprocess, sys, multiprocessing, os
from one_logger_v1_shim import OneLogger
from one_logger_v1_shim.testing import capture

CHILD = "from one_logger_v1_shim import OneLogger; core = OneLogger({'project': 'p'}); core.log_metrics({'child': 1})"

def child(queue):
    core = OneLogger({"project": "child"})
    core.log_metrics({"child": 1})
    core.finish()
    queue.put(type(core._telemetry._rows.sink).__name__)

if __name__ == "__main__":
    sinks = []
    with capture() as captured:
        started = subprocess.run([sys.executable, "-c", CHILD], check=True, capture_output=True, text=True)
        for how in ("spawn", "fork", "forkserver"):
            context = multiprocessing.get_context(how)
            queue = context.SimpleQueue()
            process = context.Process(target=child, args=(queue,))
            process.start()
            sinks.append(queue.get())
            process.join()
            assert process.exitcode == 0
        OneLogger({"project": "p"}).log_metrics({"mine": 1})
    assert [row["mine"] for row in captured.rows] == [1]
    assert sinks == ["NoneType", "MemorySink", "NoneType"], sinks
    print(started.stderr)
    assert "ONE_LOGGER_V1_STARTED_BY_TEST" not in os.environ
"""


def test_processes_that_a_test_starts_log_nothing_anywhere(tmp_path: Path) -> None:
    """Not even with a key: a test that starts a training must not upload its rows."""
    (tmp_path / "starts.py").write_text(STARTS)
    env = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    result = run_command([sys.executable, "starts.py"], tmp_path, env=env)
    assert "started by a test that captures OneLogger rows; its own run is not logged" in result.stdout
    assert not list(tmp_path.rglob("*wandb*"))


ALONE = (
    """
import importlib.abc, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ("nv_one_logger", "wandb", "pydantic", "pydantic_core", "pytest"):
            raise BROKEN

sys.meta_path.insert(0, Hidden())
"""
    + CONFIG
    + """
import logging
logging.basicConfig()
from one_logger_v1_shim.testing import capture
from one_logger_v1_shim.utils import OneLoggerUtils

for _ in range(2):
    with capture() as captured:
        utils = OneLoggerUtils(CONFIG)
        utils.on_app_start()
        utils.on_app_end()
    assert ["app_start_time" in row for row in captured.rows] == [False, False, True, False], captured.rows
    try:
        captured.spans
    except RuntimeError as error:
        print(error)
    else:
        raise SystemExit("spans without v2")
"""
)


@pytest.mark.parametrize(
    "broken", ["ModuleNotFoundError(f'No module named {name!r}', name=name)", "TypeError('pydantic is too old')"]
)
def test_without_v2_there_are_rows_and_spans_say_why(broken: str, tmp_path: Path) -> None:
    result = run_python(ALONE.replace("BROKEN", broken), tmp_path)
    why = "No module named 'nv_one_logger'" if "Module" in broken else "pydantic is too old"
    line = f"no spans: v2 (nv_one_logger) cannot be used here ({why}"
    assert [said.startswith(line) for said in result.stdout.splitlines()] == [True, True], result.stdout
    assert result.stderr == ""


# -- the document ----------------------------------------------------------------------------------------------


def test_its_first_example_has_five_lines() -> None:
    first = next(one.text for one in SAMPLES if one.language == "python")
    assert len([line for line in first.splitlines() if line]) <= 5


def test_every_sample_of_the_document_runs(
    run: Any, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that it names, the tests in them, and the commands of its shell blocks."""
    tests = 0
    for number, text in enumerate(one.text for one in SAMPLES if one.language == "python"):
        name = re.match(r"# (\w+\.py)\b", text)
        (pytester.path / (name[1] if name else f"test_sample_{number}.py")).write_text(text)
        tests += len(re.findall(r"^def test_|^    def test_", text, re.MULTILINE))
    assert tests >= 5
    commands = [line for one in SAMPLES if one.language == "sh" for line in one.text.splitlines() if line]
    assert commands
    assert all("-m pytest" in command for command in commands)
    for command in commands:
        words = command.split("#")[0].replace("python ", f"{sys.executable} ")
        result = run_command(["sh", "-c", words], pytester.path, env={"PYTHONPATH": ""}, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        assert f"{tests} passed" in result.stdout, result.stdout
    assert not list(pytester.path.rglob("*wandb*"))

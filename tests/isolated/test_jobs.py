"""What a job in isolated mode logs: the same rows and the same v2 stream as in one process, and nothing is imported."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from tests import recorded
from tests.delivery import jobs
from tests.isolated.places import Job
from tests.support import BOOKKEEPING, CONFIG, golden, run_command, same, stored_rows

#: plays a recorded job, and says which packages it has imported from its environment
#: wandb does not read what all packages say of themselves
QUICK = {"WANDB_MODE": "offline", "WANDB_X_SAVE_REQUIREMENTS": "false"}
HIDDEN = BOOKKEEPING | {"app_tag", "app_tag_id", "app_tag_count"}


def expected(name: str) -> list[dict[str, Any]]:
    """The rows that v1 logged."""
    rows = [emit[1] for one in golden(name)["expect"] for emit in one["emits"] if emit[0] == "log_metrics"]
    kept = [{key: value for key, value in row.items() if key not in HIDDEN} for row in rows]
    return [row for row in kept if row]


def exporting(home: Path) -> str:
    """v2's export configuration: its FileExporter, into ``home``."""
    exporters = home / "exporters.json"
    file = {"class_name": "nv_one_logger.exporter.file_exporter.FileExporter"}
    exporters.write_text(json.dumps({"exporters": [{**file, "config": {"file_path": str(home / "v2.jsonl")}}]}))
    return str(exporters)


def play(home: Path, python: str, name: str, option: str = "", **env: str) -> list[str]:
    """Plays a recorded job; returns which packages its process has imported from its environment."""
    home.mkdir(exist_ok=True)
    told = {**QUICK, "ONE_LOGGER_EXPORTER_CONFIG_PATH": exporting(home), **env}
    done = run_command(recorded.command(python, name, option), home, env=told)
    assert "Error" not in done.stderr, done.stderr
    jobs.gone(home)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", ["quickstart", "core_megatron_async"])
def test_every_row_from_an_environment_with_our_package_alone(name: str, tmp_path: Path, job: Job, python: str) -> None:
    assert (sorted(job.added)[0].partition("@")[0].partition("=")[0].strip(), len(job.added)) == (
        "one-logger-v1-shim",
        1,
    )
    assert job.removed == set()
    before = job.frozen()
    imported = play(tmp_path, str(job.python), name, ONE_LOGGER_V1_PYTHON=python, PYTHONPATH="")
    assert imported == ["one_logger_v1_shim"]
    rows = stored_rows(tmp_path)
    assert rows == expected(name)
    (run,) = jobs.stored(tmp_path)
    assert run.steps == list(range(len(run.rows)))
    assert job.frozen() == before


@pytest.fixture
def read_only(isolated: Path) -> Iterator[Callable[[], set[Any]]]:
    """The environment as in a finished image (root may write all the same); the function says what is in it."""
    folders = [path for path in (isolated, *isolated.rglob("*")) if path.is_dir() and not path.is_symlink()]
    for folder in folders:
        folder.chmod(0o555)
    yield lambda: {(str(path), path.lstat().st_mtime_ns, path.lstat().st_size) for path in isolated.rglob("*")}
    for folder in folders:
        folder.chmod(0o755)


def test_a_read_only_environment(tmp_path: Path, python: str, read_only: Callable[[], set[Any]]) -> None:
    """All is compiled that the worker imports: nothing is written where it lies."""
    before = read_only()
    play(tmp_path, sys.executable, "quickstart", ONE_LOGGER_V1_PYTHON=python)
    assert stored_rows(tmp_path) == expected("quickstart")
    assert len(v2_lines(tmp_path)) > 10
    assert read_only() == before


def v2_lines(home: Path) -> list[Any]:
    """What v2's FileExporter has written, without what must differ: the ids of spans and the process number."""
    lines = [json.loads(line) for line in (home / "v2.jsonl").read_text().splitlines()]
    numbers: dict[str, int] = {}

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: plain(one, name) for name, one in value.items() if name != "pid"}
        if isinstance(value, list):
            return [plain(one) for one in value]
        # spans are told apart by ids, which are new in each run: the first that is named is number 0 in both
        return numbers.setdefault(value, len(numbers)) if key in IDS and isinstance(value, str) else value

    return [plain(line) for line in lines]


#: differ between two runs of the same program
IDS = ("id", "parent_span", "parent_span_id", "span_id")


@pytest.mark.parametrize("name", ["checkpoint_async_out_of_order", "random_3"])
def test_v2s_file_is_the_same_as_in_the_jobs_process(name: str, tmp_path: Path, python: str) -> None:
    """The job could import wandb and v2 in both modes: in isolated mode it does not."""
    inside, isolated = tmp_path / "inside", tmp_path / "isolated"
    imported = play(inside, sys.executable, name, "--v2")
    assert "nv_one_logger" in imported
    imported = play(isolated, sys.executable, name, ONE_LOGGER_V1_PYTHON=python)
    assert set(imported) <= {"one_logger_v1_shim"}
    assert len(v2_lines(inside)) > 10
    assert v2_lines(isolated) == v2_lines(inside)
    assert same(stored_rows(isolated), stored_rows(inside))
    assert same(stored_rows(isolated), expected(name))


SECOND_FACE = """
from one_logger_v1_shim import OneLogger
from one_logger_v1_shim.utils import OneLoggerUtils
core = OneLogger({"project": "delivery", "name": "first"})
core.log_metrics({"a": 1})
sizes = iter(SIZES)
one = OneLoggerUtils({**CONFIG, "app_tag": lambda: "tag", "global_batch_size": lambda: next(sizes)})
one.on_app_start()
one.on_train_start(train_iterations_start=0, train_samples_start=0)
for _ in range(4):
    one.on_train_batch_start()
    one.on_train_batch_end()
one.on_train_end()
one.on_app_end()
one.finish()
core.finish()
"""
GROWING = list(range(8, 100, 8))


def second_face(home: Path, sizes: list[Any], begin: str = "", **env: str) -> jobs.Result:
    """A job whose ``OneLoggerUtils`` joins a core's run; ``sizes``: its global batch sizes, as they are read."""
    code = f"{begin}CONFIG = {CONFIG | {'one_logger_async': True}!r}\nSIZES = {sizes!r}\n{SECOND_FACE}"
    result = jobs.run(code, home, env)
    jobs.gone(home)
    assert result.code == 0, result.err
    return result


def in_both_modes(home: Path, sizes: list[Any], python: str) -> list[jobs.Result]:
    """:func:`second_face` with v2 in the job's process, and in isolated mode."""
    results = []
    for mode, begin in {"inside": "import nv_one_logger.training_telemetry.api.callbacks\n", "isolated": ""}.items():
        place = home / mode
        place.mkdir()
        env = {"ONE_LOGGER_V1_PYTHON": python, "ONE_LOGGER_EXPORTER_CONFIG_PATH": exporting(place)}
        results.append(second_face(place, sizes, begin, **env))
    return results


def test_callables_of_a_second_logger(tmp_path: Path, python: str) -> None:
    """v2 hears of the training from a `OneLoggerUtils` that joins a core's run, with the values that it has read."""
    results = in_both_modes(tmp_path, GROWING, python)
    assert ["v2" in result.err for result in results] == [False, False], [result.err for result in results]
    inside, isolated = (events(v2_lines(result.home)) for result in results)
    assert inside["update_training_telemetry_config"]["perf_tag"] == "tag"
    assert inside["training_metrics_update"]["num_train_samples"] > 32, "the size has grown"
    assert isolated == inside


def test_trouble_with_v2_is_said_in_both_modes(tmp_path: Path, python: str) -> None:
    """One line for each kind, in the job's log, wherever v2 is."""
    results = in_both_modes(tmp_path, ["eight"] * 100, python)
    said = [[line.partition(" (")[0] for line in result.lines if line.startswith("v2 ")] for result in results]
    assert said == [["v2 is told nothing of the training"]] * 2


def test_v2_without_exporters_says_nothing(tmp_path: Path, python: str) -> None:
    """Nobody has asked for v2: that it has nobody to tell is no trouble."""
    result = second_face(tmp_path, GROWING, ONE_LOGGER_V1_PYTHON=python)
    assert [line for line in result.lines if line.startswith("v2 ")] == []
    assert jobs.mark(tmp_path)["said"] == []


def events(lines: list[Any]) -> dict[str, dict[str, Any]]:
    """What v2's exporters were told about the training, by the event; the last one counts."""
    wanted = {
        "update_training_telemetry_config": ("perf_tag", "global_batch_size"),
        "training_metrics_update": ("num_iterations", "num_train_samples"),
    }
    found = {}
    for line in lines:
        event = line.get("event") or line
        keys = wanted.get(event.get("name", ""))
        if keys is not None:
            found[event["name"]] = {key: event["attributes"][key] for key in keys}
    return found


TRAINING = """
from one_logger_v1_shim.utils import OneLoggerUtils
one = OneLoggerUtils(CONFIG)
one.on_app_start()
one.on_train_start(train_iterations_start=0, train_samples_start=0)
def train(count):
    for _ in range(count):
        one.on_train_batch_start()
        one.on_train_batch_end()
train(20)
if KILLED:
    say_so("half")
    wait_for("go on")
train(20)
one.on_validation_start()
one.on_validation_end()
say_so("logged")
if KILLED:
    wait_for("the end")
os._exit(1)
"""


def training(home: Path, python: str, killed: bool) -> jobs.Job:
    home.mkdir()
    config = {**CONFIG, "one_logger_async": True, "train_iterations_target": 100, "train_samples_target": 800}
    code = f"CONFIG = {config!r}\nKILLED = {killed}\n{TRAINING}"
    env = {"ONE_LOGGER_V1_PYTHON": python, "ONE_LOGGER_EXPORTER_CONFIG_PATH": exporting(home)}
    return jobs.Job(code, home, env)


def names(home: Path) -> list[tuple[Any, ...]]:
    """Types, names and parents of what v2 wrote; times differ between two runs."""

    def words(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return tuple((name, words(one, name)) for name, one in sorted(value.items()))
        if key == "row":  # the text of a row, with its times
            return sorted(json.loads(value))
        return value if isinstance(value, str) or key in ("count", *IDS) else type(value).__name__

    return [words(line) for line in v2_lines(home)]


def test_everything_killed_then_recover(tmp_path: Path, python: str) -> None:
    """All rows once and all of v2's lines once, as if the worker had lived to see the job's end."""
    whole = training(tmp_path / "whole", python, killed=False)
    whole.end()
    home = tmp_path / "killed"
    job = training(home, python, killed=True)
    job.wait_for("half")
    jobs.until(lambda: (home / "v2.jsonl").exists(), "v2 hears something")
    worker, service = job.worker(), job.service()
    os.kill(worker, signal.SIGSTOP)
    job.go_on("go on")
    job.wait_for("logged")
    for pid in (service, worker):
        os.kill(pid, signal.SIGKILL)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.end()
    assert len((home / "v2.jsonl").read_text().splitlines()) < len(names(tmp_path / "whole"))

    command = [sys.executable, "-m", "one_logger_v1_shim", "recover"]
    told = {"ONE_LOGGER_V1_PYTHON": python, "ONE_LOGGER_EXPORTER_CONFIG_PATH": "exporters.json"}
    done = run_command(command, home, env=told, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [step for run in jobs.stored(home) for step in run.steps]
    assert steps == list(range(len(list(jobs.journal_lines(home)))))
    assert names(home) == names(tmp_path / "whole")
    again = run_command(command, home, env=told)
    assert "1 of 1 runs finished" in again.stdout
    assert names(home) == names(tmp_path / "whole")


def test_exporters_that_only_a_file_names_are_not_loaded(tmp_path: Path, python: str) -> None:
    home = tmp_path / "home"
    job = training(home, python, killed=True)
    job.wait_for("half")
    jobs.until(lambda: (home / "v2.jsonl").exists(), "v2 hears something")
    for pid in (job.worker(), job.process.pid):
        os.kill(pid, signal.SIGKILL)
    job.end()
    (home / "v2.jsonl").unlink()
    command = [sys.executable, "-m", "one_logger_v1_shim", "recover"]
    done = run_command(command, home, env={"ONE_LOGGER_V1_PYTHON": python}, check=False)
    assert f"v2's export configuration {home}/exporters.json is not used" in done.stdout
    assert not (home / "v2.jsonl").exists()
    steps = [step for run in jobs.stored(home) for step in run.steps]
    assert steps == list(range(len(list(jobs.journal_lines(home)))))


def test_v2_hears_a_disabled_run_in_the_worker(tmp_path: Path) -> None:
    """Nobody wants the rows; v2's exporters were asked for, and live with the worker."""
    env = {"WANDB_MODE": "disabled", "ONE_LOGGER_EXPORTER_CONFIG_PATH": exporting(tmp_path)}
    code = "from one_logger_v1_shim.utils import OneLoggerUtils as Utils\n"
    code += f"one = Utils({CONFIG!r}); one.on_app_start(); one.on_app_end(); one.finish()"
    result = jobs.run(code, tmp_path, env)
    assert (result.code, result.out, result.err) == (0, "", "")
    spans = tmp_path / "v2.jsonl"
    jobs.until(lambda: spans.exists() and "application" in spans.read_text(), "v2 hears of it")
    assert not list(tmp_path.rglob("*.wandb"))

"""``goodput``: from what is on disk to the report, the document and the page."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._cli.goodput import main
from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._v1 import metrics as m
from tests.cli.journals import CONFIGURATION, job_rows, journal
from tests.goodput.story import T0, Story
from tests.goodput.test_histories import three_attempts, undisturbed
from tests.support import Clock, clean_environment, run_python

JSON = dict[str, Any]


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journals of three attempts, each in a folder of its own."""
    with monkeypatch.context() as stopped:
        stories = three_attempts(Clock(stopped, T0))
    return written(tmp_path, stories)


def written(base: Path, stories: Sequence[Story]) -> Path:
    for number, story in enumerate(stories):
        last = number == len(stories) - 1
        journal(base / f"attempt-{number}", story.rows, run_id=f"aaaa000{number}", finish=last)
    return base


def shown(arguments: Sequence[object], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main([str(one) for one in arguments]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def document(arguments: Sequence[object], capsys: pytest.CaptureFixture[str]) -> JSON:
    found: JSON = json.loads(shown([*arguments, "--json"], capsys))
    return found


def test_three_attempts(three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown([three], capsys)
    for line in (
        r"tests / tag / job",
        r"  goodput +35\.8 %",
        r"  wall time +3 min 43 s, from 2023-11-14 22:13:20 UTC",
        r"  attempts +3",
        r"  interruptions +2",
        r"  mean time between interruptions +1 min 7 s",
        r"  lost iterations +12",
        r"  progress +40 of 40 iterations \(100\.0 %\)",
        r"  iterations kept +1 min 20 s \(35\.8 %\)  █+",
        r"  lost work +26\.50 s \(11\.9 %\)  █+",
        r"  between attempts +1 min 30 s \(40\.3 %\)  █+",
        r"  1  aaaa0000  killed +2023-11-14 22:13:20 UTC  38\.50 s  0 to 15 +51\.9 %   12\.50 s +5",
        r"  3  aaaa0002  finished .*20 to 40 +80\.0 %   - +-",
    ):
        assert re.search(rf"^{line}$", text, re.MULTILINE), f"{line}\n{text}"


def test_document(three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = document([three], capsys)
    assert (told["format"], told["version"], told["notes"]) == ("one-logger-v1-shim goodput", 1, [])
    (training,) = told["trainings"]
    assert list(training["parts"]) == [f"{one.key}_ms" for one in d.PARTS]
    wall = training["end_ms"] - training["begin_ms"]
    assert sum(training["parts"].values()) == pytest.approx(wall, abs=0.01)
    assert training["figures"]["wall_ms"] == pytest.approx(wall, abs=0.01)
    assert training["figures"]["goodput"] == pytest.approx(80_000 / wall, rel=1e-6)
    assert training["figures"]["iterations_lost"] == 12
    assert [one["ended"] for one in training["attempts"]] == ["killed", "killed", "finished"]
    assert [one["iterations_lost"] for one in training["attempts"]] == [5, 7, 0]
    for one in training["attempts"]:
        assert sum(one["parts"].values()) == pytest.approx(one["wall_ms"], abs=0.01)
        assert Path(one["folder"]).is_dir()
    assert training["app_tag"] == ["tag"]


def test_what_is_hostile_in_rows_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[31m</script><script>alert(1)</script>"
    journal(tmp_path, [{m.APP_TAG: [evil]}, *job_rows(), {m.APP_TAG_RUN_NAME: evil}], chosen={"project": evil})
    text = shown([tmp_path], capsys)
    assert all(line.isprintable() for line in text.split("\n"))
    page = tmp_path / "page.html"
    shown([tmp_path, "--html", page], capsys)
    content = page.read_text()
    assert "<script>alert" not in content
    assert "\x1b" not in content


def test_grouping_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as stopped:
        clock = Clock(stopped, T0)
        stories = []
        for number, size in enumerate((8, 16, 16)):
            tag = ["a", "b"] if number == 0 else ["b"]  # a list of tags grows
            story = Story(clock, world_size=size, app_tag=tag).call("on_app_start").wait(1).train_start(0)
            stories.append(story.iterate(2, 1))
            clock.advance(10)
    written(tmp_path, stories)
    told = document([tmp_path], capsys)
    (training,) = told["trainings"]
    assert training["app_tag"] == ["a", "b"]
    (note,) = [note for note in training["notes"] if "world_size" in note]
    assert note.startswith("the attempts differ in world_size (8, 16); --group-by ")
    chosen = re.search(r"--group-by (\S+) tells them apart$", note)
    assert chosen is not None
    apart = document([tmp_path, "--group-by", chosen[1]], capsys)
    assert [len(one["attempts"]) for one in apart["trainings"]] == [1, 2]
    assert [len(one["attempts"]) for one in document([tmp_path, "--group-by", "id"], capsys)["trainings"]] == [1, 1, 1]
    assert len(document([tmp_path, "--app-tag", "a"], capsys)["trainings"]) == 1
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--group-by", "colour"])
    assert "colour; expected some of project, app_tag, app_tag_run_name, " in capsys.readouterr().err


@pytest.mark.parametrize("what", ["missing", "empty", "no v1 rows", "other tag", "damaged"])
def test_nothing_to_tell_is_one_line_and_exit_code_2(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place, arguments = tmp_path / "place", []
    if what == "empty":
        place.mkdir()
    elif what == "no v1 rows":
        journal(place, [{"loss": 1.0}])
    elif what == "other tag":
        journal(place, job_rows())
        arguments = ["--app-tag", "nobody's"]
    elif what == "damaged":
        (place / "wandb" / "run-1-abc").mkdir(parents=True)
        (place / "wandb" / "run-1-abc" / "run-abc.wandb").write_bytes(b"nonsense")
    assert main([str(place), *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("one_logger_v1_shim goodput: ")


def test_what_lies_above_other_runs_does_not_hide_them(three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that somebody has copied there, and one of somebody's program that is named as ours is."""
    (three / "run-copied00.wandb").write_bytes(b":W&B")
    (three / "run.json").write_text("{}")
    (told,) = document([three], capsys)["trainings"]
    assert len(told["attempts"]) == 3


def test_bad_input_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Damage, a clock that steps, a target that changes, attempts that overlap, runs that are not v1's."""
    first = [*job_rows(), {m.APP_LAST_LOG_TIME: T0 * 1000 - 3_600_000}]
    later = [
        {name: value + 60_000 if name.endswith("_time") else value for name, value in row.items()} for row in job_rows()
    ]
    second = [{**CONFIGURATION, m.TRAIN_ITERATIONS_TARGET: 500} if row is later[1] else row for row in later]
    journal(tmp_path / "one", first, raw=b'{"torn": ', finish=False, run_id="first000")
    journal(tmp_path / "two", second, raw=b"{not json}\n", finish=False, run_id="second00")
    journal(tmp_path / "three", [{"loss": 1.0}], run_id="third000")
    text = shown([tmp_path], capsys)
    for note in (
        r"train_iterations_target changes between attempts \(100, 500\); the newest counts",
        r"attempt 1 logged for .* s after attempt 2 had begun",
        r"attempt 1: row times go back 1 times, by [\d.]+ s at most",
        r"attempt 1: one-logger-\S+: the last row was being written",
        r"attempt 2: one-logger-\S+: 1 rows cannot be read and are left out",
        r"\S+third000: no v1 rows, left out",
    ):
        assert re.search(rf"^note: {note}", text, re.MULTILINE), f"{note}\n{text}"


V2_NATIVE = """
import time
from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.training_telemetry.api.callbacks import *
from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from nv_one_logger.training_telemetry.v1_adapter import configure_v2_adapter
configure_v2_adapter({"enable_for_current_rank": True, "one_logger_project": "tests", "app_tag": "native",
    "app_tag_run_name": "native", "world_size": 1, "global_batch_size": 8, "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": True, "log_every_n_train_iterations": 1, "train_iterations_target": 10,
    "train_samples_target": 80, "is_save_checkpoint_enabled": True, "save_checkpoint_strategy": "sync"})
import sys
start, end = int(sys.argv[1]), int(sys.argv[2])
on_app_start()
on_model_init_start(); time.sleep(0.02); on_model_init_end()
on_train_start(train_iterations_start=start, train_samples_start=start * 8)
for i in range(start, end):
    on_training_single_iteration_start(); time.sleep(0.01); on_training_single_iteration_end()
    if i + 1 == 4:
        on_save_checkpoint_start(global_step=4); time.sleep(0.02)
        on_save_checkpoint_success(global_step=4); on_save_checkpoint_end()
if end < 10:
    import os
    os._exit(9)
on_train_end()
on_app_end()
"""


@pytest.mark.slow
def test_v2_native_attempts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An application on v2's own callbacks, the first attempt of which dies two iterations after its checkpoint."""
    environ = {"WANDB_MODE": "offline"}
    run_python(V2_NATIVE, tmp_path, "0", "6", env=environ, check=False)
    run_python(V2_NATIVE, tmp_path, "4", "10", env=environ)
    (training,) = document([tmp_path], capsys)["trainings"]
    first, second = training["attempts"]
    assert (first["train_iterations_start"], first["train_iterations_end"], first["iterations_lost"]) == (0, 6, 2)
    assert (second["train_iterations_start"], second["train_iterations_end"]) == (4, 10)
    assert first["parts"]["productive_ms"] >= 40
    assert 20 <= first["parts"]["lost_work_ms"] < first["parts"]["productive_ms"]
    assert first["parts"]["startup_model_init_ms"] >= 20
    assert first["parts"]["save_checkpoint_ms"] >= 20
    assert sum(training["parts"].values()) == pytest.approx(training["figures"]["wall_ms"], abs=0.01)


@pytest.mark.slow
def test_from_wandbs_files_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run without its journal is read from the ``.wandb`` file; with both it counts once."""
    run_python(V2_NATIVE, tmp_path, "0", "10", env={"WANDB_MODE": "offline"})
    both = document([tmp_path], capsys)["trainings"]
    shutil.rmtree(next((tmp_path / "wandb").glob("one-logger-*")))
    alone = document([tmp_path], capsys)["trainings"]
    assert len(both[0]["attempts"]) == len(alone[0]["attempts"]) == 1
    assert alone[0]["parts"] == pytest.approx(both[0]["parts"], abs=0.01)
    assert alone[0]["attempts"][0]["ended"] == "finished"


@pytest.mark.slow
def test_watch_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        story = undisturbed(Clock(stopped, T0))
    folder = journal(tmp_path, story.rows[:-3], finish=False, pid=os.getpid())
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "one_logger_v1_shim", "goodput", str(tmp_path), "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(tmp_path),
    )
    try:
        assert watching.stdout is not None
        assert _next(watching, "  1  ").split()[2] == "running"
        with (folder / "rows-000001.jsonl").open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in story.rows[-3:])
            file.write("#finish 0\n")
        line = _next(watching, "  1  ")
        while "running" in line:
            line = _next(watching, "  1  ")
        assert line.split()[2] == "finished"
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=30)
        assert (watching.returncode, said) == (0, "")
    finally:
        watching.kill()
        watching.wait()


def _next(watching: subprocess.Popen[str], start: str) -> str:
    assert watching.stdout is not None
    for line in watching.stdout:
        if line.startswith(start):
            return line
    raise AssertionError("it ended")


def test_definitions_are_those_of_the_documentation() -> None:
    page = Path(__file__).parents[2] / "docs" / "goodput.md"
    assert d.markdown() in page.read_text(encoding="utf-8")
    keys = [one.key for one in (*d.PARTS, *d.FIGURES)]
    assert len(set(keys)) == len(keys)
    named = set(re.findall(r"\b(?:app|train|validation|save|load)_[a-z_]+\b", d.markdown()))
    ours = {"app_build_optimzer_", *keys, *(f"{key}_ms" for key in keys)}
    assert {one for one in named if one not in m.UNITS and one not in ours} == set()

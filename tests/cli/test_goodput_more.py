"""``goodput``: damage, exit codes, many trainings, the terminal, Prometheus."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim._cli import _html, _text
from one_logger_v1_shim._cli._model import Line, Report, Section
from one_logger_v1_shim._cli._places import open_run
from one_logger_v1_shim._cli._stored import records
from one_logger_v1_shim._cli.goodput import main
from one_logger_v1_shim._cli.recover import main as recover
from one_logger_v1_shim._cli.show import main as show
from one_logger_v1_shim._journal.wandb_file import Scanner, history, records_from
from one_logger_v1_shim._v1 import metrics as m
from tests.cli.journals import job_rows, journal
from tests.goodput.story import T0, Story
from tests.goodput.test_kinds import begun
from tests.journal.test_small_files import row as stored
from tests.journal.test_small_files import wandb_log
from tests.support import Clock, clean_environment, run_python

RECORDED = sorted((Path(__file__).parents[1] / "matrix" / "wandb_files").rglob("*.wandb"))


def document(arguments: Sequence[object], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# -- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", RECORDED[:6], ids=lambda path: path.name)
def test_one_flipped_bit_costs_one_record_at_most(path: Path, tmp_path: Path) -> None:
    whole, data = list(records(path, {})), path.read_bytes()
    dice = random.Random(1)
    for _ in range(40):
        at, bit = dice.randrange(len(data)), dice.randrange(8)
        (tmp_path / "run-x.wandb").write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
        damage: set[int] = set()
        rows = list(records(tmp_path / "run-x.wandb", {}, damage=damage))
        assert all(row in whole for row in rows)
        assert len(rows) >= len(whole) - 1, at
        assert len(rows) == len(whole) or damage or at >= len(data) - 40_000, "it is told; the last record may be torn"


def test_flipped_bits_in_several_blocks(tmp_path: Path) -> None:
    """In the first, a middle and the last of the blocks that the format has: one record for each, at most."""
    path = max(RECORDED, key=lambda one: one.stat().st_size)
    whole, data = list(records(path, {})), path.read_bytes()
    blocks = range(0, len(data), 32_768)
    dice = random.Random(2)
    for count in (2, 3, 3, 3):
        damaged = bytearray(data)
        for first in (blocks[0], blocks[-1], blocks[len(blocks) // 2])[:count]:
            damaged[dice.randrange(first, min(first + 32_768, len(data)))] ^= 1 << dice.randrange(8)
        (tmp_path / "run-x.wandb").write_bytes(damaged)
        damage: set[int] = set()
        rows = list(records(tmp_path / "run-x.wandb", {}, damage=damage))
        assert all(row in whole for row in rows)
        assert len(rows) >= len(whole) - count
        assert damage


def test_a_block_of_zeros_or_another_is_told(tmp_path: Path) -> None:
    """A disk's fault. A record that began before it is not joined with the end of another one behind it."""
    path = tmp_path / "run-x.wandb"
    data = wandb_log(*(stored(step, step + 1, pad=9_000 + 31 * step) for step in range(40)))
    blocks = range(32_768, len(data) - 65_536, 32_768)
    assert len(blocks) > 8
    for begin in blocks:
        for other in (bytes(32_768), data[begin + 32_768 : begin + 65_536]):
            path.write_bytes(data[:begin] + other + data[begin + 32_768 :])
            run = open_run(path)
            assert 34 <= sum(1 for _ in run.rows()) < 40
            assert any("rows are missing" in note for note in run.notes), begin
            assert any(other) or Scanner(path).advance() <= begin // 9_000


def test_steps_that_somebody_chose_are_not_missing_rows(tmp_path: Path) -> None:
    path = tmp_path / "run-steps.wandb"
    path.write_bytes(wandb_log(*(stored(100 * step, step) for step in range(9))))
    run = open_run(path)
    assert (sum(1 for _ in run.rows()), run.notes) == (9, [])
    path.write_bytes(wandb_log(*(stored(step, step) for step in range(9) if step != 4)))
    run = open_run(path)
    assert (sum(1 for _ in run.rows()), run.notes) == (8, ["run-steps.wandb: 1 rows are missing between others"])


def test_what_decides_about_rows_still_stops_at_damage(tmp_path: Path) -> None:
    path = max(RECORDED, key=lambda one: one.stat().st_size)
    data = bytearray(path.read_bytes())
    ends = [end for _, end in records_from(bytes(data[7:]), 7)]
    data[ends[len(ends) // 2] - 1] ^= 1
    (tmp_path / "run-x.wandb").write_bytes(data)
    assert Scanner(tmp_path / "run-x.wandb").advance() < Scanner(path).advance()


JOB = """
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG
utils = OneLoggerUtils({**CONFIG, "is_save_checkpoint_enabled": True, "save_checkpoint_strategy": "sync",
                        "train_iterations_target": 200, "train_samples_target": 1600, "one_logger_async": True,
                        "log_every_n_train_iterations": 1})
utils.on_app_start()
utils.on_train_start(train_iterations_start=0)
for i in range(200):
    utils.on_train_batch_start()
    utils.on_train_batch_end()
utils.on_save_checkpoint_start(global_step=200)
utils.on_save_checkpoint_success(global_step=200)
utils.on_save_checkpoint_end(global_step=200)
utils.on_train_end()
utils.on_app_end()
utils.finish()
"""


@pytest.mark.slow
def test_a_damaged_file_is_read_on_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_python(JOB, tmp_path, env={"WANDB_MODE": "offline"})
    shutil.move(next((tmp_path / "wandb").glob("one-logger-*")), tmp_path / "kept")
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    right = document([tmp_path / "wandb"], capsys)["trainings"][0]
    data = bytearray(file.read_bytes())
    ends = [end for body, end in records_from(bytes(data[7:]), 7) if history(body)]
    data[ends[60] - 20] ^= 4
    file.write_bytes(data)
    (found,) = document([tmp_path / "wandb"], capsys)["trainings"]
    assert found["attempts"][0]["ended"] == "finished"
    assert found["parts"] == pytest.approx(right["parts"], abs=1)
    (note,) = [note for note in found["notes"] if "is damaged" in note]
    assert re.search(r"run-\w+\.wandb is damaged at byte \d+: 1 rows are missing$", note)
    capsys.readouterr()
    assert show([str(file)]) == 0
    assert "is damaged at byte" in capsys.readouterr().out
    folder = tmp_path / "wandb" / "one-logger-20261128_000000-again000"
    shutil.move(tmp_path / "kept", folder)
    mark = json.loads((folder / "mark.json").read_text())
    (folder / "mark.json").write_text(json.dumps({**mark, "state": "unfinished"}))
    assert recover([str(folder), "--dry-run"]) == 1
    assert "is damaged at byte" in capsys.readouterr().out


def test_a_row_whose_first_character_is_damaged_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = journal(tmp_path, job_rows())
    rows = folder / "rows-000001.jsonl"
    lines = rows.read_bytes().split(b"\n")
    lines[5] = b"[" + lines[5][1:]
    rows.write_bytes(b"\n".join(lines))
    (found,) = document([tmp_path], capsys)["trainings"]
    assert any("1 rows cannot be read" in note for note in found["notes"])


# -- how it ended --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", [False, True])
def test_two_attempts_in_one_run(
    process: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second construction, which sends no tag again, or another process in a W&B run that was resumed."""
    with monkeypatch.context() as stopped:
        clock = Clock(stopped, T0)
        stories = [begun(clock).iterate(4, 1).save(1).iterate(2, 1)]
        if process:
            clock.advance(30)
            stories.append(Story(clock).call("on_app_start"))  # it dies there
        clock.advance(30)
        stories.append(begun(clock, 4).iterate(4, 1).save(1).end())
    rows = []
    for story in stories:
        tags, *rest = story.rows
        first = {**tags, m.APP_FIRST_LOG_TIME: tags[m.APP_LAST_LOG_TIME]}
        rows += [first] if process or not rows else []
        rows += [row for row in rest if m.APP_TAG not in row]
    journal(tmp_path, rows)
    assert main([str(tmp_path), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["trainings"]
    seconds = {key: value / 1000 for key, value in told["parts"].items() if value}
    assert seconds == {
        "productive_ms": 8, "lost_work_ms": 2, "startup_model_init_ms": 20, "startup_rest_ms": 2,
        "save_checkpoint_ms": 2, "between_attempts_ms": 60 if process else 30
    }  # fmt: skip
    ended = ["killed", "killed", "finished"] if process else ["finished", "finished"]
    assert [one["ended"] for one in told["attempts"]] == ended


@pytest.mark.parametrize(
    ("finish", "mark", "app_end", "ended", "code"),
    [
        (0, 0, True, "finished", 0),
        (3, 3, True, "failed", 3),
        (-9, None, False, "failed", -9),
        (None, 0, False, "finished", 0),
        (None, 1, False, "killed", 1),
        (None, 1, True, "failed", 1),
        (None, 0, True, "finished", 0),
        (None, None, True, "finished", None),
        (None, None, False, "killed", None),
    ],
)
def test_an_exit_code_that_is_not_0_is_an_interruption(
    finish: Optional[int], mark: Optional[int], app_end: bool, ended: str, code: Optional[int],
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    rows = job_rows() if app_end else job_rows()[:-1]
    line = b"" if finish is None else f"#finish {finish}\n".encode()
    folder = journal(tmp_path, rows, finish=False, raw=line)
    (folder / "mark.json").write_text(json.dumps({"state": "finished", "exit_code": mark}))
    (found,) = document([tmp_path], capsys)["trainings"]
    (attempt,) = found["attempts"]
    assert (attempt["ended"], attempt["exit_code"]) == (ended, code)
    assert found["figures"]["interruptions"] == (ended != "finished")


# -- many trainings ------------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty trainings a day apart; the number of GPUs grows, and with it what each has lost."""
    with monkeypatch.context() as stopped:
        clock = Clock(stopped, T0)
        for number in range(30):
            clock.now = T0 + number * 86_400
            story = Story(clock, app_tag=f"tag-{number}", world_size=8 * (number + 1)).call("on_app_start").wait(3600)
            story.train_start().iterate(10, 360).save(36).end()
            journal(tmp_path / str(number), story.rows, run_id=f"run000{number:02}")
    return tmp_path


def test_many_trainings_are_one_line_each(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([str(many)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 1 + 30 + 1 + 1
    assert re.match(r"  1 +tests / tag-29 / job +2023-12-13 +1 +2 h 0 min 36 s +49\.8 % +482 +240 +242$", lines[2])
    assert re.match(r"  30 +tests / tag-0 / job ", lines[31])
    assert re.match(r"     +all 30 +30 +\d+ .* 49\.8 % +7,477 +3,720 +3,757$", lines[32])
    assert main([str(many), "--details", "2"]) == 0
    out = capsys.readouterr().out
    assert out.count("Where the time went") == 1
    assert "2: tests / tag-28 / job" in out
    page = many / "page.html"
    assert main([str(many), "--html", str(page)]) == 0
    assert page.stat().st_size < 300_000


def test_since_and_until(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = document([many, "--since", "2023-11-20", "--until", "2023-11-22T00:00"], capsys)["trainings"]
    assert [one["app_tag"] for one in told] == [["tag-5"], ["tag-6"], ["tag-7"]]
    assert main([str(many), "--since", "2030-01-01"]) == 2
    assert "in that time" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(many), "--since", "yesterday"])
    assert "expected 2026-11-28" in capsys.readouterr().err


def test_prometheus(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(many / "evil", [{m.APP_TAG: ['a"b\\c\nd']}, *job_rows()[1:]], run_id="evil0000")
    file = many / "one_logger.prom"
    assert main([str(many), "--prometheus", str(file)]) == 0
    text = file.read_text()
    assert text.endswith("\n")
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(set(families)) == len(families)
    sample = re.compile(r'([a-z_]+)\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\} -?[\d.e+-]+')
    seen = set()
    for line in text.splitlines():
        if not line.startswith("#"):
            found = sample.fullmatch(line)
            assert found is not None, line
            assert found[1] in families
            assert line.rpartition(" ")[0] not in seen
            seen.add(line.rpartition(" ")[0])
    assert 'one_logger_goodput_ratio{project="tests",app_tag="tag-0",run_name="job",id="run00000"} 0.49' in text
    assert all(re.search(r"_(seconds|ratio|attempts|interruptions|iterations|running)$", name) for name in families)


@pytest.mark.slow
def test_promtool_finds_nothing(many: Path, tmp_path: Path) -> None:
    journal(many / "evil", [{m.APP_TAG: ['a"b\\c\nd']}, *job_rows()[1:]], run_id="evil0000")
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("not run: promtool (Debian: prometheus) is not installed")
    assert main([str(many), "--prometheus", str(tmp_path / "all.prom")]) == 0
    with (tmp_path / "all.prom").open("rb") as file:
        checked = subprocess.run([promtool, "check", "metrics"], stdin=file, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


# -- the terminal --------------------------------------------------------------------------------------------------


def test_a_narrow_terminal_leaves_columns_out_and_cuts_none() -> None:
    table = [["one", "two", "three"], ["1" * 30, "2" * 30, "3" * 30]]
    out = io.StringIO()
    first = Section("First", lines=[Line("label", "value")])
    _text.write_plain(Report("t", [first, Section("S", table=table, drop=(1, 2))], []), out, width=80)
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "3" * 30 in out.getvalue()
    assert "2" * 30 not in out.getvalue()
    _text.write_plain(Report("t", [first, Section("S", table=table, drop=(1, 2))], []), out)
    assert "2" * 30 in out.getvalue(), "nobody's screen has no width"


@pytest.mark.parametrize("width", [60, 80])
def test_bars_curves_and_notes_fit_the_terminal(width: int) -> None:
    lines = [
        Line("a part with a name", "15 h 20 min 50 s (57.1 %)", share=0.99, kind="idle"),
        Line("a metric", "1.25", spark=[1.0, 2.0] * 50),
        Line("a long value", "of words " * 12 + "x" * 90, spark=[1.0, 2.0] * 50),
        Line("a_metric_with_a_long_name_" * 4, "1.25"),
    ]
    table = [["#", "training", "goodput"], ["1", "a training with a name that is long " * 3, "50.0 %"]]
    report = Report(
        "t",
        [Section("S", lines=lines), Section("T", table=table)],
        ["a note of many words " * 6 + "--an-option-with-hyphens"],
    )
    plain, rich = io.StringIO(), io.StringIO()
    _text.write_plain(report, plain, width)
    _text.write_rich(report, rich, width=width)
    for text in (plain.getvalue(), rich.getvalue()):
        assert max(map(len, text.splitlines())) <= width
        assert len([line for line in text.splitlines() if "█" in line]) <= 2, "no bar on two lines"
        assert text.count("x") >= 90
    assert "--an-option-with-hyphens" in plain.getvalue()
    free = io.StringIO()
    _text.write_plain(report, free)
    assert free.getvalue().splitlines()[-1].startswith("note: a note of many words"), "nobody's screen has no width"


def test_a_sum_is_never_cut_off() -> None:
    table = [["one"], *([str(number)] for number in range(3000)), ["all 3000"]]
    for total in (True, False):
        report = Report("t", [Section("S", table=table, total=total)], [])
        out = io.StringIO()
        _text.write_plain(report, out, width=80)
        rich = io.StringIO()
        _text.write_rich(report, rich, width=80)
        for text in (out.getvalue(), rich.getvalue(), _html.page(report)):
            assert ("all 3000" in text) is total
            assert (" more" in text) is not total


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="not run: no pseudo terminals here")
@pytest.mark.parametrize("terminal", ["xterm", "dumb"])
def test_watch_waits_on_a_screen_of_its_own(tmp_path: Path, terminal: str) -> None:
    master, slave = os.openpty()
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "one_logger_v1_shim", "goodput", str(tmp_path), "--watch"],
        stdout=slave, stderr=slave, env=clean_environment(tmp_path, {"TERM": terminal}),
    )  # fmt: skip
    os.close(slave)
    said = b""
    try:
        while b"waiting: no run in" not in said:
            said += os.read(master, 4096)
        journal(tmp_path, job_rows())
        while b"Where the time went" not in said:
            said += os.read(master, 4096)
        watching.send_signal(signal.SIGINT)
        while b"Where the time went" in said:
            try:
                more = os.read(master, 4096)
            except OSError:
                break
            said += more
        assert watching.wait(30) == 0
    finally:
        watching.kill()
        watching.wait()
        os.close(master)
    if terminal == "dumb":
        assert b"\x1b" not in said
    else:
        assert said.startswith(b"\x1b[?1049h")
        assert said.rstrip().endswith(b"\x1b[?1049l")

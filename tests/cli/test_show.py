"""``show``: what is on disk is what is shown, and nothing on disk can hurt the one who looks."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from one_logger_v1_shim._cli import _collect, _format, _report, _text
from one_logger_v1_shim._cli._places import find_all
from one_logger_v1_shim._cli.show import main, read
from one_logger_v1_shim._journal.calls import is_row
from one_logger_v1_shim._journal.wandb_file import records_from
from one_logger_v1_shim._v1 import metrics as m
from tests.cli.journals import CONFIGURATION, RUN_ID, job_rows, journal, training
from tests.support import run_python


def shown(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main([str(path)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def value(text: str, label: str) -> str:
    """The value behind ``label``, without its little plot."""
    found = re.search(rf"^  {re.escape(label)} +(.*)$", text, re.MULTILINE)
    assert found is not None, f"{label!r} is not in\n{text}"
    return re.sub(r"  [▁-█]+$", "", found[1])


def test_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(journal(tmp_path, job_rows(), state="offline"), capsys)
    expected = {
        "project": "tests",
        "run name": "llama-7b",
        "id": RUN_ID,
        "entity": "hwinf_dcm",
        "created": "2023-11-14 22:13:20 UTC",
        "rows": "33, of which W&B has taken 33",
        "world_size": "16",
        "is_baseline_run": "false",
        "learning_rate": "0.25",
        "application": "tag-a, tag-b",
        "model init": "12.50 s (10.0 %), from 2023-11-14 22:13:20 UTC",
        "checkpoint load": "began 2023-11-14 22:13:33 UTC, not ended, 1 min 52 s until the last row",
        "training loop": "30.00 s (24.0 %), from 2023-11-14 22:13:40 UTC",
        "training iterations": "21.00 s (16.8 %) in total",
        "iterations": "20 of 100 (20.0 %)",
        "samples": "160 of 800 (20.0 %)",
        "iteration time": "average 1,050 ms, shortest 1,000 ms",
        "between rows": "1,000 ms an iteration, latest",
        "throughput": "114.3 TFLOP/s a GPU on average, most 120.0",
        "still to go": "about 1 min 24 s of iterations",
        "training stood still": "3.00 s",
        "productive": "16.00 s of 21.00 s of training is in a checkpoint (76.2 %)",
        "loss": "2.5  (2 rows)",
        "note": "fine",
    }
    assert {label: value(text, label) for label in expected if label != "application"} == {
        label: said for label, said in expected.items() if label != "application"
    }
    assert "application  tag-a, tag-b" in text
    assert re.search(r"application +2 min 5 s, from 2023-11-14", text)
    # one bar for each interval: the tenth is the high one
    assert re.search(r"between rows .*  ▁{8}█▁{10}$", text, re.MULTILINE)


def sections(path: Path) -> dict[str, list[str]]:
    """The labels of each section."""
    return {section.title: [line.label for line in section.lines] for section in read(path).sections}


# what the lines about tags, and about the times of the rows, say already
@pytest.mark.parametrize("name", sorted(m.UNITS.keys() - {*_report._SAID}))
def test_no_metric_is_hidden(name: str, tmp_path: Path) -> None:
    """A run that has logged this metric alone, as the number and as the text that v1 never sent."""
    for folder, value in (("number", 7), ("text", "seven")):
        found = sections(journal(tmp_path / folder, [{name: value}]))
        assert found.keys() - {"Run"}, value


def test_a_metric_that_no_section_knows_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gets a name and a unit, and is forgotten in the report."""
    monkeypatch.setitem(m.UNITS, "train_brand_new_time_total", m.SECONDS)
    monkeypatch.setattr(_collect, "_KNOWN", frozenset({*m.UNITS, _collect.STAMP}))
    found = sections(journal(tmp_path, [*job_rows(), {"train_brand_new_time_total": 90.0}]))
    assert "train_brand_new_time_total" in found["Other metrics"]


def test_states(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = {"pid": os.getpid()}
    assert value(shown(journal(tmp_path / "a", [{}], state="finished"), capsys), "state").startswith("not finished")
    running = shown(journal(tmp_path / "b", [{}], state="offline", finish=False, **mine), capsys)
    assert value(running, "state") == f"its job runs (process {os.getpid()}) (offline)"
    dead = shown(journal(tmp_path / "c", [{}], state="online", finish=False), capsys)
    assert "not finished (online)" in value(dead, "state")
    assert "recover" in value(dead, "state")


JOB = """
import sys, time
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG
utils = OneLoggerUtils({**CONFIG, "is_save_checkpoint_enabled": True, "save_checkpoint_strategy": "sync",
                        "is_log_throughput_enabled": True, "flops_per_sample": 1e9, "train_iterations_target": 40,
                        "train_samples_target": 320, "metadata": {"colour": "green"}, "one_logger_async": True})
utils.on_app_start()
utils.on_train_start(train_iterations_start=0)
for i in range(20):
    utils.on_train_batch_start()
    utils.on_train_batch_end()
    utils.one_logger.log_metrics({"loss": 3 / (i + 1), "bad": float("nan")})
utils.on_save_checkpoint_start(global_step=20)
utils.on_save_checkpoint_success(global_step=20)
utils.on_save_checkpoint_end(global_step=20)
utils.on_train_end()
utils.on_app_end()
utils.finish()
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that ran, offline, with the real wandb."""
    folder = tmp_path_factory.mktemp("real")
    run_python(JOB, folder, env={"WANDB_MODE": "offline", "WANDB_API_KEY": "k" * 40})
    return folder


def _same_lines(text: str) -> list[str]:
    """What does not depend on where the run was read from."""
    own = ("created", "state", "rows", "run folder", "notice", "read from", "shim version")
    return [" ".join(line.split()) for line in text.splitlines() if not line.strip().startswith(own)]


@pytest.mark.slow
def test_a_real_run_looks_the_same_from_every_side(
    real: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept,) = (real / "wandb").glob("one-logger-*")
    (stored,) = (real / "wandb").glob("offline-run-*")
    text = shown(kept, capsys)
    assert value(text, "state") == "finished (exit code 0)"
    assert value(text, "iterations") == "20 of 40 (50.0 %)"
    assert value(text, "colour") == "green"
    assert value(text, "loss") == "0.15  (20 rows)"
    assert value(text, "productive until") == "iteration 20"
    assert "k" * 40 not in text
    assert shown(real, capsys) == shown(real / "wandb", capsys) == text
    monkeypatch.setenv("WANDB_DIR", str(real))
    capsys.readouterr()
    assert main([]) == 0
    assert capsys.readouterr().out == text
    (file,) = stored.glob("*.wandb")
    from_wandb = shown(stored, capsys)
    assert from_wandb == shown(file, capsys)
    assert value(from_wandb, "state") == "finished (exit code 0)"
    # W&B does not keep the order of the keys in a row
    # and does not know where v2 heard of the calls
    assert sorted(_same_lines(from_wandb)) == sorted(line for line in _same_lines(text) if not line.startswith("v2 "))


@pytest.mark.slow
def test_what_was_rotated_away_comes_from_wandbs_file(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(real / "wandb", tmp_path / "wandb", symlinks=True)
    (kept,) = (tmp_path / "wandb").glob("one-logger-*")
    whole = shown(kept, capsys)
    segment = kept / "rows-000001.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    rows = [at for at, line in enumerate(lines) if is_row(line)]
    (kept / "rows-000002.jsonl").write_bytes(b"".join([b"#from 12\n", *lines[rows[12] - 1 :]]))  # with its call
    segment.unlink()
    assert sorted(shown(kept, capsys).splitlines()) == sorted(whole.splitlines())
    shutil.rmtree(next((tmp_path / "wandb").glob("offline-run-*")))
    assert "note: 12 rows are neither in the journal nor in W&B's own file" in shown(kept, capsys)


def test_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        *job_rows(),
        {m.TRAIN_ITERATIONS_TIME_TOTAL: float("nan"), m.TRAIN_ITERATIONS: float("inf"), m.APP_START_TIME: 1e300},
        {m.TRAIN_SAMPLES: 10**400, m.WORLD_SIZE: {"a": [1, None]}, m.APP_TAG: "no list", "deep": [[[]]]},
        {"huge": "x" * 1_000_000},
        {f"key-{i}": i for i in range(10_000)},
    ]
    raw = b"{not json}\n[1]\n{" + b'"a":[' * 100_000 + b'\n{"torn": tr'
    folder = journal(tmp_path, rows, raw=raw, finish=False)
    (folder / "mark.json").write_bytes(b"\xff\x00")
    text = shown(folder, capsys)
    assert value(text, "project") == "tests"
    assert value(text, "huge").endswith("... (1,000,000 characters)")
    assert "note: 2 rows cannot be read and are left out" in text
    assert "note: the last row was being written" in text
    assert "torn" not in text.replace("torn:", "")
    assert max(map(len, text.splitlines())) < 1000
    (folder / "run.json").write_text('["no object"]')
    shown(folder, capsys)


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(sorted(m.UNITS)) | st.text(max_size=5), JSON, max_size=8), max_size=6))
def test_any_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    report = read(journal(tmp_path_factory.mktemp("any"), rows))
    out = io.StringIO()
    _text.write_plain(report, out)
    for line in out.getvalue().split("\n"):
        assert line.isprintable()


def test_a_row_whose_name_is_empty(tmp_path: Path) -> None:
    out = io.StringIO()
    _text.write_plain(read(journal(tmp_path, [{"": None}])), out)
    assert "null" in out.getvalue()


EVIL = "\x1b]0;owned\x07\x1b[31m\u202e[red]x[/red]</script><script>alert(1)</script><img src=x onerror=alert(2)>\r\n"


def evil_journal(base: Path) -> Path:
    rows = [
        *job_rows(),
        {EVIL: EVIL, m.APP_TAG_RUN_NAME: EVIL, m.APP_TAG: [EVIL]},
        {EVIL: 1.0, "<b>loss</b>": 1.0},
        {EVIL: 2.0, "<b>loss</b>": 2.0},
    ]
    return journal(base, rows, chosen={"project": EVIL, "run_name": EVIL, "api_key": "s3cret" * 7})


def test_contents_are_data(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    key = "0123456789abcdef" * 2
    monkeypatch.setenv("WANDB_API_KEY", key)
    folder = evil_journal(tmp_path)
    with (folder / "rows-000001.jsonl").open("a") as file:
        file.write(json.dumps({"leak": f"key {key}", "my_api_key": "hidden-value"}) + "\n")
    text = shown(folder, capsys)
    assert all(line.isprintable() for line in text.split("\n"))
    assert key not in text
    assert "hidden-value" not in text
    assert "s3cret" not in text
    page = tmp_path / "page.html"
    assert main([str(folder), "--html", str(page)]) == 0
    content = page.read_text()
    assert key not in content
    assert "s3cret" not in content
    assert "<script>alert" not in content
    assert "<img src=x" not in content
    assert "\x1b" not in content.replace("\\x1b", "")


def test_links_and_pipes_are_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = journal(tmp_path, [training(1, 0.0)])
    secret = tmp_path / "secret"
    secret.write_text('{"secret": 1}\n')
    (folder / "rows-000002.jsonl").symlink_to(secret)
    os.mkfifo(folder / "rows-000003.jsonl")
    text = shown(folder, capsys)
    assert "secret" not in text.replace("rows-000002", "").replace(str(tmp_path), "")
    assert "note: rows-000003.jsonl: not an ordinary file" in text


@pytest.mark.parametrize("what", ["missing", "empty", "file", "no wandb file", "damaged"])
def test_nothing_to_show_is_one_line_and_exit_code_2(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "it"
    if what == "empty":
        path.mkdir()
    elif what == "file":
        path.write_text("x")
    elif what != "missing":
        path = tmp_path / "it.wandb"
        path.write_bytes(b"something else" if what == "no wandb file" else b":W")
    assert main([str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


def test_newest_journal_before_a_run_of_the_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = journal(tmp_path, [CONFIGURATION], run_id="old00000")
    for path in [*old.iterdir(), old]:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    journal(tmp_path, [CONFIGURATION], run_id="new00000")
    theirs = tmp_path / "wandb" / "run-20231114_221320-theirs00"
    theirs.mkdir()
    (theirs / "run-theirs00.wandb").write_bytes(b":W&B")
    text = shown(tmp_path, capsys)
    assert value(text, "id") == "new00000"
    assert "note: 1 older runs are here, too" in text


def test_rich_says_the_same(tmp_path: Path) -> None:
    pytest.importorskip("rich", reason="not run: rich is not installed")
    report = read(evil_journal(tmp_path))
    plain, rich = io.StringIO(), io.StringIO()
    _text.write_plain(report, plain)
    _text.write_rich(report, rich, width=2000, force_terminal=True)
    coloured = rich.getvalue()
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert "\x1b" in coloured
    assert "\x1b" not in bare
    assert sorted(re.sub(r"[╭╮╰╯│─]", " ", bare).split()) == sorted(plain.getvalue().split())


def test_ascii_terminal() -> None:
    assert _format.sparkline([1, 2, 3], ascii_only=True).isascii()
    assert _format.sparkline(list(range(1000)), width=40).startswith("▁")
    assert len(_format.sparkline(list(range(1000)), width=40)) == 40
    assert _format.sparkline([1e308, -1e308, 1e308]) != ""


def test_page_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(journal(tmp_path, job_rows())), "--html", str(tmp_path / "no" / "page.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_page_has_its_curves(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert main([str(evil_journal(tmp_path)), "--html", str(page)]) == 0
    text = page.read_text()
    curves = re.findall(
        r'<path class="line c\d" d="([^"]+)"/></svg></div>|<path class="line c\d" d="(M[^"]+L[^"]+)"/>', text
    )
    assert len(curves) >= 6, "iterations, three of time, two of throughput"
    assert "Iteration time" in text
    assert "<b>loss</b>" not in text


@pytest.mark.slow
def test_all_files_of_a_run_are_read(real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker that was replaced has begun a further file, which has the rest of the rows."""
    (stored,) = (real / "wandb").glob("offline-run-*/*.wandb")
    whole = shown(stored, capsys)
    data, half = stored.read_bytes(), None
    for number, (_, end) in enumerate(records_from(data[7:], 7)):
        half = end if number == 60 else half
    assert half is not None
    places = [tmp_path / "wandb" / f"offline-run-2026010{day}_000000-{stored.stem[4:]}" for day in (1, 2, 3)]
    # each is damaged in a row that another one has
    for place, stop, at in zip(places, (half, len(data), len(data)), (2000, half - 20, 2000)):
        damaged = bytearray(data[:stop])
        damaged[at] ^= 1
        place.mkdir(parents=True)
        (place / stored.name).write_bytes(damaged)
    os.utime(places[0] / stored.name)  # copied last
    for place in (*places, tmp_path):
        text = shown(place, capsys)
        assert value(text, "rows") == value(whole, "rows")
        assert "older runs" not in text
        assert "no row is missing that a later one tells of" in text
        assert value(text, "state") == "finished (exit code 0)"
    (run,) = find_all(tmp_path)
    assert len(list(run.rows())) == int(value(whole, "rows"))
    assert run.exit_code == 0


def test_tokens_are_those_of_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {**CONFIGURATION, m.MODEL_SEQ_LENGTH: 8192, m.TRAIN_TOKENS_TARGET: 8192 * 200_000_000},
        {m.TRAIN_ITERATIONS_START: 50, m.TRAIN_SAMPLES_START: 100_000_000},
        {m.TRAIN_ITERATIONS: 1, m.TRAIN_SAMPLES_END: 101_967_000, m.TRAIN_TOKENS: 8192 * 1_967_000},
    ]
    text = shown(journal(tmp_path, rows), capsys)
    assert value(text, "tokens") == "835.3 B of 1.6 T (51.0 %)"
    assert value(text, "tokens in this job") == "16.1 B"

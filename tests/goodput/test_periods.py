"""Goodput by day and week: the periods add up to the whole, and each has what happened in it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim._cli.goodput import main
from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._goodput.periods import DAY, WEEK, periods
from one_logger_v1_shim._goodput.training import Training, add_up
from one_logger_v1_shim._goodput.trainings import group
from tests.cli.journals import journal
from tests.goodput.simulator import history
from tests.goodput.story import T0, Story
from tests.support import Clock

_NEXT_MIDNIGHT = 6400  # seconds after T0, in UTC


def _with_midnight_after(seconds: int) -> tzinfo:
    """A time zone whose first midnight is so many seconds after T0."""
    return timezone(timedelta(seconds=_NEXT_MIDNIGHT - seconds))


def _trainings(clock: Clock, seed: int) -> list[Training]:
    attempts, _ = history(clock, seed, overlaps=seed % 2 == 0, accidents=seed % 3 == 0)
    return [add_up(some) for some in group(attempts)]


def test_random_histories_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    several = 0
    for seed in range(60):
        (one,) = _trainings(clock, seed)
        middle = round((one.begin + one.end) / 2e6 - T0) if seed % 4 else 0
        some = periods([one], DAY if seed % 5 else WEEK, _with_midnight_after(middle))
        several += len(some) > 1
        assert {key: sum(each.parts[key] for each in some) for key in one.parts} == one.parts, seed
        for each in some:
            assert each.wall == min(one.end, each.end) - max(one.begin, each.begin), "all of its time, and no more"
            assert all(us >= 0 for us in each.parts.values())
        for name in ("paid", "kept", "open"):
            told = one.figures[f"gpu_hours_{name}"]
            assert sum(getattr(each, name) for each in some) == pytest.approx(told or 0.0), (seed, name)
    assert several > 30


def test_each_has_what_happened_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before midnight 10 s of start-up and 20 iterations, after it 20 more and a save; then nothing for two days."""
    clock = Clock(monkeypatch, T0)
    story = Story(clock, world_size=8)
    story.call("on_app_start").phase("model_init", 10).call("on_train_start", train_iterations_start=0)
    for _ in range(40):
        story.call("on_train_batch_start").wait(1).call("on_train_batch_end")
    story.call("on_save_checkpoint_start", global_step=40).wait(2).call("on_save_checkpoint_end", global_step=40)
    story.call("on_save_checkpoint_success", global_step=40)
    story.call("on_train_end").call("on_app_end")
    second = Story(Clock(monkeypatch, T0 + 2 * 86400), world_size=8)
    second.call("on_app_start").phase("load_checkpoint", 5).call("on_train_start", train_iterations_start=40)
    second.call("on_train_batch_start").wait(1).call("on_train_batch_end").call("on_train_end").call("on_app_end")
    (one,) = [add_up(some) for some in group([story.attempt(), second.attempt()])]
    first, after, quiet = periods([one], DAY, _with_midnight_after(30))
    parts = {key: us / 1e6 for key, us in first.parts.items() if us}
    assert parts == {d.MODEL_INIT: 10, d.PRODUCTIVE: 20}
    assert after.parts[d.PRODUCTIVE] == 20_000_000
    assert after.parts[d.SAVE_CHECKPOINT] == 2_000_000
    assert after.parts[d.BETWEEN] == after.wall - 22_000_000
    assert quiet.parts[d.BETWEEN] / 1e6 == pytest.approx(86400 - 30, abs=1)
    assert quiet.parts[d.LOAD_CHECKPOINT] == 5_000_000
    assert first.paid == pytest.approx(30 * 8 / 3600)
    assert quiet.paid == pytest.approx(6 * 8 / 3600), "nothing is paid while nothing runs"
    (week,) = periods([one], WEEK, timezone.utc)
    assert week.first.isoformat() == "2023-11-13", "a Monday"


def test_summer_time_ends() -> None:
    zoneinfo = pytest.importorskip("zoneinfo")
    try:
        zone = zoneinfo.ZoneInfo("Europe/Berlin")
    except (OSError, LookupError):
        pytest.skip("not run: no time zones on this system")
    begin = round(datetime(2023, 10, 28, 12, tzinfo=zone).timestamp() * 1e6)
    some = periods_of_nothing(begin, begin + 3 * 86_400_000_000, zone)
    assert [(one.end - one.begin) / 3.6e9 for one in some] == [24, 25, 24, 24]
    assert all(one.end == after.begin for one, after in zip(some, some[1:]))


def periods_of_nothing(begin: int, end: int, zone: tzinfo) -> list[Any]:
    from one_logger_v1_shim._goodput.periods import _calendar

    return _calendar(begin, end, DAY, zone)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with monkeypatch.context() as stopped:
        story = Story(Clock(stopped, T0), target=20)
        story.call("on_app_start").call("on_train_start", train_iterations_start=0)
        for _ in range(20):
            story.call("on_train_batch_start").wait(600).call("on_train_batch_end")
        story.call("on_train_end").call("on_app_end")
    journal(tmp_path, story.rows)
    assert main([str(tmp_path), "--per", "day"]) == 0
    text = capsys.readouterr().out
    assert "Goodput per day (UTC)" in text
    assert [line.split()[0] for line in text.splitlines() if line.startswith("  2023-11-")] == [
        "2023-11-14",
        "2023-11-15",
    ]
    assert main([str(tmp_path), "--per", "week", "--tz", "local", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["first"] for one in told["periods"]] == ["2023-11-13"]
    (only,) = told["periods"]
    assert only["parts"] == told["trainings"][0]["parts"]
    assert main([str(tmp_path), "--per", "day", "--since", "2023-11-15", "--json"]) == 0
    assert [one["first"] for one in json.loads(capsys.readouterr().out)["periods"]] == ["2023-11-15"]
    page = tmp_path / "page.html"
    assert main([str(tmp_path), "--per", "day", "--html", str(page)]) == 0
    assert "Goodput per day" in page.read_text()
    turned = ["--since", "2026-10-26", "--until", "2026-10-25"]
    for bad in (["--tz", "Nowhere/Land"], ["--per", "year"], ["--since", "yesterday"], turned):
        with pytest.raises(SystemExit) as stopped_:
            main([str(tmp_path), *bad])
        assert stopped_.value.code == 2

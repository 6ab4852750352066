"""The page of goodput in a browser: ``python -m tests.cli.screenshots docs/goodput.png [WIDTH] [light | dark]``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from one_logger_v1_shim._cli.goodput import main
from one_logger_v1_shim._v1 import metrics as m
from tests.cli.browser import CHROMIUM, OPTIONS
from tests.cli.journals import journal
from tests.goodput.story import T0, Story
from tests.support import Clock

_HOUR = 3600.0


def sample(base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training of four attempts on 512 GPUs: a slow file system, two interruptions, one that was slow."""
    clock = Clock(monkeypatch, T0)
    start = 0
    plan = [  # iterations, seconds of each, idle before each, of which is saved, waiting before it
        (2200, 9.0, 0.5, 2000, 0.0),
        (1500, 9.2, 0.6, 1000, 2.5),
        (1800, 11.5, 4.0, 1500, 0.4),
        (1400, 9.0, 0.5, 1200, 1.0),
    ]
    for number, (iterations, seconds, idle, saved, waits) in enumerate(plan):
        clock.advance(waits * _HOUR)
        story = Story(clock, every=10, target=8000, world_size=512, seq_length=8192, global_batch_size=2048)
        story.log(**{m.JOB_START_TIME: round((clock.now - 240) * 1000), m.JOBID: str(40_711 + number),
                     m.EXEC_HOSTS: "gpu[001-064]"})  # fmt: skip
        story.call("on_app_start").wait(30).phase("model_init", 140).phase("dataloader_init", 60)
        story.phase("optimizer_init", 20).phase("load_checkpoint", 90 if number else 0).train_start(start)
        for done in range(1, iterations + 1):
            story.iterate(1, seconds, idle=idle if done % 50 else 20 * idle)
            if done % 500 == 0 or done == saved:
                story.validate(4, 5)
                story.save(45)
        start += saved
        journal(base / f"attempt-{number}", story.rows, run_id=f"run0000{number}", finish=False)
    return base


def take(page: Path, picture: Path, width: int, height: int, scheme: str = "light") -> None:
    """A picture of the page as it is at ``width`` pixels."""
    assert CHROMIUM is not None
    dark = (
        ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else ["--blink-settings=preferredColorScheme=1"]
    )
    with tempfile.TemporaryDirectory() as home:
        size = [f"--window-size={width},{height}", "--hide-scrollbars", f"--screenshot={picture.resolve()}"]
        subprocess.run(
            [CHROMIUM, *OPTIONS, *dark, *size, f"--user-data-dir={home}", page.resolve().as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


def _main(picture: str, width: str = "1400", scheme: str = "light", height: str = "1500") -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        page = Path(folder) / "page.html"
        base = sample(Path(folder) / "runs", monkeypatch)
        monkeypatch.undo()
        assert main([str(base), "--html", str(page)]) == 0
        take(page, Path(picture), int(width), int(height), scheme)


if __name__ == "__main__":
    _main(*sys.argv[1:])

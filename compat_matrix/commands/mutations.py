"""``python -m compat_matrix mutations``: whether the suite notices one metric that is broken in a copy of the wheel.

A mutation is a piece of text of the package and what it becomes. When the package no longer has that text, the
mutation is out of date and the command fails: it must be written again, not skipped.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..jobs import all_jobs
from ..planner.plan import Cell
from ..reporting.results import FAILED
from ..reporting.terminal import Progress
from ..runner import installer
from ..runner.matrix import Matrix


@dataclass(frozen=True)
class Mutation:
    """``old`` in ``file`` of the package becomes ``new``."""

    kind: str
    file: str
    old: str
    new: str


MUTATIONS = (
    Mutation("name", "_v1/metrics.py", '"app_finish_time"', '"app_end_time"'),
    Mutation("unit: s for ms", "_v1/job.py", "watch.avg * 1000", "watch.avg"),
    Mutation("unit: s for ms", "_v1/bookkeeping.py", "now_ms = round(now * 1000)", "now_ms = round(now)"),
    Mutation(
        "off by one",
        "_v1/checkpoints.py",
        "m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END: train[m.TRAIN_ITERATIONS_END]",
        "m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END: train[m.TRAIN_ITERATIONS_END] - 1",
    ),
    Mutation("dropped row", "_v1/job.py", "return [self.tag(), (ROW, train), (ROW, ", "return [self.tag(), (ROW, "),
    Mutation(
        "wrong order",
        "_v1/job.py",
        'return [self.tag(), (ROW, train), (ROW, self._checkpoints.start(kwargs["global_step"], train))]',
        'return [self.tag(), (ROW, self._checkpoints.start(kwargs["global_step"], train)), (ROW, train)]',
    ),
    Mutation(
        "does not accumulate",
        "_v1/checkpoints.py",
        "row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL] = watch.total",
        "row[m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL] = watch.latest",
    ),
    Mutation("maximum for minimum", "_v1/timer.py", "window < watch.min", "window > watch.min"),
    Mutation("another hash", "_v1/bookkeeping.py", "hashlib.md5(", "hashlib.sha1("),
    Mutation("wrong exception", "_v1/job.py", "raise AssertionError(\n", "raise RuntimeError(\n"),
)


def mutate(wheel: Path, mutation: Mutation, into: Path) -> Path:
    """A copy of the wheel with one mutation. Raises ValueError if the package has not exactly one such text."""
    target = f"one_logger_v1_shim/{mutation.file}"
    into.mkdir(parents=True)
    copy = into / wheel.name
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as out:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == target:
                text = data.decode()
                if text.count(mutation.old) != 1:
                    found = text.count(mutation.old)
                    raise ValueError(f"{mutation.file} has {mutation.old!r} {found} times: write this mutation again")
                data = text.replace(mutation.old, mutation.new).encode()
            out.writestr(entry, data)
    return copy


def main(arguments: Sequence[str] = ()) -> int:
    """0 if the sound wheel passes and every mutation is caught."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    cell = Cell(version, "newest", "newest", "sync", "swapped", "offline")
    jobs = [job for job in all_jobs() if not job.needs and not job.name.endswith("@readme")]
    folder = Path(tempfile.mkdtemp(prefix="compat_matrix-mutations-"))
    caught = 0
    try:
        wheel = installer.build_wheel(folder / "wheel")
        for number, mutation in enumerate(MUTATIONS):
            where = f"{mutation.kind} ({mutation.file}: {mutation.old.splitlines()[0][:50]})"
            try:
                broken = mutate(wheel, mutation, folder / str(number))
            except ValueError as error:
                print(f"{number + 1:2}. {where}: {error}")
                continue
            reports = Matrix(
                [cell], jobs=jobs, wheel=broken, progress=Progress([], io.StringIO()), stop_at_failure=True
            ).run()
            first = next((result for result in reports[0].results if result.status == FAILED), None)
            if first is None:
                print(f"{number + 1:2}. {where}: NOT CAUGHT {reports[0].not_run}")
            else:
                caught += 1
                print(f"{number + 1:2}. {where}: caught by {first.job}: {' '.join(first.differences[0])[:120]}")
        sound = Matrix([cell], jobs=jobs, wheel=wheel, progress=Progress([], io.StringIO())).run()[0]
        print(f"the sound wheel: {sound.status} {sound.not_run}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"mutations: {caught} of {len(MUTATIONS)} caught")
    return 0 if caught == len(MUTATIONS) and sound.status == "passed" else 1

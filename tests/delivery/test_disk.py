"""Trouble with the disk, and what is written where."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Callable, Optional

import pytest

from compat_matrix.bench.process import isolated_mode
from one_logger_v1_shim._journal.records import RunRecord
from one_logger_v1_shim._worker.main import _SEGMENTS
from tests.delivery import jobs
from tests.support import ROOT, mode

pytestmark = pytest.mark.ci

JOB = """
one = one_logger()
log(one, 50)
one.finish()
print("done")
"""
LONG = """
one = one_logger({asynchronous})
for i in range({rows}):
    one.log_metrics({{"i": i, "text": "x" * 200}})
    if i % 100 == 0: time.sleep(0.05)  # so that the worker is not behind when the disk is full
one.finish()
print("done")
"""


def mounted(options: str) -> Callable[[Path], Optional[subprocess.CompletedProcess[str]]]:
    def mount(where: Path) -> Optional[subprocess.CompletedProcess[str]]:
        where.mkdir(parents=True)
        if os.geteuid() != 0 or shutil.which("mount") is None:
            return None
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)], capture_output=True, text=True, check=False
        )

    return mount


def unmount(where: Path) -> None:
    subprocess.run(["umount", "-l", str(where)], check=False)


class NoMount(Exception):
    pass


def full_disk(size: str, code: str) -> Callable[[Path], jobs.Result]:
    """WANDB_DIR is on a disk that is soon full; the temp directory is not."""

    def scenario(home: Path) -> jobs.Result:
        disk, temporary = home / "disk", home / "temporary"
        done = mounted(f"size={size}")(disk)
        if done is None or done.returncode != 0:
            raise NoMount
        temporary.mkdir()
        try:
            result = jobs.run(code, home, {"WANDB_DIR": str(disk), "TMPDIR": str(temporary)})
            for found in disk.rglob("*"):  # to look at when the disk has gone
                if found.is_file() and (found.suffix in (".wandb", ".jsonl", ".log") or found.suffix == ".json"):
                    copy = home / "kept" / found.relative_to(disk)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(found, copy)
            return result
        finally:
            unmount(disk)

    return scenario


def read_only(home: Path) -> jobs.Result:
    """The working directory takes nothing, and nobody said another one."""
    work, temporary = home / "work", home / "temporary"
    done = mounted("size=1m")(work)
    temporary.mkdir()
    (work / "job.py").write_text(jobs.BEGIN + JOB)
    if done is None:
        work.chmod(0o555)
    elif done.returncode != 0 or subprocess.run(["mount", "-o", "remount,ro", str(work)], check=False).returncode != 0:
        raise NoMount
    try:
        code = f"os.chdir({str(work)!r})\n{JOB}"
        return jobs.run(code, home, {"TMPDIR": str(temporary)})
    finally:
        if done is None:
            work.chmod(0o755)
        else:
            unmount(work)


def unwritable(home: Path) -> jobs.Result:
    home.mkdir(parents=True)
    (home / "file").write_text("no folder")
    (home / "temporary").mkdir()
    return jobs.run(JOB, home, {"WANDB_DIR": str(home / "file"), "TMPDIR": str(home / "temporary")})


def removed(home: Path) -> jobs.Result:
    """The working directory is removed before the job's first row, and nobody said another one."""
    (home / "work").mkdir(parents=True)
    (home / "temporary").mkdir()
    code = f"os.chdir({str(home / 'work')!r})\nos.rmdir({str(home / 'work')!r})\n{JOB}"
    return jobs.run(code, home, {"TMPDIR": str(home / "temporary")})


def file_size_limit(home: Path) -> jobs.Result:
    """The job may not write large files: its journal goes on in new ones. The worker inherits the limit."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        + ("resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))\n")
        + LONG.format(rows=2000, asynchronous=True)
    )
    (home / "temporary").mkdir(parents=True)
    return jobs.run(code, home, {"TMPDIR": str(home / "temporary")})


def another_wandb(source: str, **environ: str) -> Callable[[Path], jobs.Result]:
    """Python finds ``source`` where wandb should be: the worker's, which in isolated mode is not the job's."""

    def scenario(home: Path) -> jobs.Result:
        place = home / "path"
        if mode():
            told = isolated_mode(place)
            (place,) = home.glob("isolated/lib/python*/site-packages")  # comes before the packages that it shares
        else:
            told = {"PYTHONPATH": f"{place}{os.pathsep}{ROOT}"}
        (place / "wandb").mkdir(parents=True)
        (place / "wandb" / "__init__.py").write_text(source)
        return jobs.run(JOB, home, {**told, **environ})

    return scenario


without_wandb = another_wandb("raise ImportError('no wandb here')\n")

# As wandb is now and then where no descriptor is left for its own process; that can't be had each time.
wandb_that_never_comes_up = another_wandb(
    "import time\nclass Settings: ...\ndef init(**_): time.sleep(3600)\n", ONE_LOGGER_V1_INIT_TIMEOUT="1"
)


def with_environment(**environ: str) -> Callable[[Path], jobs.Result]:
    return lambda home: jobs.run(JOB, home, environ)


def without_journal(home: Path) -> jobs.Result:
    (home / "temporary").mkdir(parents=True)
    return jobs.run(JOB, home, {"ONE_LOGGER_V1_JOURNAL": "0", "TMPDIR": str(home / "temporary")})


def small_segments(home: Path) -> jobs.Result:
    code = """
from one_logger_v1_shim._job import writer as _writer
_writer.SEGMENT_BYTES = 20_000
one = one_logger()
for i in range(2000):
    one.log_metrics({"i": i, "text": "x" * 200})
wait_for("go on")
log(one, 1, start=2000)
"""
    job = jobs.Job(code, home)
    jobs.until(lambda: not any(home.rglob("rows-000001.jsonl")) and jobs.journals(home), "the first file is removed")
    job.taken(2000)
    job.go_on("go on")
    return job.end()


SCENARIOS: dict[str, Callable[[Path], jobs.Result]] = {
    "full disk": full_disk("400k", LONG.format(rows=3000, asynchronous=True)),
    "full disk, sync": full_disk("400k", LONG.format(rows=3000, asynchronous=False)),
    "full from the start": full_disk("4k", JOB),
    "read-only working directory": read_only,
    "unwritable WANDB_DIR": unwritable,
    "removed working directory": removed,
    "file size limit": file_size_limit,
    "wandb missing": without_wandb,
    "wandb never up": wandb_that_never_comes_up,
    "disabled": with_environment(WANDB_MODE="disabled"),
    "no journal": without_journal,
    "small segments": small_segments,
    "umask": lambda home: jobs.run("os.umask(0o027)\n" + JOB, home),
}


@pytest.mark.parametrize("name", ["full disk", "full disk, sync"])
def test_full_disk_mid_run(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    """The journal goes on in the temp directory, and so does W&B's own folder at the end."""
    try:
        result = outcome(name)
    except NoMount:
        pytest.skip("no small disk can be mounted here")
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert jobs.journal_values(result.home) == list(range(3000))
    assert sorted(set(result.values())) == list(range(3000)), result.err
    assert sum("cannot be written" in line for line in result.lines) == 1
    assert sum("goes on in" in line and "-more" in line for line in result.lines) == 1


@pytest.mark.parametrize(
    "name",
    ["full from the start", "read-only working directory", "unwritable WANDB_DIR", "removed working directory"],
)
def test_no_journal_beside_the_run(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    try:
        result = outcome(name)
    except NoMount:
        pytest.skip("no disk of that kind can be mounted here")
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert result.values() == list(range(50))
    assert jobs.journal_values(result.home) == list(range(50))
    assert sum("no journal can be kept there" in line for line in result.lines) == 1


def test_limited_file_size(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("file size limit")
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert jobs.journal_values(result.home) == list(range(2000))


def test_without_wandb_the_rows_stay_in_the_journal(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("wandb missing")
    assert (result.code, result.out) == (0, "done\n")
    (line,) = result.lines
    (journal,) = jobs.journals(result.home)
    assert "wandb cannot be imported" in line
    assert f"python -m one_logger_v1_shim recover {journal}" in line
    assert jobs.journal_values(result.home) == list(range(50))


def test_a_worker_that_waits_for_wandb_in_vain_leaves(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("wandb never up")  # which waits until the worker has gone
    assert (result.code, result.out) == (0, "done\n"), result.err
    (line,) = result.lines
    (journal,) = jobs.journals(result.home)
    assert "wandb.init does not return" in line
    assert f"recover {journal}" in line
    assert jobs.journal_values(result.home) == list(range(50))
    assert jobs.mark(result.home)["state"] == "failed"


def test_disabled_writes_nothing(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("disabled")
    assert (result.code, result.out, result.err) == (0, "done\n", "")
    assert {path.name for path in result.home.iterdir()} == {"job.py", "job.out", "job.err"}


def test_without_journal_nothing_is_left_but_the_run(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("no journal")
    assert (result.code, result.out) == (0, "done\n")
    assert result.values() == list(range(50))
    left = [path.name for path in (result.home / "temporary").iterdir()]
    assert [name for name in left if not name.startswith("wandb")] == []  # wandb 0.22 to 0.26 leaves a folder there
    assert jobs.journals(result.home) == []


def test_segments_are_removed_when_wandb_has_their_rows(outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome("small segments")
    assert result.values() == list(range(2001))
    left = [path.name for path in sorted(result.home.rglob("rows-*.jsonl"))]
    assert left[0] != "rows-000001.jsonl"
    assert len(left) <= _SEGMENTS + 2, "for a v2 that has to be told again, and the one at work"
    values = jobs.journal_values(result.home)
    assert values == list(range(values[0], 2001))  # what is left is whole


CLOSES = """
one = one_logger()
log(one, 5)
os.closerange(3, 1000)  # as a program does that becomes a daemon
files = [open(f"own-{number}", "w") for number in range(30)]  # one of them gets the journal's number
log(one, 5, start=5)
one.finish()
for file in files:
    file.write("own")
    file.close()
print("done")
"""


def test_a_job_that_closes_all_descriptors_keeps_its_own_files_and_its_rows(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    result = jobs.run(CLOSES, tmp_path, {"TMPDIR": str(tmp_path / "temporary")})
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert [(tmp_path / f"own-{number}").read_text() for number in range(30)] == ["own"] * 30
    assert result.values() == list(range(10))
    assert sum("the job has closed its file" in line for line in result.lines) == 1


def test_a_journal_is_the_users_alone_whatever_the_umask(outcome: Callable[[str], jobs.Result]) -> None:
    (journal,) = jobs.journals(outcome("umask").home)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o700
    for path in journal.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_symlinks_are_refused(tmp_path: Path) -> None:
    from one_logger_v1_shim._job.writer import Journal
    from one_logger_v1_shim._journal.files import write_json
    from one_logger_v1_shim._journal.follow import Follower
    from one_logger_v1_shim._journal.outside import read_object

    folder, outside = tmp_path / "journal", tmp_path / "outside"
    folder.mkdir()
    outside.write_text('{"id": "mine"}\n')
    (folder / "rows-000001.jsonl").symlink_to(outside)
    (folder / "run.json").symlink_to(outside)
    assert Follower(folder).lines(0) == []
    assert read_object(folder / "run.json") == {}
    with pytest.raises(OSError, match="exists"):
        Journal(folder)
    (folder / "mark.json.partial").symlink_to(outside)
    write_json(folder / "mark.json", {"a": 1})
    assert outside.read_text() == '{"id": "mine"}\n'
    assert read_object(folder / "mark.json") == {"a": 1}


def test_what_no_disk_takes_is_kept_in_memory_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from one_logger_v1_shim._job import writer as _writer
    from one_logger_v1_shim._journal.files import overflow

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    journal = _writer.begin(tmp_path, RunRecord(id="abcdefgh"))
    assert journal._descriptor is not None
    os.close(journal._descriptor)
    overflow(journal.folder).symlink_to(tmp_path)  # nor may it go on in the temp directory
    for value in range(10_005):
        journal.append(b'{"i":%d}' % value)
    assert (journal.rows, journal.unwritten) == (10_005, 10_005)
    assert journal._queue[0] == b'{"i":5}\n'
    for _ in range(70):
        journal.append(b'{"text":"%s"}' % (b"x" * 1024 * 1024))
    assert sum(map(len, journal._queue)) <= 64 * 1024 * 1024
    assert (journal.rows, journal.unwritten) == (10_075, 10_075)
    assert len([message for message in caplog.messages if "cannot be written" in message]) <= 1  # said once a process
    overflow(journal.folder).unlink()
    journal.end(0)  # now it may: what is left follows
    lines = (overflow(journal.folder) / "rows-000002.jsonl").read_bytes().splitlines()
    assert (lines[0], lines[-1]) == (b"#from 0", b"#finish 0")
    assert journal.unwritten == 10_075 - len(lines[1:-1])

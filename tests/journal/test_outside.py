"""A journal is data: files of somebody else, what is secret, where a journal may be sent, which files belong to it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from one_logger_v1_shim._cli import _environment, _left, _sending, recover
from one_logger_v1_shim._cli._belongs import belonging, is_harmless
from one_logger_v1_shim._cli._where import decide
from one_logger_v1_shim._job.record import new_record
from one_logger_v1_shim._job.writer import begin
from one_logger_v1_shim._journal import outside
from one_logger_v1_shim._journal.calls import calls
from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._journal.follow import Follower
from one_logger_v1_shim._journal.locks import lock, locked
from one_logger_v1_shim._journal.process_table import variable
from one_logger_v1_shim._journal.records import Mark, RunRecord, Sent, read_played, write_played
from one_logger_v1_shim._journal.secret import hidden, without_user
from one_logger_v1_shim._journal.settings_files import setting
from one_logger_v1_shim._journal.wandb_file import Scanner, rows_at_end
from one_logger_v1_shim._v1.core_config import CoreConfig
from tests.cli import journals
from tests.delivery import planted
from tests.delivery.server import KEY

WANDB_FILES = Path(__file__).parents[1] / "matrix" / "wandb_files"


@contextmanager
def bounded(seconds: float = 5.0, megabytes: int = 600) -> Iterator[None]:
    """What is read inside of the block takes no longer, and the process becomes no larger than that."""
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    assert time.process_time() - began < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < megabytes * 1024


def endless(path: Path, kind: str) -> None:
    """``path`` becomes something that an unwary reader never comes to the end of."""
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "sparse":
        with path.open("wb") as file:
            file.write(b":W&B")
            file.truncate(1 << 40)
        path.chmod(0o600)
    elif kind == "dangling":
        path.symlink_to("nowhere")


KINDS = ("fifo", "device", "sparse", "dangling")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["run.json", "mark.json", "played", "sent", "rows-000001.jsonl", "worker.lock", "W&B's"]
)
def test_nothing_hangs(kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = planted.journal(tmp_path, v2="worker")
    run = tmp_path / "wandb" / "offline-run-20260101_000000-abcdefgh"
    run.mkdir()
    path = run / "run-abcdefgh.wandb" if name == "W&B's" else folder / name
    endless(path, kind)
    with bounded():
        left = _left.look(folder)
        Scanner(run / "run-abcdefgh.wandb").advance()
        RunRecord.read(folder), Mark.read(folder), read_played(folder), Sent.read(folder), locked(folder)
    assert name == "W&B's" or kind == "sparse" or outside.writers(folder) == f"{name} is not an ordinary file"
    if name in ("mark.json", "played", "sent", "worker.lock", "W&B's"):
        assert (left.rows, left.stored, left.run_id) == (3, 0, "abcdefgh")
    from one_logger_v1_shim._cli import show

    show.main([str(tmp_path)])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["fifo", "dangling"])
def test_what_is_written_follows_nothing(kind: str, tmp_path: Path) -> None:
    for name, write in {
        "worker.log": lambda: outside.open_to_write(tmp_path / "worker.log", os.O_WRONLY | os.O_CREAT),
        "played": lambda: write_played(tmp_path, 3),
        "sent": lambda: Sent(1, 2).write(tmp_path),
        "mark.json": lambda: Mark(state="x").write(tmp_path),
        "worker.lock": lambda: lock(tmp_path),
    }.items():
        endless(tmp_path / name, kind)
        if name == "worker.log":
            with pytest.raises(OSError, match=r"."):
                write()
        else:
            write()
    assert not (tmp_path / "nowhere").exists()


def test_a_file_with_another_name_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "bashrc").write_text("mine")
    os.link(tmp_path / "bashrc", tmp_path / "worker.log")  # Path.hardlink_to is 3.10's
    with pytest.raises(OSError, match="not an ordinary file"):
        outside.open_to_write(tmp_path / "worker.log", os.O_WRONLY | os.O_APPEND)
    assert (tmp_path / "bashrc").read_text() == "mine"


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o277])
def test_modes(umask: int, tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    before = os.umask(umask)
    try:
        record = new_record(RunSpec(chosen={}, default={}), dict(os.environ), keep=True, python="", v2="none")
        journal = begin(tmp_path, record)
        Mark(state="x").write(journal.folder)
        write_played(journal.folder, 1)
        Sent(1, 2).write(journal.folder)
        lock(journal.folder)
        journal.append(b"{}")
        journal.close()
    finally:
        os.umask(before)
    assert journal.folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in journal.folder.iterdir()} == dict.fromkeys(
        ["run.json", "mark.json", "played", "sent", "worker.lock", "rows-000001.jsonl"], 0o600
    )
    assert outside.writers(journal.folder) is None


def test_who_could_have_written_it(tmp_path: Path) -> None:
    folder = planted.journal(tmp_path)
    assert outside.writers(folder) is None
    for path in (folder, folder / "rows-000001.jsonl"):
        mode = path.stat().st_mode
        path.chmod(mode | 0o002)
        assert str(outside.writers(folder)).startswith("other users can write ")
        path.chmod(mode)
    if os.getuid() == 0:
        os.chown(folder / "run.json", 0, 12345)
        (folder / "run.json").chmod(0o660)
        assert outside.writers(folder) == "other users can write run.json"
        os.chown(folder / "run.json", 12345, 0)
        assert outside.writers(folder) == "run.json belongs to another user than the folder"


def test_removed_is_what_has_our_names(tmp_path: Path) -> None:
    folder = planted.journal(tmp_path)
    (folder / "thesis.tex").touch()
    (folder / ".git").mkdir()
    Mark(state="x").write(folder)
    write_played(folder, 1)
    Sent(1, 2).write(folder)
    assert lock(folder)
    outside.remove_journal(folder)
    assert sorted(path.name for path in folder.iterdir()) == [".git", "thesis.tex"]
    other = tmp_path / "repository"
    shutil.copytree(planted.journal(tmp_path, "abcdefgi"), other)
    outside.remove_journal(other)
    assert (other / "run.json").exists()
    Follower(other).remove(10)
    outside.remove_journal(tmp_path / "wandb" / "one-logger-20260101_000000-abcdefgi")
    assert not (tmp_path / "wandb" / "one-logger-20260101_000000-abcdefgi").exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:PW@h", "http://h"),
        ("http://u:a/PW@h", "http://h"),
        ("u:PW@h", "h"),
        ("http:/u:PW@h", "http:/h"),
        ("https://u:P@W@h:8443/x", "https://h:8443/x"),
        ("http:\\\\u:PW@h", "h"),
        ("https://h/?token=PW", "https://h/"),
        ("https://api.wandb.ai", "https://api.wandb.ai"),
    ],
)
def test_passwords(url: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert without_user(url) == shown
    monkeypatch.setenv("WANDB_BASE_URL", url)
    assert "PW@" not in hidden(f"{url} cannot be reached: {url}")


def test_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert KEY not in hidden(f"file: '<string>', line: 1\n'api_key = {KEY}\\n'")
    assert (hidden(f"at {KEY}"), hidden(f"at {KEY}", alike=True)) == (f"at {KEY}", "at ***")  # or a commit of git
    assert hidden("https://wandb.ai/team/p/runs/abcdefgh") == "https://wandb.ai/team/p/runs/abcdefgh"
    for config in ({"wandb": KEY}, {"wandb": [KEY]}, {"api_key": [KEY]}):
        with pytest.raises(ValueError, match="not shown") as error:
            CoreConfig.read(config)
        assert KEY not in str(error.value)
    monkeypatch.setenv("WANDB_API_KEY", "short-and-odd")
    Mark(notice="short-and-odd", said=[f"api_key={KEY}"], url="https://u:pw@h/x").write(tmp_path)
    text = (tmp_path / "mark.json").read_text()
    assert not any(word in text for word in ("short-and-odd", KEY, "pw"))


CLOUD = "https://api.wandb.ai"
MINE = "http://wandb.corp:8080"
CREDENTIALS = {
    "WANDB_API_KEY": KEY,
    "WANDB_IDENTITY_TOKEN_FILE": "/token",
    "WANDB_X_EXTRA_HTTP_HEADERS": '{"Authorization": "x"}',
}


@pytest.mark.parametrize(
    ("told", "environ", "in_file", "server", "keeps"),
    [
        # nobody has named one then: as the user says now
        ("", {}, "", CLOUD, True),
        ("", {"WANDB_BASE_URL": MINE}, "", MINE, True),
        ("", {}, MINE, MINE, True),
        # the same one
        (MINE, {"WANDB_BASE_URL": f"{MINE}/"}, "", f"{MINE}/", True),
        (MINE, {"WANDB_BASE_URL": "http://user:pw@WANDB.corp:8080"}, "", "http://user:pw@WANDB.corp:8080", True),
        (MINE, {}, MINE, MINE, True),
        (CLOUD, {}, "", CLOUD, True),
        # one that the user names, too, and whose the credentials are not
        (MINE, {"WANDB_BASE_URL": "http://other"}, MINE, MINE, False),
        (CLOUD, {"WANDB_BASE_URL": MINE}, "", CLOUD, False),
        # another scheme, port, host, path, or an odd spelling
        *((url, {"WANDB_BASE_URL": MINE}, "", None, None) for url in (
            "https://wandb.corp:8080", "http://wandb.corp", "http://wandb.corp:81", "http://wandb.corp.evil:8080",
            "http://evil", "http://wandb.corp:8080/evil", "http://wandb.corp:8080@evil", "//wandb.corp:8080",
            "file:///etc", "http://[", "http://api.wandb.ai", "https://api.wandb.ai:444", "https://api.wandb.ai.evil",
        )),
        (MINE, {}, "", None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", ["chosen", "settled"])
def test_where_it_goes(
    by: str, told: str, environ: dict[str, str], in_file: str, server: str, keeps: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The user's environment, the user's settings file, or W&B's own; the credentials are those of that server."""
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\nbase_url = http://evil\n")
    if in_file:
        (tmp_path / "settings").write_text(f"[default]\nbase_url = {in_file}\n")
    for name, value in {**CREDENTIALS, **environ}.items():
        monkeypatch.setenv(name, value)
    record = RunRecord(**{by: {"host" if by == "chosen" else "WANDB_BASE_URL": told}})
    worker = dict(os.environ)
    refused = decide(record, worker, tmp_path, tmp_path / "private")
    if server is None:
        assert refused is not None
        assert refused.count("WANDB_BASE_URL=") == 1
        assert "recover" in refused
        return
    assert refused is None
    assert worker["WANDB_BASE_URL"] == server
    assert [name for name in CREDENTIALS if name in worker] == (list(CREDENTIALS) if keeps else [])


def test_entity_project_and_name_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_ENTITY", "now")
    record = RunRecord(settled={"WANDB_ENTITY": "then", "WANDB_NOTES": "a\0b", "WANDB_NAME": "n", "PATH": "/evil"})
    worker = dict(os.environ)
    assert decide(record, worker, tmp_path, tmp_path) is None
    assert (worker["WANDB_ENTITY"], worker["WANDB_NAME"], worker["PATH"]) == ("then", "n", os.environ["PATH"])
    assert "WANDB_NOTES" not in worker


def test_whose_files_they_are(tmp_path: Path) -> None:
    (real,) = WANDB_FILES.glob("0.31.0.wandb")
    stored = {real: Scanner(real).advance()}
    assert is_harmless(real)
    assert belonging(planted.journal(tmp_path, rows=50), stored) == ([], False)
    from one_logger_v1_shim._cli._stored import records

    folder = planted.journal(tmp_path, "abcdefgi")
    rows = [{key: json.loads(value) for key, value in row.items()} for row in records(real, {})]
    with (folder / "rows-000001.jsonl").open("w") as file:
        for row in rows:
            file.write(json.dumps({key: value for key, value in row.items() if key[0] != "_"}) + "\n")
    assert belonging(folder, stored) == ([real], True)


def test_an_alias_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from one_logger_v1_shim._v2.dry import exporters

    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{now}: &{now} [{','.join([f'*{before}'] * 9)}]\n" for before, now in zip("abcdefgh", "bcdefghi")
    )
    path = tmp_path / "exporters.yaml"
    path.write_text(f"{bomb}exporters: [{{class_name: *i}}]\n")
    monkeypatch.setenv("ONE_LOGGER_EXPORTER_CONFIG_PATH", str(path))
    with bounded(1.0, 50), pytest.raises(ValueError, match="aliases"):
        exporters()


def test_settings_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wandb").mkdir()
    os.mkfifo(tmp_path / "wandb" / "settings")
    (tmp_path / "real").write_text("[default]\nmode = offline\n")
    (tmp_path / "settings").symlink_to("real")  # as those keep it who have their settings under version control
    assert setting({"WANDB_CONFIG_DIR": str(tmp_path)}, "mode") == ("offline", tmp_path / "settings")


def test_a_process_is_known_by_its_environment() -> None:
    assert variable(os.getpid(), "PATH")
    assert variable(os.getpid(), "ONE_LOGGER_V1_RUN") is None
    assert variable(2**22 + 1, "PATH") is None


def test_a_dangling_link_hides_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from one_logger_v1_shim._cli import goodput, show

    journals.journal(tmp_path, journals.job_rows())
    for name in ("run-20300101_000000-dangling", "offline-run-20300101_000000-looponly"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
        (tmp_path / "wandb" / name / f"run-{name[-8:]}.wandb").symlink_to("run-looponly.wandb")
    assert show.main([str(tmp_path)]) == 0
    assert goodput.main([str(tmp_path)]) == 0


def test_the_printed_command_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["/my python", "-m", "wandb", "sync", "--include-online", "/a b"]
    assert _sending._shell([command], {}) == "'/my python' -m wandb sync --include-online '/a b'"
    assert _sending._shell([command], {"WANDB_BASE_URL": "http://u:pw@h"}).startswith("WANDB_BASE_URL=http://h ")


def test_a_call_is_one_of_v1s() -> None:
    for name in ("__init__", "_guard", "a.b", "", 5, None):
        with pytest.raises(ValueError, match="is no call"):
            list(calls(b">" + json.dumps([name, [1.0, 2.0]]).encode()))
    assert next(calls(b'>["app_end", [1.0, 2.0]]')).name == "app_end"


def test_isolate_takes_no_folder_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(_environment.NotOursError, match="other users can write the folder"):
        _environment.make(tmp_path)
    tmp_path.chmod(0o755)
    if os.getuid() == 0:
        os.chown(tmp_path, 12345, 12345)
        with pytest.raises(_environment.NotOursError, match="belongs to another user"):
            _environment.make(tmp_path)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "secret")
    assert "secret" not in _environment._clean().values()
    assert "PATH" in _environment._clean()


# -- any content ---------------------------------------------------------------------------------------------------

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\0") | st.just("\ud800")
    | st.just("x" * 5000) | st.just(10**30) | st.just("../../etc") | st.just("\x1b[31m"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip
RECORD = st.dictionaries(
    st.sampled_from(["pid", "started", "machine", "created", "mode", "chosen", "default", "settled", "base", "keep",
                     "cwd", "program", "python", "v2", "v2_values", "exporters", "format", "id"]),
    VALUES | st.dictionaries(st.sampled_from(["host", "entity", "tags", "project", "WANDB_NOTES"]), VALUES, max_size=2),
    max_size=4,
)  # fmt: skip
MARK = st.dictionaries(
    st.sampled_from(["state", "rows", "dir", "dirs", "url", "processes", "event", "events", "notice", "id", "v2",
                     "said", "exit_code"]), VALUES, max_size=4,
)  # fmt: skip
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))


def fuzzed(**kinds: Any) -> Callable[[Any], Any]:
    def wrap(test: Any) -> Any:
        quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
        return seed(19)(
            settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=quiet)(given(**kinds)(test))
        )

    return wrap


def damaged(data: bytes, cuts: list[tuple[int, bytes]]) -> bytes:
    for at, piece in cuts:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + len(piece) :]
    return data


CUTS = st.lists(st.tuples(st.integers(0, 2**20), st.binary(max_size=12)), max_size=6)


@pytest.mark.slow
@fuzzed(about=RECORD, mark=MARK)
def test_any_record(about: dict[str, Any], mark: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    from one_logger_v1_shim._cli import show

    home = tmp_path_factory.mktemp("any")
    planted.journal(home, mark=mark, **{"id": "abcdefgh", **about})
    with bounded():
        assert recover.main([str(home), "--dry-run"]) in (0, 1)
        assert show.main([str(home)]) in (0, 2)
    shutil.rmtree(home)


@pytest.mark.slow
@fuzzed(cuts=CUTS, rest=st.binary(max_size=60), name=st.sampled_from(["rows-000001.jsonl", "run.json", "played"]))
def test_any_bytes(
    cuts: Any, rest: bytes, name: str, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path_factory.mktemp("bytes")
    folder = planted.journal(home, v2="worker")
    (folder / "rows-\u00b2.jsonl").touch()
    path = folder / name
    path.write_bytes(damaged(path.read_bytes() if path.exists() else b"", cuts) + rest)
    with bounded():
        assert recover.main([str(home), "--dry-run"]) in (0, 1)
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    shutil.rmtree(home)


@pytest.mark.slow
@fuzzed(cuts=CUTS, which=st.sampled_from(sorted(path.name for path in WANDB_FILES.glob("*.wandb"))))
def test_any_wandb_file(cuts: Any, which: str, tmp_path: Path) -> None:
    path = tmp_path / "run-abcdefgh.wandb"
    path.write_bytes(damaged((WANDB_FILES / which).read_bytes(), cuts))
    with bounded():
        Scanner(path).advance()
        rows_at_end(path)
        is_harmless(path)


def fragments(kinds: list[int], body: bytes) -> bytes:
    import struct
    import zlib

    data = b":W&B" + bytes(3)
    for kind in kinds:
        data += struct.pack("<IHB", zlib.crc32(bytes([kind]) + body), len(body), kind) + body
    return data


@pytest.mark.parametrize("body", [b"\x08" + b"\xff" * 8000, b"\x12" + b"\xff" * 8000, bytes(8000)])
def test_records_without_an_end(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run-abcdefgh.wandb"
    path.write_bytes(fragments([2, 3, 3, 4, 1], body))
    with bounded(2.0):
        assert Scanner(path).advance() == rows_at_end(path) == 0
        is_harmless(path)


@pytest.mark.slow
def test_lines_without_an_end(tmp_path: Path) -> None:
    folder = planted.journal(tmp_path)
    with (folder / "rows-000001.jsonl").open("ab") as file:
        file.seek(0)
        file.truncate()
        file.write(b'{"i": 0}\n{"i": ')
        file.truncate(1 << 36)
    planted.write(folder / "rows-000002.jsonl", '#from 7\n{"i": 7}\n')
    with bounded():
        left = _left.look(folder)
    assert left.rows == 8

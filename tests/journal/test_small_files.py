"""Files of a journal: small ones, those of somebody else, lines as they come, W&B's own; what is secret in a text."""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim._journal import files, follow, outside, records, wandb_file
from one_logger_v1_shim._journal.calls import Call, call_line, calls, milliseconds, number, plain, rows_in
from one_logger_v1_shim._journal.destination import (
    RunSpec,
    WandBConfig,
    destination,
    is_quietly_offline,
    mode,
    settled,
    specification,
    told,
    why_not_online,
)
from one_logger_v1_shim._journal.follow import Follower
from one_logger_v1_shim._journal.locks import lock, locked
from one_logger_v1_shim._journal.records import Mark, RunRecord, Sent, is_run_id, run_id
from one_logger_v1_shim._journal.secret import hidden, without_user
from one_logger_v1_shim._journal.settings_files import setting


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def private(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


# -- files ------------------------------------------------------------------------------------------------------------


def test_names() -> None:
    found = {files.new_run_id() for _ in range(50)}
    assert len(found) == 50
    assert all(records._OWN_ID.fullmatch(one) for one in found)
    assert len({letter for one in found for letter in one}) > 30
    assert files.segment(7) == "rows-000007.jsonl"
    assert files.segment_number(Path("x/rows-000007.jsonl")) == 7
    assert files.segment_number(Path("rows-7.json")) is None
    assert files.folder_name("x").startswith("one-logger-2")
    assert files.recover_command(Path("/a b")) == "python -m one_logger_v1_shim recover '/a b'"
    assert files.recover_command(Path("/a"), dry_run=True) == "python -m one_logger_v1_shim recover --dry-run /a"


@pytest.mark.parametrize(
    ("path", "word"), [("-x", "./-x"), ("a\nb", r"$'a\x0ab'"), ("a'\\\n", r"$'a\'\\\x0a'"), ("\udcff", r"$'\xff'")]
)
def test_a_path_as_one_word(path: str, word: str) -> None:
    assert files.quoted(path) == word


def test_the_temp_folder_where_python_knows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.delenv("TMPDIR", raising=False)
    assert files.temporary() == Path("/tmp")
    monkeypatch.setenv("TMPDIR", "/t")
    assert files.overflow(Path("/x/one-logger-1")) == Path("/t/one-logger-1-more")


def test_descriptors_of_the_standard_streams_are_left_alone(tmp_path: Path) -> None:
    one = os.open(tmp_path, os.O_RDONLY)
    assert files.above_standard(one) == one
    kept = os.dup(0)
    os.dup2(one, 0)
    higher = files.above_standard(0)
    assert higher > 2
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(0)
    os.dup2(kept, 0)
    for descriptor in (one, kept, higher):
        os.close(descriptor)


def test_a_way_that_is_text(tmp_path: Path) -> None:
    folder = tmp_path / "one-logger-1"
    assert files.as_text(folder, folder, "base") == folder
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.mkdir()
    link = files.as_text(odd, folder, "base")
    assert (link, link.resolve()) == (files.overflow(folder) / "base", odd)
    assert files.as_text(odd, folder, "base") == link
    files.overflow(tmp_path / "one-logger-2").write_text("")
    assert files.as_text(odd, tmp_path / "one-logger-2", "base") == odd


def test_small_json_files_are_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    (tmp_path / "run.json.partial").write_text("of one who was killed")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    files.write_json(path, {"a": [1, 2]})
    assert json.loads(path.read_text()) == {"a": [1, 2]}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()].count("run.json.partial") == 0


# -- files of somebody else -------------------------------------------------------------------------------------------


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = private(tmp_path / "x", b'{"a":1}')
    assert outside.read(path, 7) == b'{"a":1}'
    with pytest.raises(ValueError, match="more than 6 bytes"):
        outside.read(path, 6)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match=r"."):
        outside.read(tmp_path / "link")
    assert outside.read(tmp_path / "link", follow=True) == b'{"a":1}'
    assert outside.read_object(path) == {"a": 1}
    for text in (b"[1]", b'{"a":', b'{"a":' + b"1" * 4001 + b"}", b"[" * 100_000):
        assert outside.read_object(private(tmp_path / "y", text)) == {}
    assert outside.json_value(b"1" * 4000) == int("1" * 4000)


def test_who_else_can_write_it(tmp_path: Path) -> None:
    folder = tmp_path / "one-logger-x"
    folder.mkdir(0o700)
    private(folder / "run.json", b"{}")
    (folder / "not ours").symlink_to("/")
    assert outside.writers(folder) is None
    for mode_, said in ((0o602, "other users can write run.json"), (0o644, None)):
        (folder / "run.json").chmod(mode_)
        assert outside.writers(folder) == said
    folder.chmod(0o702)
    assert outside.writers(folder) == "other users can write the folder"
    folder.chmod(0o700)
    os.link(folder / "run.json", tmp_path / "another name")
    assert outside.writers(folder) == "run.json is not an ordinary file"
    (folder / "mark.json").symlink_to("run.json")
    (tmp_path / "another name").unlink()
    assert outside.writers(folder) == "mark.json is not an ordinary file"
    assert outside.writers(tmp_path / "nowhere") == "it cannot be read (No such file or directory)"


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to others")
def test_files_of_another_owner(tmp_path: Path) -> None:
    folder = tmp_path / "one-logger-x"
    folder.mkdir(0o700)
    path = private(folder / "run.json", b"{}")
    os.chown(path, 12345, 12345)
    assert outside.writers(folder) == "run.json belongs to another user than the folder"
    os.chown(path, 0, 12345)
    path.chmod(0o620)
    assert outside.writers(folder) == "other users can write run.json"
    os.chown(path, 0, 0)
    path.chmod(0o600)
    os.chown(folder, 12345, 0)
    assert not outside.is_own(folder)
    assert outside.is_own(folder, folder)
    assert outside.writers(folder) is None  # root's file in it


def test_whose_folder_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "one-logger-x"
    outside.make_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert outside.is_own(folder)
    (tmp_path / "link").symlink_to(folder)
    private(tmp_path / "file", b"")
    for path in (tmp_path / "link", tmp_path / "file", tmp_path / "nowhere", Path("a\0b")):
        assert not outside.is_own(path)
    assert not outside.is_own(folder, tmp_path / "nowhere")


def test_what_is_removed_of_a_journal(tmp_path: Path) -> None:
    def made(name: str, *more: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for one in ("run.json", "mark.json.partial", "rows-000001.jsonl", "played", "worker.lock", "path.json", *more):
            private(folder / one, b"")
        return folder

    folder = made("one-logger-1")
    outside.remove_journal(folder)
    assert not folder.exists()
    folder = made("one-logger-2", "mine", "rows-1.json")
    (folder / "sent").mkdir()
    outside.remove_journal(folder)
    assert {one.name for one in folder.iterdir()} == {"mine", "rows-1.json", "sent"}
    for name, more in (("other-1", ()), ("one-logger-3", ("wandb",))):
        folder = made(name, *more)
        outside.remove_journal(folder)
        assert (folder / "run.json").exists()


def test_one_process_delivers(tmp_path: Path) -> None:
    assert not locked(tmp_path)
    assert not (tmp_path / "worker.lock").exists()
    assert lock(tmp_path)
    assert locked(tmp_path)
    assert not lock(tmp_path)  # flock is of the descriptor
    assert lock(tmp_path / "nowhere")
    from one_logger_v1_shim._journal import locks

    while locks._held:
        os.close(locks._held.pop())
    assert not locked(tmp_path)


# -- the records ------------------------------------------------------------------------------------------------------


def test_a_record_from_a_file_that_is_damaged(tmp_path: Path) -> None:
    said = {
        "id": "abcd1234", "pid": "7", "created": True, "version": 3, "format": 2, "keep": 1,
        "chosen": {"project": 5, "x": 1},
        "settled": {"WANDB_NAME": "a\0b\ud800", "X": 1}, "base": "/b", "cwd": "x" * 100_001, "v2_values": [1],
        "program": "\udcff", "mode": None, "machine": None, "python": ["x"],
    }  # fmt: skip
    private(tmp_path / "run.json", json.dumps(said).encode())
    found = RunRecord.read(tmp_path)
    assert (found.id, found.pid, found.created, found.version, found.format, found.keep) == (
        "abcd1234",
        None,
        0.0,
        "",
        2,
        True,
    )
    assert (found.chosen, found.settled) == ({"project": "5"}, {"WANDB_NAME": "a?b?"})
    assert (len(found.cwd), found.program, found.v2_values, found.mode, found.python) == (
        100_000,
        "\udcff",
        None,
        "",
        "",
    )
    assert (found.readable, RunRecord(format=3).readable, RunRecord(format=4).readable) == (True, True, False)
    assert found.elsewhere == []
    found.keep = False
    assert found.elsewhere == [Path("/b")]
    found.base = "relative"
    assert found.elsewhere == []
    private(tmp_path / "run.json", json.dumps({"pid": 2**54, "created": float("nan"), "v2_values": {"a": 1}}).encode())
    found = RunRecord.read(tmp_path)
    assert (found.pid, found.created, found.v2_values) == (None, 0.0, {"a": 1})


def test_a_mark_goes_elsewhere_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    folder = tmp_path / "one-logger-1"
    folder.mkdir()
    assert Mark.read(folder) == Mark()
    one = Mark(
        state="online", rows=3, notice=f"key {'k' * 40}", said=["https://u:p@h"], dirs=["/d"], run={"project": "p"}
    )
    one.write(folder)
    assert Mark.read(folder) == Mark(
        state="online", rows=3, notice="key ***", said=["https://h"], dirs=["/d"], run={"project": "p"}
    )
    more = files.overflow(folder)
    (folder / "mark.json.partial").mkdir()  # its disk takes no more
    Mark(rows=4).write(folder)
    assert (Mark.read(folder).rows, json.loads((folder / "mark.json").read_text())["rows"]) == (4, 3)
    (folder / "mark.json.partial").rmdir()
    Mark(rows=5).write(folder)
    assert (Mark.read(folder).rows, list(more.iterdir())) == (5, [])
    more.rmdir()
    more.symlink_to(tmp_path)
    (folder / "mark.json.partial").mkdir()
    with pytest.raises(OSError, match=r"."):
        Mark().write(folder)
    private(folder / "mark.json", b'{"said": ["a", 1], "dirs": [2], "run": {"tags": ["t", 3], "api_key": "k"}}')
    found = Mark.read(folder)
    assert (found.said, found.dirs, found.run) == (["a"], [], {"tags": ["t"]})
    gone = tmp_path / "one-logger-2"
    with pytest.raises(FileNotFoundError):
        Mark().write(gone)
    assert not files.overflow(gone).exists()


def test_how_far_others_are(tmp_path: Path) -> None:
    assert records.read_played(tmp_path) == 0
    records.write_played(tmp_path, 300)
    assert records.read_played(tmp_path) == 300
    assert Sent.read(tmp_path) == Sent()
    Sent(2, 7, {"a": "x", "b": 1}).write(tmp_path)
    assert Sent.read(tmp_path) == Sent(2, 7, {"a": "x", "b": 1})
    private(tmp_path / "sent", b'{"segment": 1, "line": "x", "resource": {"a": [1], "b": "c"}}')
    assert Sent.read(tmp_path) == Sent(1, 0, {"b": "c"})
    Sent().write(tmp_path / "nowhere")


def test_the_id_of_a_run() -> None:
    assert run_id(RunRecord(id="abcd1234"), Mark(id="Other-1.x")) == "Other-1.x"
    assert run_id(RunRecord(id="abcd1234"), Mark(id="../x")) == run_id(RunRecord(id="abcd1234")) == "abcd1234"
    assert run_id(RunRecord(id="../x"), Mark(id="fine")) is None
    assert is_run_id("a" * 128)
    assert not is_run_id("a" * 129)


# -- lines ------------------------------------------------------------------------------------------------------------


def test_calls_as_lines() -> None:
    for call in (
        Call("phase_start", (1.0, 2.0), ("model", 3)), Call("value", None, ("k", 1)),
        Call("row", (1.0, 2.0), (b'{"a":1}',)),
    ):  # fmt: skip
        line, *row = call_line(call).split(b"\n")
        assert list(calls(line)) == [call if call.name != "row" else Call("row", (1.0, 2.0))]
        assert row == ([b'{"a":1}'] if row else [])
    for damaged in (
        b'>["Bad",[1,2]]', b">[3]", b'>["x"]', b'>["x",[1]]', b'>["x",7]', b">S AAAA",
        b">Q " + b"A" * 22 + b"==", b'>["x"',
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError)):
            list(calls(damaged))
    assert (number(b"#from 7"), number(b"#from"), number(b"#finish x", 3)) == (7, 0, 3)
    assert (rows_in(b'{"a"\n>x\n{"b"'), rows_in(b">x")) == (2, 0)
    values = [milliseconds(one) for one in (5, 0, -1, 1e15, 9e14, True, "5", None)]
    assert values == [5, None, None, None, 9e14, None, None, None]


def test_values_of_a_configuration() -> None:
    class Scalar:
        def item(self) -> int:
            return 3

    class Broken:
        item = property(lambda self: 1 / 0)

        def __str__(self) -> str:
            return "broken"

    class Raises:
        def item(self) -> int:
            raise ValueError

        def __str__(self) -> str:
            return "raises"

    assert plain([None, "a", 1, 0.5, (True, Scalar()), Raises(), Path("/p")]) == [
        None,
        "a",
        1,
        0.5,
        [True, 3],
        "raises",
        "/p",
    ]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "one-logger-1"
    folder.mkdir()
    return folder


def test_whole_lines_over_all_files(journal: Path) -> None:
    assert Follower(journal).lines(0) == []
    private(journal / "rows-000002.jsonl", b"#from 3\n{1}\n{2}\n{3")
    (journal / "rows-x.jsonl").touch()
    one = Follower(journal)
    assert one.lines(0) == [b"#from 3", b"{1}", b"{2}"]
    assert one.lines(5) == []
    with (journal / "rows-000002.jsonl").open("ab") as file:
        file.write(b"}\n")
    assert one.lines(5) == [b"{3}"]
    assert (one.segment, one.waiting()) == (2, False)
    more = files.overflow(journal)
    more.mkdir()
    private(more / "rows-000003.jsonl", b"#from 6\n")
    assert one.lines(6) == [b"#from 6"]
    assert (one.segment, one.waiting()) == (3, True)
    one.remove(5)
    assert (journal / "rows-000002.jsonl").exists()
    one.remove(6, keep=1)
    assert (journal / "rows-000002.jsonl").exists()
    one.remove(6)
    assert not (journal / "rows-000002.jsonl").exists()
    assert not one.waiting()
    one.close()
    one.close()


def test_a_file_that_is_held_stays(journal: Path) -> None:
    for name in (1, 2, 3):
        private(journal / files.segment(name), b"{}\n")
    one = Follower(journal)
    one.lines(0)
    one.hold()
    assert one.lines(1) == [b"{}"]
    assert not one.waiting()
    assert one.lines(2) == [b"{}"]
    one.remove(9)
    assert sorted(path.name for path in journal.iterdir()) == ["rows-000001.jsonl", "rows-000003.jsonl"]
    one.close()


def test_nothing_is_removed_of_a_folder_that_is_none_of_ours(tmp_path: Path) -> None:
    for name in (1, 2):
        private(tmp_path / files.segment(name), b"{}\n")
    one = Follower(tmp_path)
    one.lines(0), one.lines(1)
    one.remove(9)
    assert (tmp_path / files.segment(1)).exists()
    one.close()


def test_long_rows_and_rows_that_never_end(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_CHUNK", 8)
    monkeypatch.setattr(follow, "MOST_LINE", 100)
    path = private(journal / files.segment(1), b"{" + b"x" * 60 + b"}\n{}\n")
    one = Follower(journal)
    assert one.lines(0) == [b"{" + b"x" * 60 + b"}", b"{}"]
    assert one.lines(0) == []
    with path.open("ab") as file:
        file.write(b"{" + b"x" * 400)
    assert one.lines(0) == [b"{"]
    assert one.lines(0) == []
    private(journal / files.segment(2), b"{2}\n")
    assert one.lines(0) == [b"{2}"]
    one.close()


# -- W&B's files ------------------------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    data = b""
    while value > 0x7F:
        data, value = data + bytes([value & 0x7F | 0x80]), value >> 7
    return data + bytes([value])


def field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def row(step: Any, num: int = 1, nested: bool = False, pad: int = 0) -> bytes:
    value = field(16, str(step).encode()) if not isinstance(step, tuple) else field(5, step[0])
    items = field(1, field(1, b"a") + field(16, b"1" * (pad + 1))) + field(
        1, field(2 if nested else 1, b"_step") + value
    )
    return field(1, num) + field(2, items)


def wandb_log(*bodies: bytes) -> bytes:
    """As LevelDB writes it, after W&B's header."""
    data = b":W&B\xe1\xbe\x00"
    for body in bodies:
        first = True
        while True:
            left = 32768 - len(data) % 32768
            if left < 7:
                data += b"\0" * left
                continue
            part, body = body[: left - 7], body[left - 7 :]
            kind = (1 if first else 4) if not body else (2 if first else 3)
            data += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            first = False
            if not body:
                break
    return data


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("step", [7, (14,)])
def test_rows_of_a_file_of_wandbs(step: Any, nested: bool, tmp_path: Path) -> None:
    path = private(tmp_path / "run-a.wandb", wandb_log(row(0), field(1, 300) + field(3, b"x"), row(step, 300, nested)))
    assert wandb_file.Scanner(path).advance() == wandb_file.rows_at_end(path) == 8


def test_a_file_that_grows_and_one_that_is_damaged(tmp_path: Path) -> None:
    data = wandb_log(*(row(number, number + 1, pad=20_000) for number in range(9)))
    path = tmp_path / "run-a.wandb"
    one = wandb_file.Scanner(path)
    assert one.advance() == 0
    seen = []
    for end in range(0, len(data) + 20_000, 20_000):
        private(path, data[:end])
        seen.append(one.advance())
    assert seen == sorted(seen)
    assert seen[-1] == 9
    assert len(set(seen)) > 7
    broken = bytearray(data)
    broken[90_000] ^= 1
    private(path, bytes(broken))
    assert 3 <= wandb_file.Scanner(path).advance() <= 5
    damage: set[int] = set()
    assert len(list(wandb_file.records_from(bytes(broken), 0, damage))) < 9 or damage
    assert wandb_file.rows_at_end(path) == wandb_file.Scanner(path).advance()


def test_the_last_record_is_damaged() -> None:
    data = bytearray(wandb_log(row(0, pad=100), row(1, pad=100)))
    data[-1] ^= 1
    damage: set[int] = set()
    found = list(wandb_file.records_from(bytes(data[7:]), 7, damage))
    assert (len(found), damage) == (1, set())  # it may not be whole yet
    data += bytes(32768 - len(data))
    found = list(wandb_file.records_from(bytes(data[7:]), 7, damage))
    assert (len(found), len(damage)) == (1, 1)


def test_records_of_other_kinds_and_shapes() -> None:
    history = field(1, field(1, b"_step") + field(16, b"3"))
    fixed = varint(9 << 3 | 1) + b"\0" * 8 + varint(9 << 3 | 5) + b"\0" * 4
    for record in (field(2, history), field(1, 5) + field(2, history), fixed + field(2, history)):
        assert wandb_file._step(wandb_file.history(record)) == 3
    assert wandb_file.history(field(1, 5) + field(3, b"x")) == wandb_file.history(field(3, b"x")) == b""
    assert wandb_file.history(b"\x08\x05\x12") == b""
    assert wandb_file._step(field(2, b"x") + field(1, 5)) == -1
    assert wandb_file._step(field(1, field(1, b"_step") + field(16, b""))) == -1
    assert wandb_file._step(field(1, field(1, b"_step") + field(16, b"1" * 30))) == -1
    assert wandb_file._step(field(1, field(1, b"_step") + field(5, 3))) == -2  # sint64
    for damaged in (varint(1 << 3 | 3), b"\x80" * 12):
        with pytest.raises((ValueError, IndexError)):
            list(wandb_file.fields(damaged))


def test_files_of_a_run(tmp_path: Path) -> None:
    for name in ("offline-run-20260102_000000-abcd", "run-20260101_000000-abcd", "run-20260103_000000-other"):
        (tmp_path / name).mkdir()
        private(tmp_path / name / f"run-{name[-4:]}.wandb", wandb_log(row(len(name))))
    (tmp_path / "latest-run").symlink_to("run-20260101_000000-abcd")
    found = wandb_file.run_files(tmp_path, "abcd")
    assert [path.parent.name for path in found] == ["run-20260101_000000-abcd", "offline-run-20260102_000000-abcd"]
    assert wandb_file.run_files(tmp_path, "x" * 300) == []
    folders = [path.parent for path in found]
    assert (wandb_file.sync_options(folders), wandb_file.sync_options(folders[1:])) == (["--include-online"], [])


# -- where a run goes, and what is secret -----------------------------------------------------------------------------


def test_what_the_environment_and_settings_files_say(tmp_path: Path) -> None:
    (tmp_path / "wandb").mkdir()
    (tmp_path / ".config" / "wandb").mkdir(parents=True)
    (tmp_path / ".config" / "wandb" / "settings").write_text(
        "[default]\nentity = own\nproject = user's\nmode = dryrun\n"
    )
    assert setting({}, "project") == ("user's", tmp_path / ".config" / "wandb" / "settings")
    (tmp_path / "wandb" / "settings").write_text("[default]\nproject =  here \nbase_url = https://u:p@h\n")
    assert setting({}, "project") == ("here", Path("wandb/settings"))
    assert setting({}, "project", own=True)[0] == "user's"
    assert setting({}, "nothing") == (None, None)
    assert setting({"WANDB_CONFIG_DIR": "/nowhere"}, "entity") == (None, None)
    assert settled({"WANDB_NAME": ""}) == {
        "WANDB_NAME": "", "WANDB_ENTITY": "own", "WANDB_PROJECT": "here", "WANDB_BASE_URL": "https://h"
    }  # fmt: skip
    assert (mode({}), mode({"WANDB_MODE": "run"})) == ("offline", "online")
    assert why_not_online({}) == f"{tmp_path}/.config/wandb/settings says mode = dryrun"
    assert why_not_online({"WANDB_MODE": "dryrun"}) == "WANDB_MODE=offline"
    assert not is_quietly_offline({})
    assert is_quietly_offline({"WANDB_SILENT": "True"})
    assert not is_quietly_offline({"WANDB_SILENT": "1", "WANDB_MODE": "online"})
    spec = specification(WandBConfig(project="p", run_name="n", tags=["a"]))
    assert spec.arguments({}) == {"project": "p", "name": "n", "tags": ["a"]}
    assert specification(WandBConfig()).arguments({"WANDB_TAGS": "x"}) == {}
    (tmp_path / ".wandb").mkdir()
    assert setting({}, "base_url") == (None, None)
    (tmp_path / ".config" / "wandb" / "settings").write_text("broken")
    assert setting({}, "project") == (None, None)
    assert why_not_online({}) == "W&B's settings"


def test_a_specification(tmp_path: Path) -> None:
    spec = RunSpec(
        chosen={"project": "p", "host": "", "save_dir": "~/x"}, default={"entity": "e", "tags": ("t",), "project": "q"}
    )
    assert spec.arguments(None) == {"project": "p", "entity": "e", "tags": ["t"]}
    assert spec.changed(entity="f", project=None).chosen == {
        "project": "p",
        "host": "",
        "save_dir": "~/x",
        "entity": "f",
    }
    assert spec.without("project", "entity").arguments(None) == {"tags": ["t"]}
    assert (spec.host, spec.api_key) == (None, None)
    assert spec.entity_is_documented_default({})
    assert not spec.entity_is_documented_default({"WANDB_ENTITY": "x"})
    assert not spec.changed(entity="f").entity_is_documented_default({})
    assert not spec.without("entity").entity_is_documented_default({})
    assert spec.folder({}) == tmp_path / "x"
    assert RunSpec({}, {}).folder({"WANDB_DIR": "y"}) == tmp_path / "y"
    assert RunSpec({}, {}).folder({}) == tmp_path
    assert destination({"tags": ["a", 1], "entity": 5, "run_name": 7, "host": 3, "api_key": "k", "x": "y"}) == {
        "tags": ["a"],
        "entity": "5",
        "run_name": "7",
    }


@pytest.mark.parametrize(
    ("about", "entity"),
    [
        ({"mark": {"run": {"entity": "w"}}, "chosen": {"entity": "c"}}, "w"), ({"mark": {"run": {"entity": ""}}}, None),
        ({"mark": None, "chosen": {"entity": "c"}, "settled": {"WANDB_ENTITY": "s"}}, "c"), ({"entity": "own"}, "own"),
        ({"chosen": {"entity": ""}, "settled": {"WANDB_ENTITY": "s"}, "default": {"entity": "d"}}, "s"),
        ({"settled": {"WANDB_ENTITY": ""}, "default": {"entity": "d"}}, None),
        ({"default": {"entity": "d"}}, "d"), ({}, None),
    ],
)  # fmt: skip
def test_who_says_where_a_run_goes(about: dict[str, Any], entity: Optional[str]) -> None:
    assert told(about, "entity") == entity
    assert told({"settled": {"WANDB_TAGS": "a,,b"}}, "tags") == ["a", "b"]
    assert told({"id": "x"}, "id") == "x"


def test_what_is_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for url, shown in (
        ("https://u:p@h/x?k=1#f", "https://h/x"), ("u:p@h", "h"), ("https:/u:p@ss@h", "https:/h"), ("http://h", "http://h"),
    ):  # fmt: skip
        assert without_user(url) == shown
    monkeypatch.setenv("WANDB_API_KEY", "keyy")
    monkeypatch.setenv("WANDB_BASE_URL", "https://user:word@h")
    assert hidden("a keyy of https://user:word@h, user:word@x word") == "a *** of https://h, x ***"
    monkeypatch.setenv("WANDB_API_KEY", "key")  # stands in texts by chance
    monkeypatch.setenv("WANDB_BASE_URL", "https://user:wor@h")
    assert hidden("key wor") == "key wor"
    assert hidden("api_key='x1' APIKEY: y") == "api_key='***' APIKEY: ***"
    assert hidden("see ftp://a:b@h") == "see ftp://h"
    key = "0123456789" * 4
    assert hidden(f"{key} local-{key} x{key}") == f"{key} local-{key} x{key}"
    assert hidden(f"{key} local-{key} x{key} wandb_v1_{'x' * 20}", alike=True) == f"*** *** x{key} ***"
    assert hidden(7) == 7

"""The reader of ``.wandb`` files, on files that each wandb version wrote."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from compat_matrix.deep_json import from_json
from compat_matrix.wandb_file import read

FILES = Path(__file__).resolve().parent / "wandb_files"
ROWS = [
    {"x": 1, "y": None, "z": [1, 2], "d": {"k": 1.5}, "b": True, "s": "é", "f": 1700000000123.4567},
    {"x": math.nan, "big": 2.0**70, "neg": -3, "long": "a" * 33000},
]


def check(path: Path) -> None:
    run = read(path)
    assert run.damage == []
    assert (run.project, run.name, run.entity, run.tags) == ("p", "n", "", ["t"])
    assert run.config["a"] == {"b": 1}
    assert run.exit_code == 0
    assert run.steps == [0, 1]
    assert run.rows[0] == ROWS[0]
    assert {k: v for k, v in run.rows[1].items() if k != "x"} == {k: v for k, v in ROWS[1].items() if k != "x"}
    assert math.isnan(run.rows[1]["x"])
    assert run.summary["b"] is True
    assert run.summary["neg"] == -3


@pytest.mark.parametrize("path", sorted(FILES.glob("*.wandb")), ids=lambda path: path.stem)
def test_files_of_each_version(path: Path) -> None:
    check(path)


def test_there_is_a_file_of_each_version_of_the_matrix() -> None:
    text = (Path(__file__).resolve().parents[2] / "compat_matrix" / "matrix.toml").read_text()
    versions = {line.split('"')[1] for line in text.splitlines() if line.startswith('"') and ">=" in line}
    assert versions - {"newest"} == {path.stem for path in FILES.glob("*.wandb")}


@pytest.mark.slow
def test_a_file_of_the_wandb_that_is_installed(tmp_path: Path) -> None:
    environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true", "HOME": str(tmp_path)}
    subprocess.run([sys.executable, str(FILES / "write.py")], cwd=tmp_path, env=environment, check=True)
    check(next(tmp_path.glob("wandb/offline-run-*/*.wandb")))


def test_a_torn_file_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    whole = (FILES / "0.31.0.wandb").read_bytes()
    torn = tmp_path / "torn.wandb"
    torn.write_bytes(whole[: len(whole) // 3])
    run = read(torn)
    assert len(run.rows) == 1
    assert run.exit_code is None
    assert run.damage


def test_a_wrong_checksum_is_named(tmp_path: Path) -> None:
    data = bytearray((FILES / "0.31.0.wandb").read_bytes())
    data[60] ^= 0xFF
    broken = tmp_path / "broken.wandb"
    broken.write_bytes(bytes(data))
    assert "checksum" in read(broken).damage[0]


def test_another_file_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other.wandb"
    other.write_bytes(b"not a run")
    assert "not a .wandb file" in read(other).damage[0]
    other.write_bytes(b"")
    assert read(other).rows == []


def test_integers_and_texts_without_json(tmp_path: Path) -> None:
    """HistoryItem can also carry values in fields of their own."""

    def field(number: int, kind: int, body: bytes) -> bytes:
        return bytes([number << 3 | kind]) + (bytes([len(body)]) + body if kind == 2 else body)

    def item(key: str, value: bytes) -> bytes:
        return field(1, 2, field(1, 2, key.encode()) + value)

    history = (
        item("i", field(5, 0, bytes([5])))  # zigzag: -3
        + item("n", field(6, 1, struct.pack("<d", 1.5)))
        + item("t", field(7, 2, b"text"))
        + item("b", field(4, 0, b"\x01"))
        + item("none", field(3, 0, b"\x00"))
        + item("j", field(8, 2, json.dumps([1]).encode()))
    )
    record = field(2, 2, history)
    header = struct.pack("<IHB", zlib.crc32(b"\x01" + record), len(record), 1)
    path = tmp_path / "made.wandb"
    path.write_bytes(b":W&B\xe1\xbe\x00" + header + record)
    run = read(path)
    assert run.damage == []
    assert run.rows == [{"i": -3, "n": 1.5, "t": "text", "b": True, "none": None, "j": [1]}]


def test_what_is_nested_too_deeply_becomes_a_text() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    found = from_json(f'{{"a": {deep}, "b": "[", "c": [{deep}, 1]}}')
    assert (found["b"], found["c"][1]) == ("[", 1)
    assert "nested too deeply" in str(found["a"])
    with pytest.raises(ValueError, match="Expecting"):
        from_json('{"a": ' + "[" * 100_000)


def test_a_record_that_is_no_message_is_damage(tmp_path: Path) -> None:
    record = b"\x12\xff\xff\xff\xff\x0f"  # a length that goes beyond the end
    header = struct.pack("<IHB", zlib.crc32(b"\x01" + record), len(record), 1)
    path = tmp_path / "made.wandb"
    path.write_bytes(b":W&B\xe1\xbe\x00" + header + record)
    assert read(path).rows in ([], [{}])

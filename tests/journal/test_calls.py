"""v1's calls as lines of a journal: there and back, damaged lines, and lines of format 2."""

from __future__ import annotations

import base64
import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from one_logger_v1_shim._journal.calls import (
    END,
    END_WITH_ROW,
    LETTERS,
    LOGGED,
    START,
    Call,
    call_line,
    calls,
    is_call,
    is_row,
    milliseconds,
    moments_line,
    number,
    pack,
    plain,
    rows_in,
)
from tests.v1.job import Scalar

AT = (1_700_000_000.123456, 1000.654321)
ROW = b'{"a":1}'

# every call that there is, as the job makes it
CALLS = [
    Call("open", AT, (None,)),
    Call("open", AT, (1_700_000_000_000.0,)),
    Call("training", AT, ({"fields": {"global_batch_size_or_fn": 8, "seq_length_or_fn": None}, "callables": []},)),
    Call("value", None, ("global_batch_size", 16)),
    Call("value", None, ("app_tag", ["a", "ä", "\u2028"])),
    Call("app_start", AT, (1_700_000_000_000.5,)),
    Call("app_end", AT, (None,)),
    Call("phase_start", AT, ("model_init", None)),
    Call("phase_end", AT, ("load_checkpoint", 1_700_000_000_000.0)),
    Call("train_start", AT, (7, 56)),
    Call("train_end", AT),
    Call("batch_start", AT),
    Call("batch_end", AT),
    Call("save_start", AT, (4,)),
    Call("save_end", AT, (4,)),
    Call("save_success", AT, (10**18,)),
    Call("close", AT),
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_there_and_back(call: Call) -> None:
    line = call_line(call)
    assert is_call(line)
    assert not is_row(line)
    assert b"\n" not in line
    assert line.isascii()
    assert rows_in(line) == 0
    assert list(calls(line)) == [call]


def test_row_is_a_reading_and_a_line_of_its_own() -> None:
    """W&B's worker sends the second line as it is; it need not read the first."""
    first, second = call_line(Call("row", AT, (ROW,))).split(b"\n")
    assert (second, is_row(second)) == (ROW, True)
    assert is_call(first)
    assert list(calls(first)) == [Call("row", AT)]
    assert rows_in(first + b"\n" + second) == 1


def test_letters() -> None:
    """What a journal on disk means: a letter never gets another meaning."""
    assert LETTERS == {b"S": ("batch_start",), b"E": ("batch_end",), b"R": ("row",), b"W": ("row", "batch_end")}
    assert (START, END, LOGGED, END_WITH_ROW) == (b"S", b"E", b"R", b"W")


def line_of(moments: list[tuple[bytes, float, float]]) -> bytes:
    """Without its end."""
    line = moments_line([(letter, pack(wall, counter)) for letter, wall, counter in moments])
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return line[:-1]


def test_iteration_with_a_row() -> None:
    moments = [(START, 1.5, 2.5), (END, 3.5, 4.5), (START, 5.5, 6.5), (END_WITH_ROW, 7.5, 8.5)]
    line = line_of(moments)
    assert line.startswith(b">SESW ")
    assert [(call.name, call.at) for call in calls(line)] == [
        ("batch_start", (1.5, 2.5)),
        ("batch_end", (3.5, 4.5)),
        ("batch_start", (5.5, 6.5)),
        ("row", (7.5, 8.5)),
        ("batch_end", (7.5, 8.5)),
    ]


readings = st.floats(allow_nan=False, width=64)


@settings(deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(LETTERS)), readings, readings), min_size=1, max_size=40))
def test_readings_come_back_to_the_last_bit(moments: list[tuple[bytes, float, float]]) -> None:
    expected = [Call(name, (wall, counter)) for letter, wall, counter in moments for name in LETTERS[letter]]
    assert list(calls(line_of(moments))) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, database=None)
@given(st.sampled_from([call.name for call in CALLS]), readings, readings, st.lists(json_values, max_size=3))
def test_arguments_come_back(name: str, wall: float, counter: float, arguments: list[Any]) -> None:
    call = Call(name, None if name == "value" else (wall, counter), tuple(arguments))
    line = call_line(call)
    assert line.isascii()
    assert b"\n" not in line
    assert list(calls(line)) == [call]


GOOD = line_of([(START, *AT), (END, *AT)])


@pytest.mark.parametrize(
    "line",
    [
        b">[",
        b">[]",
        b'>["batch_start"]',
        b'>["batch_start", null]',
        b'>["batch_start", [1]]',
        b'>["batch_start", [1, 2, 3]]',
        b'>["batch_start", [1, "x"]]',
        b'>["batch_start", {"a": 1, "b": 2}]',
        b'>{"batch_start": [1, 2]}',
        b">S",
        b">SE " + base64.b64encode(struct.pack("<2d", 1, 2)),
        b">S " + base64.b64encode(struct.pack("<4d", 1, 2, 3, 4)),
        b">X " + base64.b64encode(struct.pack("<2d", 1, 2)),
        b">\xff " + base64.b64encode(struct.pack("<2d", 1, 2)),
        GOOD[:-1],
        GOOD[:-5],
        GOOD[:4],
    ],
)
def test_damaged_line(line: bytes) -> None:
    """``ValueError`` and nothing else: who reads a journal knows what to do about it."""
    with pytest.raises(ValueError):  # noqa: PT011
        list(calls(line))


@settings(deadline=None, database=None)
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: b'["batch_start",' + text.encode()))
def test_any_bytes_are_calls_or_a_value_error(body: bytes) -> None:
    try:
        found = list(calls(b">" + body))
    except ValueError:
        return
    assert all(isinstance(call, Call) for call in found)


def test_numbers_that_json_has_as_texts() -> None:
    (call,) = calls(b'>["batch_start",["1700000002.5","1002.5"]]')
    assert call == Call("batch_start", (1_700_000_002.5, 1002.5))


def test_call_that_is_not_known_is_read() -> None:
    """A later version may have more; who plays it says that it does not know it."""
    assert list(calls(b'>["dance",[1.0,2.0],"x"]')) == [Call("dance", (1.0, 2.0), ("x",))]


def test_kinds_of_lines() -> None:
    lines = {"row": b'{"a":1}', "call": b">S AAAA", "from": b"#from 12", "finish": b"#finish 3", "empty": b""}
    assert [name for name, line in lines.items() if is_row(line)] == ["row"]
    assert [name for name, line in lines.items() if is_call(line)] == ["call"]
    assert (number(lines["from"]), number(lines["finish"]), number(b"#from"), number(b"#from x", -1)) == (12, 3, 0, -1)


@pytest.mark.parametrize(
    ("data", "rows"),
    [(b"", 0), (ROW, 1), (ROW + b"\n", 1), (b">R x\n" + ROW, 1), (b">R x\n" + ROW + b"\n>R x\n" + ROW, 2), (b">[", 0),
     (b'>["phase_start",[1,2],"{"]', 0)],
)  # fmt: skip
def test_rows_in_what_one_call_did(data: bytes, rows: int) -> None:
    assert rows_in(data) == rows


@pytest.mark.parametrize(
    ("given", "expected"),
    [(1, 1), (1.5e12, 1.5e12), (0, None), (-1, None), (True, None), ("1", None), (None, None), (1e15, None)],
)
def test_instant_given_by_hand(given: Any, expected: Any) -> None:
    assert milliseconds(given) == expected


def test_instant_that_is_no_number() -> None:
    assert milliseconds(math.nan) is None
    assert milliseconds(math.inf) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        (3, 3),
        (("a", 1), ["a", 1]),
        ([Scalar(2.5)], [2.5]),
        (Scalar(8), 8),
        (Scalar(RuntimeError("no")), "Scalar(RuntimeError('no'))"),
        (Path("a"), "a"),
    ],
)
def test_value_of_a_callable(given: Any, expected: Any) -> None:
    found = plain(given)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found)


# -- lines of format 2 -----------------------------------------------------------------------------------------


def test_lines_of_format_2() -> None:
    """Written by release 0.2.0."""
    assert list(calls(b">SR AADgQfxU2UEAAAAAAHyPQAAAIEL8VNlBAAAAAACEj0A=")) == [
        Call("batch_start", (1_700_000_007.5, 1007.5)),
        Call("row", (1_700_000_008.5, 1008.5)),
    ]
    assert list(calls(b">ESE AAAgQvxU2UEAAAAAAISPQAAAIEL8VNlBAAAAAACEj0AAAHBC/FTZQQAAAAAAjo9A")) == [
        Call("batch_end", (1_700_000_008.5, 1008.5)),
        Call("batch_start", (1_700_000_008.5, 1008.5)),
        Call("batch_end", (1_700_000_009.75, 1009.75)),
    ]
    assert list(calls(b'>["phase_end",[1700000002.75,1002.75],"model_init",1700000002750.0]')) == [
        Call("phase_end", (1_700_000_002.75, 1002.75), ("model_init", 1_700_000_002_750.0))
    ]
    assert list(calls(b'>["value","global_batch_size",16]')) == [Call("value", None, ("global_batch_size", 16))]
    assert list(calls(b'>["close",[1700000020.0,1020.0]]')) == [Call("close", (1_700_000_020.0, 1020.0))]


def test_a_journal_of_format_2_has_no_line_that_is_not_understood() -> None:
    """``test_v2_twin.py`` plays it to v2."""
    lines = (Path(__file__).parent / "v2_journals" / "format-2" / "rows-000001.jsonl").read_bytes().splitlines()
    names = [call.name for line in lines if is_call(line) for call in calls(line)]
    assert (names[0], names[-1]) == ("open", "close")
    assert names.count("row") == sum(map(is_row, lines)) == 27
    assert names.count("batch_start") == names.count("batch_end") == 8

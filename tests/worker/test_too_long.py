"""Rows that are longer than W&B's server takes: what is shortened, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

from one_logger_v1_shim._worker.too_long import LIMIT, TooLong

MEGA = 1_000_000


def fit(row: dict[str, Any], looks: Optional[TooLong] = None) -> tuple[dict[str, Any], bool, Optional[str]]:
    return (looks or TooLong(None)).fit(1, json.dumps(row).encode(), row)


def test_what_fits_is_left_alone() -> None:
    row = {"text": "\u00e9" * (5 * MEGA), "n": 1}  # 30 MB in the journal, 10 MB as wandb sends it
    assert fit(row) == (row, False, None)


def test_the_largest_values_are_shortened_until_it_fits() -> None:
    row = {"a": "x" * MEGA, "b": "x" * (8 * MEGA), "c": ["x" * (6 * MEGA)], "d": 1}
    fitting, changed, said = fit(row)
    assert changed
    assert (fitting["a"], fitting["d"], fitting["c"]) == (row["a"], 1, row["c"])
    assert fitting["b"] == "x" * 200 + "..."
    assert len(json.dumps(fitting)) < LIMIT
    assert said is not None
    assert said.startswith("row 1 (15.0 MB, keys: a, b, c, d) is longer")


def test_values_that_are_no_text() -> None:
    fitting, _, _ = fit({"values": list(range(200_000))}, TooLong(None, MEGA))
    assert fitting["values"].startswith("[0, 1, 2, ")
    assert len(fitting["values"]) == 203


def test_keys_alone_can_be_too_many() -> None:
    row = {f"key {n:0100d}": n for n in range(12_000)}
    fitting, changed, said = fit(row, TooLong(None, MEGA))
    assert said is not None
    assert "and 11990 more) is longer than W&B's server takes (1.0 MB); W&B will skip it" in said
    assert changed == (fitting != row)


def test_a_summary_that_is_too_long() -> None:
    """Each row fits. W&B's summary has the last value of each key, and wandb sends it no more once it is too long."""
    looks = TooLong(None)
    assert fit({"a": "x" * (6 * MEGA)}, looks)[2] is None
    row, changed, said = fit({"b": "x" * (6 * MEGA)}, looks)
    assert (len(row["b"]), changed) == (6 * MEGA, False)
    assert said is not None
    assert said.startswith("the last values of a, b are 12.0 MB; W&B's server takes no summary")
    assert fit({"b": "x" * (6 * MEGA)}, looks)[2] is None  # said once
    fit({"a": "short"}, looks)
    fit({"b": "short"}, looks)
    assert fit({"c": "x" * (6 * MEGA)}, looks)[2] is None


def test_each_kind_of_row_is_said_once() -> None:
    looks = TooLong(Path("/journal"))
    long = "x" * (12 * MEGA)
    said = [fit({"a": long}, looks)[2], fit({"a": long}, looks)[2], fit({"b": long}, looks)[2]]
    assert [bool(text) for text in said] == [True, False, True]
    assert said[0] is not None
    assert said[0].endswith("; the whole row is in /journal")


def test_bounds() -> None:
    """What is one byte too long is shortened, what is small is not looked at, what was replaced counts no more."""
    for size, changed in ((98_968, False), (98_969, True)):
        row = {"aa": "x" * size}
        assert TooLong(None, 100_000).fit(1, json.dumps(row).encode(), row)[1] is changed
    row = {"aa": ["x" * 40_000, "x" * 58_963]}
    assert not TooLong(None, 100_000).fit(1, json.dumps(row).encode(), row)[1]
    row["aa"][1] += "x"
    assert TooLong(None, 100_000).fit(1, json.dumps(row).encode(), row)[1]
    looks = TooLong(None, 150_000)
    for name, size, said in (
        ("a", 80_000, None), ("b", 66_000, None), ("a", 10, None), ("b", 80_000, None), ("c", 70_000, "b, c"),
    ):  # fmt: skip
        text = looks.fit(1, json.dumps({name: "x" * size}).encode(), {name: "x" * size})[2]
        assert (text is None) == (said is None)
        assert said is None or f"the last values of {said} are 0.2 MB" in str(text)


def test_a_message_names_few_keys_and_is_said_of_few_kinds() -> None:
    looks = TooLong(None, 70_000)
    said = [looks.fit(number, b"x" * 70_000, {f"k{number}" * 100: "x" * 70_000})[2] for number in range(12)]
    assert [bool(text) for text in said] == [True] * 10 + [False] * 2
    assert f"keys: {('k0' * 100)[:200]})" in str(said[0])
    row = {f"k{number}" * 101: "x" * 7_000 for number in range(12)}
    text = TooLong(None, 70_000).fit(1, b"x" * 70_000, row)[2]
    assert "... and 2 more) is longer" in str(text)

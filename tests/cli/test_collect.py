"""What `show` keeps of a run's rows: each name counted, the newest value, a bounded curve, however rows are made."""

from __future__ import annotations

import random
from typing import Any

from one_logger_v1_shim._cli._collect import Collector


def collected(*rows: dict[str, Any]) -> Collector:
    found = Collector()
    for row in rows:
        found.take(row)
    found.settle()
    return found


def test_rows_of_many_kinds() -> None:
    """3,000 sets of names, more than are looked up at a time; some rows have the value as text."""
    rows: list[dict[str, Any]] = [
        {"loss": b"%d" % at if at % 7 else at, f"only {at}": "text", "train_iterations": at} for at in range(3000)
    ]
    found = collected(*rows)
    loss = found.others["loss"]
    assert (found.rows, loss.count, found.others["only 2999"].count) == (3000, 3000, 1)
    assert (loss.curve[0], loss.curve[-1]) == ((1.0, 0.0), (3000.0, 2999.0))
    assert 256 <= len(loss.curve) <= 1024
    assert all(value == row - 1 for row, value in loss.curve)
    assert found.others["only 5"].curve == []
    assert (found.decoded()["loss"], found.decoded()["train_iterations"]) == (2999, 2999)


def test_the_newest_value_is_that_of_the_newest_row() -> None:
    made = random.Random(7)
    for _ in range(200):
        rows = [
            {name: made.randrange(100) for name in made.sample(["a", "b", "c", "world_size"], made.randint(1, 4))}
            for _ in range(made.randint(1, 9))
        ]
        found, newest = collected(*rows), {name: value for row in rows for name, value in row.items()}
        assert found.decoded() == newest
        for name, other in found.others.items():
            assert other.curve == [(float(at), row[name]) for at, row in enumerate(rows, 1) if name in row], rows
            assert other.count == len(other.curve)
        assert found.others.keys() == newest.keys() - {"world_size"}


def test_of_too_many_names_nothing_is_kept() -> None:
    found = collected(*({f"n{at}": 1, "world_size": 8} for at in range(10_050)))
    assert len(found.others) == 10_000
    assert found.last.keys() - found.others.keys() == {"world_size"}
    assert sum(bool(other.curve) for other in found.others.values()) == 24


def test_what_a_first_row_says_of_the_job_is_no_metric() -> None:
    found = collected({"one_logger_utils_version": "1.0.2", "learning_rate": b"0.25"}, {"loss": 1.5})
    assert found.metadata == {"learning_rate": 0.25}
    assert (set(found.others), set(found.last)) == ({"loss"}, {"one_logger_utils_version", "loss"})

"""Which row is which: the longest common subsequence, by both ways and at any size."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from compat_matrix.verify import align
from compat_matrix.verify.align import common, gaps


def longest(a: Sequence[int], b: Sequence[int]) -> int:
    """The textbook's table."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = row[:]
        for j, y in enumerate(b):
            row[j + 1] = before[j] + 1 if x == y else max(before[j + 1], row[j])
    return row[-1]


@pytest.mark.parametrize("few", [0, 20], ids=["kinds", "own keys"])
def test_it_is_the_longest_one(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "_FEW", few)
    for seed in range(300):
        rng = random.Random(seed)
        kinds = rng.choice((1, 2, 3, 8))
        a, b = ([rng.randrange(kinds) for _ in range(rng.randrange(20))] for _ in range(2))
        pairs = common(a, b)
        assert len(pairs) == longest(a, b)
        assert all(a[i] == b[j] for i, j in pairs)
        assert all(x[0] < y[0] and x[1] < y[1] for x, y in zip(pairs, pairs[1:]))
        rest = sum(len(ours) for ours, _ in gaps(pairs, len(a), len(b)))
        assert rest == len(a) - len(pairs)


def test_many_rows_of_a_few_kinds() -> None:
    rng = random.Random(1)
    a = [rng.choice("ppppv") for _ in range(20_000)]
    b = [one for one in a if rng.random() < 0.9]
    assert len(common(a, b)) == len(b)


def test_many_rows_in_another_order() -> None:
    a = list(range(50_000))
    assert len(common(a, a[25_000:] + a[:25_000])) == 25_000

"""Which row of one history is which of another: a longest common subsequence, exact for any number of rows.

Where most rows are alike only to their own counterpart, the pairs are few, and the longest chain of them is found by
bisection (Hunt and Szymanski, 1977). Where rows are of a few kinds, bits of one large integer stand for the rows of the
second history (Crochemore, Iliopoulos, Pinzon and Reid, 2001), and the place where the sequences part is found by
dividing the first one in halves (Hirschberg, 1975). 200,000 rows on each side take seconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

Keys = Sequence[Hashable]
Pair = tuple[int, int]

#: pairs of equal rows, for each row, up to which the first way is the quicker one
_FEW = 20
#: places of one key from which on its bits are kept
_MANY = 64


def common(old: Keys, new: Keys) -> list[Pair]:
    """The pairs of places with equal keys, in order, as many as there can be."""
    first, second = set(old), set(new)
    ours = [at for at, key in enumerate(old) if key in second]
    theirs = [at for at, key in enumerate(new) if key in first]
    numbers: dict[Hashable, int] = {}
    a = [numbers.setdefault(old[at], len(numbers)) for at in ours]
    b = [numbers.setdefault(new[at], len(numbers)) for at in theirs]
    counts = Counter(b)
    few = sum(counts[key] for key in a) <= _FEW * (len(a) + len(b))
    return [(ours[i], theirs[j]) for i, j in (_chain(a, b) if few else _divided(a, b))]


def gaps(pairs: Sequence[Pair], old: int, new: int) -> Iterator[tuple[range, range]]:
    """What lies between the pairs, before the first and after the last; ``old`` and ``new`` are the lengths."""
    i = j = 0
    for a, b in (*pairs, (old, new)):
        if a > i or b > j:
            yield range(i, a), range(j, b)
        i, j = a + 1, b + 1


def _chain(a: Sequence[int], b: Sequence[int]) -> list[Pair]:
    """The longest chain of pairs in which both places grow."""
    places: dict[int, list[int]] = {}
    for at in range(len(b) - 1, -1, -1):
        places.setdefault(b[at], []).append(at)
    ends: list[int] = []  # of the chains of each length, the smallest last place
    links: list[tuple[int, int, object]] = []
    for i, key in enumerate(a):
        for j in places[key]:
            length = bisect_left(ends, j)
            link = (i, j, links[length - 1] if length else None)
            if length == len(ends):
                ends.append(j)
                links.append(link)
            else:
                ends[length], links[length] = j, link
    found: list[Pair] = []
    last: object = links[-1] if links else None
    while isinstance(last, tuple):
        found.append((last[0], last[1]))
        last = last[2]
    return found[::-1]


def _divided(a: Sequence[int], b: Sequence[int]) -> list[Pair]:
    found: list[Pair] = []
    work = [(0, len(a), 0, len(b))]
    while work:
        begin, end, start, stop = work.pop()
        while begin < end and start < stop and a[begin] == b[start]:
            found.append((begin, start))
            begin, start = begin + 1, start + 1
        while begin < end and start < stop and a[end - 1] == b[stop - 1]:
            end, stop = end - 1, stop - 1
            found.append((end, stop))
        if begin == end or start == stop:
            continue
        if end - begin == 1:
            found += [(begin, at) for at in range(start, stop) if b[at] == a[begin]][:1]
            continue
        middle = (begin + end) // 2
        left = _lengths(a[begin:middle], b[start:stop])
        right = _lengths(a[middle:end][::-1], b[start:stop][::-1])
        width = stop - start
        cut = start + max(range(width + 1), key=lambda at: left[at] + right[width - at])
        work += [(begin, middle, start, cut), (middle, end, cut, stop)]
    return sorted(found)


def _lengths(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """How long a common subsequence of ``a`` and each beginning of ``b`` can be."""
    places: dict[int, list[int]] = {}
    for at, key in enumerate(b):
        places.setdefault(key, []).append(at)
    size = (len(b) + 7) // 8
    kept: dict[int, int] = {}
    everything = row = (1 << len(b)) - 1
    for key in a:
        mask = kept.get(key)
        if mask is None:
            where = places.get(key)
            if where is None:
                continue
            bits = bytearray(size)
            for at in where:
                bits[at >> 3] |= 1 << (at & 7)
            mask = int.from_bytes(bits, "little")
            if len(where) >= _MANY:
                kept[key] = mask
        matched = row & mask
        row = ((row + matched) | (row - matched)) & everything
    lengths, length = [0], 0
    for bit in reversed(f"{row:0{max(1, len(b))}b}"):
        length += bit == "0"
        lengths.append(length)
    return lengths[: len(b) + 1]

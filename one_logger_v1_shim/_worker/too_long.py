"""Rows that are longer than W&B's server takes: wandb skips them, and the summary ever after, in its own log only.

Runs in the worker's process.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

#: bytes of a line that wandb sends at most, in all its versions (``x_file_stream_max_line_bytes``)
LIMIT = 10 * 1024 * 1024 - 100 * 1024
_WANDB_ADDS = 1024  # bytes, at most: _step, _timestamp, _runtime
_SMALL = 64 * 1024  # bytes of a row or a value that nobody has to look at
_SHOWN = 200  # characters that stay of a value which is too long
_MOST_KEYS = 10  # that a message names


class TooLong:
    """Looks at the rows of one run. ``folder``: of the journal, which keeps such a row whole; None: there is none."""

    def __init__(self, folder: Optional[Path], limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit - _WANDB_ADDS
        self._told: set[tuple[str, ...]] = set()
        self._summary: dict[str, int] = {}  # bytes of large values, which W&B's summary has until they are replaced

    def fit(self, number: int, line: bytes, row: dict[str, Any]) -> tuple[dict[str, Any], bool, Optional[str]]:
        """The row as W&B's server takes it, whether that is another one, and what is to be logged about it.

        Args:
            number: of the row, from 1, for the message.
            line: of the journal, the row as JSON.
            row: the same, read.
        """
        if len(line) < _SMALL:  # in ASCII, and so no shorter than what wandb sends
            if self._summary:
                for key in row.keys() & self._summary.keys():
                    del self._summary[key]
            return row, False, None
        sizes = {key: _size(key) + _size(value) + 2 for key, value in row.items()}
        whole = sum(sizes.values())
        fitting, shortened = dict(row), []
        left = whole
        for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
            if left <= self._limit:
                break
            fitting[key] = _shorten(row[key])
            left -= sizes[key] - _size(key) - _size(fitting[key]) - 2
            sizes[key] = 0
            shortened.append(key)
        for key, size in sizes.items():
            self._summary.pop(key, None)
            if size > _SMALL:
                self._summary[key] = size
        if shortened:
            return fitting, True, self._once(shortened, self._row_text(number, whole, row, shortened, left))
        if sum(self._summary.values()) > self._limit:
            return row, False, self._once(list(self._summary), self._summary_text())
        return row, False, None

    def _once(self, keys: list[str], text: str) -> Optional[str]:
        kind = tuple(sorted(keys))
        if kind in self._told or len(self._told) >= _MOST_KEYS:
            return None
        self._told.add(kind)
        return text

    def _row_text(self, number: int, size: int, row: dict[str, Any], shortened: list[str], left: int) -> str:
        what = f"row {number} ({_megabytes(size)}, keys: {_names(list(row))}) is longer than W&B's server takes "
        what += f"({_megabytes(self._limit)}); "
        if left > self._limit:
            what += "W&B will skip it"
        else:
            what += f"W&B gets the first {_SHOWN} characters of {_names(shortened)}"
        return what if self._folder is None else f"{what}; the whole row is in {self._folder}"

    def _summary_text(self) -> str:
        size = sum(self._summary.values())
        return (
            f"the last values of {_names(list(self._summary))} are {_megabytes(size)}; W&B's server takes no summary "
            f"of a run that is longer than {_megabytes(self._limit)}; rows are not affected"
        )


def _size(value: Any) -> int:
    """Bytes of ``value`` as wandb sends it: JSON in UTF-8."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _names(keys: list[str]) -> str:
    shown = [key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..." for key in keys[:_MOST_KEYS]]
    more = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")

"""Rows of many runs in one file: Parquet, CSV or JSON lines, all with the same columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable, Optional

from .._goodput.values import decoded
from .._journal.files import is_text
from .._v1 import metrics as m

#: what tells the rows of one run from those of another
RUN = ("_run_id", "_project", "_entity", "_run_name")
_STEP = "_step"
#: what is no metric of v1's, or has not the type of its column: a JSON object
OTHER = "_other"
_INT, _FLOAT, _BOOL, _TEXT, _LIST = "int", "float", "bool", "text", "list"
_BY_UNIT = {m.COUNT: _INT, m.FLAG: _BOOL, m.TEXT: _TEXT}
_SPECIAL = {
    m.APP_TAG: _LIST, m.APP_TAG_ID: _LIST, m.APP_LAST_LOG_TIME: _INT, m.APP_FIRST_LOG_TIME: _INT,
    m.JOB_START_TIME: _INT, m.LIMIT_RUN: _INT,
}  # fmt: skip
#: column -> type: the same for every run
COLUMNS: dict[str, str] = {
    **dict.fromkeys(RUN, _TEXT),
    _STEP: _INT,
    **{name: _SPECIAL.get(name, _BY_UNIT.get(unit, _FLOAT)) for name, unit in m.UNITS.items()},
    OTHER: _TEXT,
}
_GROUP = 20_000  # rows of a piece of a Parquet file

Row = dict[str, Any]


class NoPyarrowError(Exception):
    """pyarrow is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Parquet needs pyarrow: python -m pip install 'one-logger-v1-shim[export]'; .csv and .jsonl need nothing"
        )


def row_of(run: Row, step: int, row: Row) -> Row:
    """A row of a run with that run's columns; values are decoded."""
    return {**run, _STEP: step, **{name: decoded(value) for name, value in row.items()}}


def writer(suffix: str) -> Optional[Callable[[Path, Iterable[Row]], int]]:
    """What writes files with this ending: takes the path and the rows, returns how many there were."""
    return {".parquet": _parquet, ".csv": _csv, ".jsonl": _json, ".ndjson": _json}.get(suffix.lower())


def _json(path: Path, rows: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for count, row in enumerate(rows, 1):  # noqa: B007
            file.write(json.dumps({name: value for name, value in row.items() if value is not None}) + "\n")
    return count


def _csv(path: Path, rows: Iterable[Row]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for count, row in enumerate(rows, 1):  # noqa: B007
            fitted = _fitted(row)
            out.writerow([_cell(fitted.get(name)) for name in COLUMNS])
    return count


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (list, bool)) else repr(value) if isinstance(value, float) else value


def _parquet(path: Path, rows: Iterable[Row]) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise NoPyarrowError from error
    kinds = {
        _INT: pyarrow.int64(), _FLOAT: pyarrow.float64(), _BOOL: pyarrow.bool_(), _TEXT: pyarrow.string(),
        _LIST: pyarrow.list_(pyarrow.string()),
    }  # fmt: skip
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as out:
        for piece in _pieces(rows):
            count += len(piece)
            columns = {name: [row.get(name) for row in piece] for name in COLUMNS}
            out.write_table(pyarrow.Table.from_pydict(columns, schema=schema))
    return count


def _pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    piece: list[Row] = []
    for row in rows:
        piece.append(_fitted(row))
        if len(piece) >= _GROUP:
            yield piece
            piece = []
    if piece:
        yield piece


def _fitted(row: Row) -> Row:
    """The row with the columns of the schema; what does not fit into them is text in ``_other``."""
    found: Row = {}
    other: Row = {}
    for name, value in row.items():
        kind = COLUMNS.get(name) if name != OTHER else None
        if value is None:
            continue
        if kind is not None and _fits(value, kind):
            found[name] = int(value) if kind == _INT else float(value) if kind == _FLOAT else value
        else:
            other[name] = value
    if other:
        found[OTHER] = json.dumps(other)
    return found


def _fits(value: Any, kind: str) -> bool:
    if kind == _TEXT:
        return _is_text(value)
    if kind == _LIST:
        return isinstance(value, list) and all(map(_is_text, value))
    if kind == _BOOL or isinstance(value, bool):
        return kind == _BOOL and isinstance(value, bool)
    if kind == _INT:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and abs(value) < 1 << 62
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 1 << 53)


def _is_text(value: Any) -> bool:
    """Whether UTF-8 can have it. Half of a surrogate pair, as from the name of a file, is kept in ``_other``."""
    return isinstance(value, str) and is_text(value)

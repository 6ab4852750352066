"""Exports of ``run.scan_history()`` and ``run.history()``: JSON lines, JSON, CSV, Parquet, by W&B or by pandas."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from ..deep_json import from_json
from .beliefs import BOOL, METRICS, STRING, STRINGS
from .history import BadSource, History, history
from .numbers import is_number

#: what ``read_csv`` takes for nothing, and what ``to_csv(na_rep=...)`` is given for it
_NOTHING = frozenset({"", "NaN", "nan", "NA", "N/A", "n/a", "<NA>", "None", "null", "NULL"})
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")


def read_export(path: Path) -> History:
    """Raises :class:`BadSource` for a file that is none of these, or not what its name says."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            return history(str(path), _csv(path), exact=False)
        if suffix == ".parquet":
            return history(str(path), _parquet(path), exact=False)
        rows = list(_json(path))
        return history(str(path), rows, exact=not _was_a_table(rows))
    except UnicodeDecodeError as error:
        raise BadSource(f"{path}: not UTF-8 at byte {error.start}; expected the text of an export") from None


def _json(path: Path) -> Iterator[dict[str, Any]]:
    """One object to a line, or one array of objects, or a table as pandas writes it (``DataFrame.to_json()``)."""
    text = path.read_text(encoding="utf-8-sig").strip()
    lines: Iterable[tuple[int, Any]]
    if text.startswith("["):
        lines = enumerate(_parsed(path, 0, text), 1)
    elif (table := _table(text)) is not None:
        lines = enumerate(table, 1)
    else:
        lines = (
            (number, _parsed(path, number, line)) for number, line in enumerate(text.split("\n"), 1) if line.strip()
        )
    for number, row in lines:
        if not isinstance(row, dict):
            raise BadSource(f"{path}: row {number} is {_shown(row)}; expected a JSON object, a row of scan_history()")
        yield row


def _was_a_table(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether pandas has read the rows from CSV, of which no row has a hole (:func:`history` knows those with one).

    What v1 sent as a text is a number there if it looks like one, and a list is a text.
    """
    return all(row.keys() == rows[0].keys() for row in rows) and any(
        isinstance(value, str) and value[:1] == "[" if METRICS[name].type == STRINGS else is_number(value)
        for row in rows
        for name, value in row.items()
        if name in METRICS and METRICS[name].type in (STRING, STRINGS)
    )


def _parsed(path: Path, number: int, text: str) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        where, expected = (f"line {number}: ", "on each line") if number else ("", "in an array")
        raise BadSource(f"{path}: {where}{error}; expected a JSON object {expected}") from None


def _table(text: str) -> Optional[list[Any]]:
    """The rows of one object that is a whole table, in any of pandas' ``orient``; None if it is none."""
    first = text.split("\n", 1)[0].strip()
    if text != first and first != "{":
        return None  # lines of objects, which may be many
    try:
        table = from_json(text)
    except ValueError:
        return None
    if not isinstance(table, dict) or not table:
        return None
    if isinstance(table.get("data"), list) and table.keys() <= {"data", "columns", "index", "schema"}:
        names = [str(name) for name in table["columns"]] if isinstance(table.get("columns"), list) else []
        return [dict(zip(names, row)) if isinstance(row, list) else row for row in table["data"]]  # "split", "table"
    columns = list(table.values())
    if all(isinstance(column, list) for column in columns):  # to_dict("list")
        return [dict(zip(table, row)) for row in zip(*columns)]
    if not all(isinstance(column, dict) and column for column in columns):
        return None
    if all(key.isdigit() for key in table):  # "index"
        return columns
    numbers = dict.fromkeys(key for column in columns for key in column)
    if not all(key.isdigit() for key in numbers):
        return None
    return [{name: column.get(number) for name, column in table.items()} for number in numbers]


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    """Cells as pandas and ``csv`` write them: a metric that the row has not is empty, or a word for nothing."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names, nothing = next(reader, []), None
            for cells in reader:
                if not cells:
                    continue
                if nothing is None:  # of v1's first row most cells are empty, or have the word that stands for it
                    nothing = {""} if "" in cells else _NOTHING
                if len(cells) != len(names):
                    raise BadSource(f"{path}: line {reader.line_num} has not as many cells as the first line has names")
                yield {name: _cell(name, text) for name, text in zip(names, cells) if name and text not in nothing}
        except csv.Error as error:
            raise BadSource(f"{path}: line {reader.line_num}: {error}; expected CSV") from None


def _cell(name: str, text: str) -> Any:
    metric = METRICS.get(name)
    if (metric is not None and metric.type == STRING) or text[:1] in "[{(":
        return text  # for history(), which spells lists in a table
    if metric is not None and metric.type == BOOL:
        text = text.lower()  # a spreadsheet's TRUE
    try:
        return from_json(text)
    except ValueError:
        pass
    if text in ("True", "False", "None"):
        return text == "True" if text != "None" else None
    return float(text) if text.lower() in ("nan", "inf", "-inf") else text


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise BadSource(
            f"{path}: reading Parquet needs pyarrow: `python -m pip install pyarrow`, or export JSON lines"
        ) from None
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except Exception as error:
        raise BadSource(f"{path}: {_first_line(error)}; expected a Parquet file") from None
    return rows


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."

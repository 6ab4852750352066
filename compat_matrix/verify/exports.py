"""Exports of ``run.scan_history()``: JSON lines, CSV, Parquet."""

from __future__ import annotations

import ast
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .beliefs import METRICS, STRING
from .history import BadSource, History, history

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")


def read_export(path: Path) -> History:
    """Raises :class:`BadSource` for a file that is none of these, or not what its name says."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            return history(str(path), list(_csv(path)), exact=False)
        if suffix == ".parquet":
            return history(str(path), _parquet(path), exact=False)
        return history(str(path), list(_json(path)))
    except UnicodeDecodeError as error:
        raise BadSource(f"{path}: not UTF-8 at byte {error.start}; expected the text of an export") from None


def _json(path: Path) -> Iterator[dict[str, Any]]:
    """One object to a line, or one array of objects."""
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise BadSource(f"{path}: {error}; expected a JSON array of rows") from None
        lines = list(enumerate(rows, 1))
    else:
        lines = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    lines.append((number, json.loads(line)))
                except ValueError as error:
                    raise BadSource(f"{path}: line {number}: {error}; expected a JSON object on each line") from None
    for number, row in lines:
        if not isinstance(row, dict):
            raise BadSource(f"{path}: row {number} is {_shown(row)}; expected a JSON object, a row of scan_history()")
        yield row


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    """Cells as pandas and ``csv`` write them: an empty one is a metric that the row has not."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise BadSource(f"{path}: line {reader.line_num} has not as many cells as the first line has names")
                yield {name: _cell(name, text) for name, text in row.items() if name and text != ""}
        except csv.Error as error:
            raise BadSource(f"{path}: line {reader.line_num}: {error}; expected CSV") from None


def _cell(name: str, text: str) -> Any:
    metric = METRICS.get(name)
    if metric is not None and metric.type == STRING:
        return text
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:  # True, ['a', 'b'], nan: Python's spelling
        return float("nan") if text.lower() == "nan" else ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


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

"""Reading ``.wandb`` files quickly gives what reading them slowly gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.wandb_file import read
from one_logger_v1_shim._cli import _places
from one_logger_v1_shim._cli._stored import records
from one_logger_v1_shim._goodput.values import decoded
from one_logger_v1_shim._journal.wandb_file import Scanner, rows_at_end
from tests.cli.journals import journal
from tests.support import run_python

RECORDED = sorted((Path(__file__).parents[1] / "matrix" / "wandb_files").rglob("*.wandb"))

# Rows of several kinds, some of them larger than a block of the file, or with keys and texts of 128 bytes and more.
JOB = """
from one_logger_v1_shim import OneLogger
one = OneLogger({"project": "stored", "name": "job", "async": True})
for i in range(3000):
    row = {"i": i, "nested": {"a": i / 7, "b": {"c": None}}}
    if i % 500 == 0:
        row.update({"k" * 200: i, "text": "x" * 40_000, "list": [1, "two", None]})
        row.update({"umlaut": "\\u00e4", "nan": float("nan")})
    one.log_metrics(row)
one.finish()
"""


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("stored")
    run_python(JOB, home, env={"WANDB_MODE": "offline"})
    (file,) = (home / "wandb").glob("offline-run-*/*.wandb")
    return file


def quick(path: Path) -> list[dict[str, Any]]:
    return [{name: decoded(value) for name, value in row.items()} for row in records(path, {})]


def flat(row: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested names as one, with dots: so ``show`` names them."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        found.update(flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value})
    return found


def as_text(rows: list[dict[str, Any]]) -> list[str]:
    return [json.dumps({name: row[name] for name in sorted(row) if not name.startswith("_")}) for row in rows]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_files_of_many_versions(path: Path) -> None:
    # up to wandb 0.17 a dict in a row is stored whole, later by its keys
    assert as_text([flat(row) for row in quick(path)]) == as_text([flat(row) for row in read(path).rows])
    assert rows_at_end(path) == Scanner(path).advance() == len(quick(path))


@pytest.mark.slow
def test_a_long_run(long_run: Path) -> None:
    rows = quick(long_run)
    assert as_text(rows) == as_text([flat(row) for row in read(long_run).rows])
    assert [row["i"] for row in rows] == list(range(3000))
    assert rows[500]["k" * 200] == 500
    assert rows_at_end(long_run) == Scanner(long_run).advance() == 3000


@pytest.mark.slow
def test_torn_anywhere_near_its_end(long_run: Path, tmp_path: Path) -> None:
    data = long_run.read_bytes()
    torn = tmp_path / "torn.wandb"
    for cut in (0, 5, 7, 100, 40_000, *range(len(data) - 70_000, len(data), 9_973)):
        torn.write_bytes(data[:cut])
        assert rows_at_end(torn) == Scanner(torn).advance(), cut


@pytest.mark.slow
def test_a_tail_without_rows_leads_further_back(
    long_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from one_logger_v1_shim._journal import wandb_file

    monkeypatch.setattr(wandb_file, "_TAIL", 1)
    assert rows_at_end(long_run) == 3000


def test_lines_that_only_make_rows_together(tmp_path: Path) -> None:
    """Rows are decoded many at a time; a damaged one costs no other, and none is made of two halves."""
    folder = journal(tmp_path, [{"i": 0}], raw=b'{"i": [1\n2]}\n{"i": 3}\n{"i": 4}, {"i": 5}\n{"i": 6}\n', finish=False)
    run = _places.open_run(folder)
    assert list(run.rows()) == [{"i": 0}, {"i": 3}, {"i": 6}]
    assert run.damaged == 2


def test_ids_that_end_alike_are_two_runs(tmp_path: Path) -> None:
    for name, path in zip(("first-run", "second-run"), RECORDED):
        folder = tmp_path / f"offline-run-20260101_000000-{name}"
        folder.mkdir()
        (folder / f"run-{name}.wandb").write_bytes(path.read_bytes())
    assert [len(run.files) for run in _places.find_all(tmp_path)] == [1, 1]

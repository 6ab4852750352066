"""``export``: the same rows in each form, with their types, and read back."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.verify.reading import read_history
from one_logger_v1_shim._cli import _tables
from one_logger_v1_shim._cli.export import main
from one_logger_v1_shim._v1 import metrics as m
from tests.cli.journals import T0, job_rows, journal
from tests.support import ROOT


def exported(base: Path, name: str, capsys: pytest.CaptureFixture[str]) -> Path:
    capsys.readouterr()
    assert main([str(base), str(base / name)]) == 0
    assert capsys.readouterr().err == ""
    return base / name


def test_json_lines_have_the_rows_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(tmp_path, job_rows())
    rows = [json.loads(line) for line in exported(tmp_path, "rows.jsonl", capsys).read_text().splitlines()]
    own = {"_run_id", "_project", "_entity", "_run_name", "_step"}
    assert [{name: value for name, value in row.items() if name not in own} for row in rows] == job_rows()
    assert [row["_step"] for row in rows] == list(range(len(rows)))
    assert (rows[0]["_run_id"], rows[0]["_project"], rows[0]["_run_name"]) == ("abcd1234", "tests", "llama-7b")


def test_csv_and_parquet_have_one_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal(tmp_path / "a", [*job_rows(), {m.MICRO_BATCH_SIZE: 0.5, "loss": 1.5}], run_id="aaaa0000")
    journal(tmp_path / "b", [{m.APP_START_TIME: 5.0, m.WORLD_SIZE: 8}], run_id="bbbb0000")
    with exported(tmp_path, "rows.csv", capsys).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(_tables.COLUMNS)
    assert len(rows) == len(job_rows()) + 2
    assert json.loads(rows[-2]["_other"]) == {m.MICRO_BATCH_SIZE: 0.5, "loss": 1.5}, "no type is bent"
    assert rows[-1][m.WORLD_SIZE] == "8"
    pytest.importorskip("pyarrow", reason="not run: pyarrow is not installed")
    from pyarrow import parquet

    table = parquet.read_table(exported(tmp_path, "rows.parquet", capsys))
    assert table.column_names == list(_tables.COLUMNS)
    found: list[dict[str, Any]] = table.to_pylist()
    assert found[0][m.APP_TAG] == ["tag-a", "tag-b"]
    assert found[1][m.IS_BASELINE_RUN] is False
    assert isinstance(found[-1][m.WORLD_SIZE], int)
    assert isinstance(found[-1][m.APP_START_TIME], float)


def test_half_a_surrogate_is_kept_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """UTF-8 has none; a name of a file that is no UTF-8 comes as one."""
    name, tag = "run\udcff", "t\ud83d"
    journal(tmp_path, [{**job_rows()[0], m.APP_TAG: [tag]}], chosen={"project": "tests", "run_name": name})
    with exported(tmp_path, "rows.csv", capsys).open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert json.loads(row["_other"]) == {"_run_name": name, m.APP_TAG: [tag]}
    pytest.importorskip("pyarrow", reason="not run: pyarrow is not installed")
    from pyarrow import parquet

    (found,) = parquet.read_table(exported(tmp_path, "rows.parquet", capsys)).to_pylist()
    assert json.loads(found["_other"]) == {"_run_name": name, m.APP_TAG: [tag]}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_verify_reads_it_back(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="not run: pyarrow is not installed")
    rows = [row for row in job_rows() if row.keys() <= m.UNITS.keys()]
    journal(tmp_path, rows)
    found = read_history(str(exported(tmp_path, name, capsys)))
    assert [dict(row.values) for row in found.rows] == rows


def test_what_cannot_be_exported_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = journal(tmp_path, job_rows())
    foreign = journal(tmp_path / "foreign", [{"loss": 1.0}], run_id="foreign0")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    for arguments, says in (
        ([tmp_path, tmp_path / "rows.xls"], "expected a name that ends in .parquet, .csv or .jsonl"),
        ([tmp_path / "nowhere", tmp_path / "rows.csv"], "no such folder"),
        ([folder, tmp_path / "no" / "rows.csv"], "cannot be written"),
        ([foreign, tmp_path / "rows.csv"], "no v1 rows"),
        ([folder, tmp_path / "rows.parquet"], "Parquet needs pyarrow"),
    ):
        assert main([str(one) for one in arguments]) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        assert says in said.err
    assert not list(tmp_path.glob("rows.*"))
    assert main([str(tmp_path), str(tmp_path / "rows.csv")]) == 0
    assert "foreign0: no v1 rows, left out" in capsys.readouterr().err


def test_the_documented_query_on_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="not run: duckdb is not installed")
    pytest.importorskip("pyarrow", reason="not run: pyarrow is not installed")
    (tmp_path / "exports").mkdir()
    for number in range(4):  # two runs in each file; a week lies between the files
        base = tmp_path / str(number // 2)
        later = number // 2 * 7 * 86_400_000
        rows = [{name: value + later if value == T0 else value for name, value in row.items()} for row in job_rows()]
        journal(base, rows, run_id=f"aaaa000{number}")
    for number in range(2):
        exported(tmp_path / str(number), "rows.parquet", capsys).rename(tmp_path / "exports" / f"{number}.parquet")
    (query,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "goodput.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    weeks = duckdb.sql(query).fetchall()
    # 20 iterations in 21 s on 16 GPUs, of which 16 s are in a checkpoint
    assert [week[1:] for week in weeks] == [
        (2, 40, pytest.approx(2 * 21 * 16 / 3600), pytest.approx(2 * 256 / 3600))
    ] * 2
    assert (weeks[1][0] - weeks[0][0]).days == 7

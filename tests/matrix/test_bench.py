"""Does the benchmark run and print every row? What its figures are is nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat_matrix.bench import main as bench
from compat_matrix.bench.process import BenchError
from compat_matrix.bench.table import Row

PARTS = {
    "callbacks": 4,
    "memory": 2,
    "disabled": 1,
    "rows": 4,
    "startup": 2,
    "import": 2,
    "construction": 2,
    "finish": 2,
    "otlp": 2,
}


def test_the_parts_are_those_of_the_table() -> None:
    assert list(bench.PARTS) == list(PARTS)


@pytest.mark.ci
@pytest.mark.parametrize("part", PARTS)
def test_every_row_is_measured(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "figures.json"
    code = bench.main(["--size", "tiny", "--only", part, "--markdown", "--json", str(figures)])
    printed = capsys.readouterr().out
    assert code == 0, printed
    content = json.loads(figures.read_text())
    assert len(content["rows"]) == PARTS[part]
    for row in content["rows"]:
        assert row["verdict"] in (("met", "not met") if row["target"] else ("-",))
        assert row["figures"]
        assert f"| {row['what']} | {row['measured']} |" in printed
    assert content["machine"]["python"] in printed


def test_a_part_that_fails_is_said_and_not_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(base: Path, size: object) -> list[Row]:
        raise BenchError("the lane has gone")

    monkeypatch.setitem(bench.PARTS, "memory", broken)
    assert bench.main(["--size", "tiny", "--only", "memory"]) == 1
    printed = capsys.readouterr().out
    assert "not measured" in printed
    assert "the lane has gone" in printed


@pytest.mark.parametrize(("given", "size"), [([], "full"), (["--quick"], "quick"), (["--size", "tiny"], "tiny")])
def test_how_much_is_measured(given: list[str], size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def part(base: Path, size: object) -> list[Row]:
        asked.append(size)
        return []

    monkeypatch.setitem(bench.PARTS, "memory", part)
    assert bench.main([*given, "--only", "memory"]) == 0
    assert asked == [bench.SIZES[size]]

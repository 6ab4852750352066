"""What the report counts as passed, and where it points."""

from __future__ import annotations

import fnmatch
import io
import json
import re
import sys
from pathlib import Path

import pytest

from compat_matrix.jobs import PROGRAMS, swap_imports, swapped_copy
from compat_matrix.planner.plan import Cell
from compat_matrix.reporting import results
from compat_matrix.reporting.results import CellReport, Result, judge
from compat_matrix.reporting.terminal import Progress, green, summary, table, write
from compat_matrix.runner.execute import mistaken


def reports() -> list[CellReport]:
    good = CellReport("good", expected=2, identity={"wandb": "0.31.0"})
    good.results = [
        Result("good", "golden/a", "passed", rows=5),
        Result("good", "program/p", "not run", note="needs x"),
    ]
    bad = CellReport("bad", expected=2)
    bad.results = [
        Result("bad", "golden/a", "failed", differences=[["row 1", "x <b>", "1", "2"]], output="said & done"),
        Result("bad", "program/p", "passed", rows=1),
    ]
    return [good, bad, CellReport("missing", not_run="no CPython 3.9 on this machine")]


def test_what_did_not_run_has_not_passed() -> None:
    text = summary(reports())
    assert "3 cells: 1 passed, 1 failed, 1 not run" in text
    assert "jobs: 2 passed, 1 failed, 0 known differences, 1 not run; 6 rows" in text
    assert not green(reports())
    assert green(reports()[::2])
    assert not green(reports()[2:])


def test_a_cell_that_was_interrupted_has_not_passed() -> None:
    cell = CellReport("cell", expected=2, results=[Result("cell", "golden/a", "passed")])
    assert cell.status == "unfinished"
    assert not green([cell])
    assert CellReport("never begun").status == "unfinished"


def test_a_cell_that_is_not_what_it_says_is_red() -> None:
    cell = CellReport("cell", not_run="wandb is 0.31.0, the cell names 0.25.1")
    cell.results = [Result("cell", "identity", "failed", differences=[["cell", "identity", "cell", cell.not_run]])]
    assert cell.status == "failed"
    assert not green([*reports()[:1], cell])


def test_the_terminal_says_why() -> None:
    text = table(reports())
    assert "1 x no CPython 3.9 on this machine" in text
    assert "1 x program/p: needs x" in text
    assert "row 1: x <b>: v1 1, here 2" in text


def test_the_page_stands_alone_and_links_each_red_cell(tmp_path: Path) -> None:
    page = write(reports(), tmp_path).read_text(encoding="utf-8")
    anchors = re.findall(r'href="#([^"]+)"', page)
    assert anchors == ["bad--golden-a"]
    assert '<details id="bad--golden-a">' in page
    assert "x &lt;b&gt;" in page
    assert "said &amp; done" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert json.loads((tmp_path / "results.json").read_text())[1]["status"] == "failed"


def test_progress_is_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    cells = reports()
    progress = Progress(cells, out)
    for cell in cells[:2]:
        for result in cell.results:
            progress.job_done(cell, result)
    assert "\r" not in out.getvalue()
    assert "FAILED bad golden/a: row 1" in out.getvalue()


def test_known_differences_are_strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "KNOWN", tmp_path)
    told = "# why\ncells: cell-*-offline\ngolden/a: wandb rounds\n\ngolden/b: gone long ago\n"
    (tmp_path / "some.txt").write_text(told)
    (tmp_path / "none.txt").write_text("golden/c: a file without a pattern is for no cell\n")
    known = results.known_differences("cell-1-offline")
    assert known == {"golden/a": "wandb rounds", "golden/b": "gone long ago"}
    assert judge(Result("cell", "golden/a", "failed"), known).status == "known"
    assert judge(Result("cell", "golden/b", "passed"), known).status == "failed"
    assert judge(Result("cell", "golden/c", "failed"), known).status == "failed"
    assert results.known_differences("cell-1-online") == {}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the grid is planned by CPython 3.11 or later")
def test_known_differences_name_cells_and_jobs_that_exist() -> None:
    from compat_matrix.jobs import all_jobs
    from compat_matrix.planner.plan import diagonal, grid, here, load

    cells = {cell.name for cell in [*here(), *grid(load()), *diagonal(load())]}
    jobs = {job.name for job in all_jobs()}
    for path in results.KNOWN.glob("*.txt"):
        pattern, known = results.read_known(path)
        assert fnmatch.filter(cells, pattern), path
        assert known.keys() <= jobs


def test_a_cell_that_is_not_what_it_says_is_refused() -> None:
    cell = Cell("3.11", "0.25.1", "1.16", "sync", "swapped", "offline")
    identity = {
        "python": "3.11.7", "wandb": "0.25.1", "wrapt": "1.16.0", "implementation": "CPython", "shim": "0.1.0",
        "prefix": "/env", "shim_place": "/env/lib/one_logger_v1_shim", "tree": None,
    }  # fmt: skip
    assert mistaken(cell, identity, "0.1.0") == []
    for key, value in (
        ("python", "3.12.1"), ("wandb", "0.25.10"), ("wrapt", "1.17.0"), ("implementation", "PyPy"),
        ("shim", "0.0.9"), ("shim_place", "/tree/one_logger_v1_shim"), ("tree", "/tree"),
    ):  # fmt: skip
        assert len(mistaken(cell, {**identity, key: value}, "0.1.0")) == 1, key


def test_swapping_imports_is_the_only_edit(tmp_path: Path) -> None:
    lines = ["    from one_logger import A", "import one_logger.rankpulse as r", "from one_logger_utils.core import X"]
    assert swap_imports("\n".join(lines)).splitlines() == [
        "    from one_logger_v1_shim import A",
        "import one_logger_v1_shim.rankpulse as r",
        "from one_logger_v1_shim.utils.core import X",
    ]
    others = "from one_logger_utils_nemo import A\nx = one_logger\n"
    assert swap_imports(others) == others
    copy = swapped_copy(PROGRAMS / "eagle" / "train.py", tmp_path / "copy")
    assert (copy.parent / "one_logger.py").exists()
    assert "one_logger_v1_shim.core" not in copy.read_text()


@pytest.mark.parametrize("folder", sorted(path.parent for path in PROGRAMS.glob("*/train.py")), ids=lambda p: p.name)
def test_programs_know_v1_only(folder: Path) -> None:
    assert (folder / "README.md").exists()
    assert (folder / "expected.json").exists()
    for path in folder.glob("*.py"):
        assert "one_logger_v1_shim" not in path.read_text(encoding="utf-8")
        assert "wandb.init" not in path.read_text(encoding="utf-8")


def test_there_are_at_least_fourteen_programs() -> None:
    assert len(list(PROGRAMS.glob("*/train.py"))) >= 14

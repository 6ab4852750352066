"""Facts that have to stand in two places, since neither may read the other, are the same in both."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement as Parsed

from one_logger_v1_shim._journal.destination import WandBConfig
from one_logger_v1_shim._requirements import REQUIREMENTS, Requirement
from one_logger_v1_shim._v1.config import DEFAULTS
from tests.support import ROOT


def test_the_project_that_v1_fell_back_to() -> None:
    """``_v1`` knows nothing of where rows go, and ``_journal`` nothing of v1."""
    assert WandBConfig().project == DEFAULTS["one_logger_project"]


def test_the_table_is_that_of_the_project_file() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 reads TOML")
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    declared = {one.name: str(one.specifier) for one in map(Parsed, said)}
    assert declared == {one.name: str(Parsed(one.specifier).specifier) for one in REQUIREMENTS}


@pytest.mark.parametrize(
    ("version", "fits"),
    [("2.3.1", True), ("2.3.1rc1", True), ("2.3", False), ("2.10+cu1", True), ("3", False), ("", False)],
)
def test_versions(version: str, fits: bool) -> None:
    assert Requirement("one", "one", "2.3.1", "3", worker=True).fits(version) is fits

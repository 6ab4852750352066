"""The changelog's form, and that it has the version of pyproject.toml."""

from __future__ import annotations

import re

import one_logger_v1_shim
from tests.release import changelog
from tests.support import ROOT

KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
SECTIONS = changelog.read()


def test_every_heading_is_read() -> None:
    headings = re.findall(r"^## .*$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(headings) == len(SECTIONS)


def test_versions_and_dates_descend() -> None:
    assert SECTIONS[0].version == changelog.UNRELEASED
    released = SECTIONS[1:]
    assert [one.version for one in released] == sorted((one.version for one in released), key=changelog.number)[::-1]
    dates = [one.date for one in released if one.date is not None]
    assert len(dates) == len(released)
    assert dates == sorted(dates)[::-1]


def test_a_released_version_says_what_it_changed_in_the_usual_kinds() -> None:
    for section in SECTIONS:
        kinds = re.findall(r"^### (.*)$", section.text, re.MULTILINE)
        assert set(kinds) <= KINDS
        assert len(kinds) == len(set(kinds))
        if section.version != changelog.UNRELEASED:
            assert re.search(r"^- \S", section.text, re.MULTILINE), section.version


def test_the_packages_version_is_the_newest_one() -> None:
    assert one_logger_v1_shim.__version__ == SECTIONS[1].version


def test_a_section_is_read_with_its_date() -> None:
    (first, second) = changelog.read("# C\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n\n### Fixed\n- a\n")
    assert (first.version, first.date) == ("Unreleased", None)
    assert (second.version, str(second.date), second.text.strip()) == ("1.2.3", "2026-01-02", "### Fixed\n- a")

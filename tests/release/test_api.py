"""No public signature changes without a line of the changelog that names it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import one_logger_v1_shim
from tests.release import api, changelog

pytestmark = pytest.mark.slow  # griffe asks git where the tree comes from
LISTS = api.released()


@pytest.fixture(scope="module")
def now() -> list[str]:
    """The tree's."""
    return api.listing()


def unnamed(before: Sequence[str], after: Sequence[str], text: str) -> list[str]:
    """The lines that differ, of names that do not stand in ``text``."""
    differ = sorted(set(before) ^ set(after))
    return [line for line in differ if not re.search(rf"\b{re.escape(api.name_of(line))}\b", text)]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_what_changed_since_the_last_release_is_in_the_changelog(now: list[str]) -> None:
    last = LISTS[-1]
    missing = unnamed(lines(last), now, changelog.between(last.stem, changelog.UNRELEASED))
    assert not missing, "the changelog has no line that names these (was, or is): " + "\n".join(missing)


def test_what_a_release_changed_is_in_its_section() -> None:
    for older, newer in zip(LISTS, LISTS[1:]):
        assert not unnamed(lines(older), lines(newer), changelog.between(older.stem, newer.stem)), newer.stem


def test_a_released_version_has_its_list() -> None:
    """``python -m tests.release.api --write``, when the version in pyproject.toml is raised."""
    assert LISTS[-1].stem == one_logger_v1_shim.__version__


def test_the_list_has_what_a_caller_sees(now: list[str]) -> None:
    text = "\n".join(now)
    assert "one_logger_v1_shim.core.OneLogger.log_metrics(metrics: Mapping[str, Any]) -> None" in now
    assert "one_logger_v1_shim.OneLogger = one_logger_v1_shim.core.OneLogger" in now
    assert "one_logger_v1_shim.utils.core.OneLoggerUtils.on_train_batch_end(set_barrier: bool" in text  # inherited
    assert "one_logger_v1_shim.utils.pytorch_lightning.hook_trainer_cls(cls: type" in text
    assert "._" not in text.replace(".__init__", "").replace(".__version__", "").replace("= one_logger_v1_shim._", "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("def f(a: int, *, b: str = 'x') -> None: ...", "f"),
        ("def f(a: int, *, b: str = 'y') -> None: ...", "f"),
        ("def f(a: int, b: str = 'x') -> None: ...", "f"),
        ("", "f"),
        ("def f(a: int, *, b: str = 'x') -> None: ...\ndef g(): ...", "g"),
        ("def f(a: int, *, b: str = 'x') -> int: ...\n", "f"),
    ],
    ids=["same", "default", "positional", "removed", "added", "result"],
)
def test_a_changed_signature_needs_a_line(text: str, name: str, tmp_path: Path) -> None:
    def listed(folder: str, text: str) -> list[str]:
        package = tmp_path / folder / api.PACKAGE
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(text)
        return api.listing(tmp_path / folder)

    before = listed("before", "def f(a: int, *, b: str = 'x') -> None: ...")
    after = listed("after", text)
    found = unnamed(before, after, "- Something else: `ff`, `gg`.")
    assert {api.name_of(line) for line in found} == (set() if before == after else {name})
    assert bool(found) == (text != "def f(a: int, *, b: str = 'x') -> None: ...")
    assert not unnamed(before, after, f"- `{name}` is another one.")

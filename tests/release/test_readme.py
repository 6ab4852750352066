"""The README as the index shows it, and what it says of versions."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest
import tomllib

from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()


def metadata() -> dict[str, Any]:
    """As the hook of hatchling gives it, which an sdist does not ask: its ``PKG-INFO`` has the text already."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    found: dict[str, Any] = {}
    hooks.ReadmeHook(str(ROOT), {}).update(found)
    return found


def shown() -> str:
    text: str = metadata()["readme"]["text"]
    return text


def test_links_are_absolute_in_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "somebody/shim")
    monkeypatch.setenv("GITHUB_REF_NAME", "v1.2.3")
    text = shown()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [link for link in links if not link.startswith("https://")] == []
    assert "https://github.com/somebody/shim/blob/v1.2.3/docs/cost.md" in links
    assert "(https://github.com/somebody/shim/raw/v1.2.3/docs/goodput.png)" in text


def test_the_index_has_the_addresses_of_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert set(metadata()["urls"]) == {"Homepage"}
    monkeypatch.setenv("GITHUB_REPOSITORY", "somebody/shim")
    urls = metadata()["urls"]
    assert set(urls) == {"Homepage", "Source", "Changelog", "Issues"}
    assert urls["Source"] == "https://github.com/somebody/shim"


def test_links_stay_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert shown() == README


def test_supported_versions_are_those_of_the_project() -> None:
    (line,) = [line for line in README.split("\n\n") if line.startswith("Supported:")]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    wandb, v2 = (
        next(one for one in PROJECT["dependencies"] if one.startswith(name)).split(">=")[1].split(",")[0]
        for name in ("wandb", "nv-one-logger-core")
    )
    assert f"CPython {oldest} to" in line
    assert f"brings {wandb} or newer" in line
    assert f"OneLogger v2 {v2} and newer" in line

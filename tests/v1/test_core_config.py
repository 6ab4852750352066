"""The configurations that v1's core took: flat, the nested form of January 2024, none."""

from __future__ import annotations

from typing import Any

import pytest

from one_logger_v1_shim import _log
from one_logger_v1_shim._v1.core_config import CoreConfig

read = CoreConfig.read


@pytest.fixture(autouse=True)
def _unsaid() -> None:
    _log.forget()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_no_configuration() -> None:
    config = read(None)
    assert config == read({}) == CoreConfig()
    assert (config.chosen, config.project, config.run_name) == ({}, "e2e-tracking", None)
    assert (config.asynchronous, config.quiet, config.no_exception, config.enabled) == (True, False, True, True)


def test_flat_form_of_megatron(caplog: pytest.LogCaptureFixture) -> None:
    config = read({"project": "megatron-lm", "name": "run", "entity": "team", "async": False})
    assert config.chosen == {"project": "megatron-lm", "run_name": "run", "entity": "team"}
    assert (config.project, config.run_name, config.asynchronous) == ("megatron-lm", "run", False)
    assert read({"project": "megatron-lm", "name": None}).run_name is None
    assert said(caplog) == []


NESTED = {
    "host": "https://api.wandb.ai",
    "api_key": "key",
    "entity": "hwinf_dcm",
    "project": "e2e-tracking",
    "name": "run",
    "tags": ["e2e_metrics_enabled", "e2e_metrics_testing"],
    "save_dir": "/tmp/wandb",
}
AS_CHOSEN = {("run_name" if key == "name" else key): value for key, value in NESTED.items()}


def test_nested_form(caplog: pytest.LogCaptureFixture) -> None:
    config = read({"enable_one_logger": True, "is_baseline_run": False, "wandb": NESTED})
    assert config.chosen == AS_CHOSEN
    assert config.enabled is True
    assert said(caplog) == []


def test_all_of_it_in_the_flat_form(caplog: pytest.LogCaptureFixture) -> None:
    assert read(NESTED).chosen == AS_CHOSEN
    assert said(caplog) == []


@pytest.mark.parametrize("key", sorted(NESTED.keys() - {"tags"}))
def test_flat_wins_over_nested(key: str) -> None:
    place = "run_name" if key == "name" else key
    assert read({key: "flat", "wandb": {key: "inner"}}).chosen == {place: "flat"}
    assert read({key: None, "wandb": {key: "inner"}}).chosen == {place: "inner"}


@pytest.mark.parametrize("value", [None, "", "${oc.env:WANDB_API_KEY}"])
def test_what_is_no_value(value: Any) -> None:
    """An interpolation of a default.yaml that nobody resolved is not a key; the values after it still count."""
    assert read({"project": value, "name": "run"}).chosen == {"run_name": "run"}
    assert read({"project": value}).project == "e2e-tracking"
    assert read({"wandb": None}) == CoreConfig()


@pytest.mark.parametrize(
    ("flag", "field"),
    [
        ("async", "asynchronous"),
        ("quiet", "quiet"),
        ("no_exception", "no_exception"),
        ("enable_one_logger", "enabled"),
    ],
)
@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), (1, True), (0, False)])
def test_flag(flag: str, field: str, value: Any, expected: bool) -> None:
    config = read({flag: value})
    assert getattr(config, field) is expected
    others = {name: getattr(config, name) for name in ("asynchronous", "quiet", "no_exception", "enabled")}
    others.pop(field)
    assert all(getattr(CoreConfig(), name) is got for name, got in others.items())
    assert getattr(read({flag: None}), field) is getattr(CoreConfig(), field)


def test_values_that_become_text() -> None:
    config = read({"project": 7, "name": 1.5, "tags": ("a", "b")})
    assert config.chosen == {"project": "7", "run_name": "1.5", "tags": ["a", "b"]}


def test_tags_are_a_list_of_their_own() -> None:
    tags = ["a"]
    config = read({"tags": tags})
    tags.append("b")
    assert config.chosen == {"tags": ["a"]}


def error(key: str, shown: str, expected: str) -> str:
    return f"OneLogger v1 config: {key}={shown}; expected {expected}"


PROJECT = "at most 128 characters and none of /\\#?%:, as W&B wants it"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (3, error("config", "3 (int)", "a dict or None")),
        ({"wandb": 3}, error("wandb", "3 (int)", "a dict")),
        ({"tags": "one"}, error("tags", "'one' (str)", "a list of strings")),
        ({"tags": ["a", 1]}, error("tags", "['a', 1] (list)", "a list of strings")),
        ({"name": ["r"]}, error("name", "['r'] (list)", "a string")),
        ({"name": {"a": 1}}, error("name", "{'a': 1} (dict)", "a string")),
        ({"entity": ("r",)}, error("entity", "('r',) (tuple)", "a string")),
        ({"host": {"r"}}, error("host", "{'r'} (set)", "a string")),
        ({"api_key": ["secret"]}, error("api_key", "'(not shown)' (str)", "a string")),
        ({"project": "x" * 129}, error("project", repr("x" * 129) + " (str)", PROJECT)),
        *(({"project": f"a{bad}b"}, error("project", repr(f"a{bad}b") + " (str)", PROJECT)) for bad in "/\\#?%:"),
    ],
)
def test_bad_value(config: Any, message: str) -> None:
    with pytest.raises(ValueError, match="OneLogger v1 config") as refused:
        read(config)
    assert str(refused.value) == message


def test_longest_project_and_free_names() -> None:
    assert read({"project": "x" * 128}).project == "x" * 128
    assert read({"project": "X-x_.,;! ä"}).project == "X-x_.,;! ä"
    assert read({"name": "a/b#c" + "x" * 200}).run_name == "a/b#c" + "x" * 200


def test_settings_do_not_change_afterwards() -> None:
    with pytest.raises(AttributeError):
        read({}).enabled = False  # type: ignore[misc]


def test_unknown_keys_are_ignored_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        config = read({"project": "p", "foo": 1, "wandb": {"bar": 2, "entity": "team"}})
        assert config.chosen == {"project": "p", "entity": "team"}
    read({"other": 1})
    assert said(caplog) == [
        "OneLogger: keys that v1 did not have are ignored: ['foo', 'wandb.bar']",
        "OneLogger: keys that v1 did not have are ignored: ['other']",
    ]

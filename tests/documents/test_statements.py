"""Sentences of accepted.md and differences.md that were wrong once, held against the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from one_logger_v1_shim import OneLogger, config_adapter
from one_logger_v1_shim.testing import Capture
from one_logger_v1_shim.utils import OneLoggerUtils
from tests.support import CONFIG, ROOT

ACCEPTED = (ROOT / "docs" / "accepted.md").read_text()


def test_names_of_the_adapter_exist() -> None:
    """Each `config_adapter.NAME` and `ConfigAdapter.NAME` of the page."""
    for owner, name in re.findall(r"`(config_adapter|ConfigAdapter)\.(\w+)`", ACCEPTED):
        assert hasattr(config_adapter if owner == "config_adapter" else config_adapter.ConfigAdapter, name), name


def test_keys_of_the_page_are_those_of_the_code() -> None:
    table = ACCEPTED.split("## Errors")[0]
    named = {key for line in table.splitlines() if line.startswith("|") for key in re.findall(r"`([a-z_]+)`", line)}
    rows = {row.key for row in config_adapter.TABLE}
    assert rows - named == set()


@pytest.mark.parametrize(
    ("key", "value", "raises"),
    [
        ("flops_per_sample", "bad", ValueError),  # throughput is off
        ("save_checkpoint_strategy", "sometimes", None),
        ("metadata", {"world_size": 3}, ValueError),
        ("metadata", {"app_start_time": 3}, None),
    ],
)
def test_what_the_constructor_raises(key: str, value: Any, raises: Any, one_logger_capture: Capture) -> None:
    if raises is None:
        OneLoggerUtils({**CONFIG, key: value}).finish()
    else:
        with pytest.raises(raises):
            OneLoggerUtils({**CONFIG, key: value})


def test_an_unknown_method_with_quiet_is_a_type_error(one_logger_capture: Capture) -> None:
    utils = OneLoggerUtils({**CONFIG, "quiet": True})
    with pytest.raises(TypeError):
        utils.on_nothing()


def test_a_new_run_opens_when_all_have_finished(one_logger_capture: Capture) -> None:
    one, other = OneLogger({"project": "demo"}), OneLogger({"project": "demo"})
    one.finish()
    third = OneLogger({"project": "demo"})
    assert len(one_logger_capture.runs) == 1
    other.finish()
    third.finish()
    OneLogger({"project": "demo"}).log_metrics({"a": 1})
    assert len(one_logger_capture.runs) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 11), reason="it reads TOML")
def test_survivors_without_results_say_so(tmp_path: Path) -> None:
    listed = tmp_path / "checkout" / "tests"
    listed.mkdir(parents=True)
    (listed / "mutants.toml").write_text("[[survivor]]\nreason = 'message'\nin = 'a'\nline = 'b'\nmutant = 'c'\n")
    for place in (tmp_path, listed.parent):
        command = [sys.executable, "-m", "compat_matrix.survivors"]
        environ = {"PYTHONPATH": str(ROOT), "PATH": ""}
        done = subprocess.run(command, cwd=place, env=environ, capture_output=True, text=True)
        assert done.returncode == 2
        assert len(done.stdout.splitlines()) == 1
        assert done.stderr == ""

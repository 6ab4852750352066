"""A rank that v1's flag does not name: no import, no file, no output. In a fresh process, by ``sys.modules``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run_python

pytestmark = pytest.mark.slow

CODE = """
import sys
from one_logger_v1_shim import OneLogger
from one_logger_v1_shim.utils import OneLoggerUtils
utils = OneLoggerUtils({"enable_for_current_rank": False, "foreign": 1})
for name in sorted(dir(OneLoggerUtils)):
    if name.startswith("on_"):
        getattr(utils, name)(True, nonsense=1)
utils.finish()
core = OneLogger({"enable_one_logger": False})
core.log_metrics({"a": 1})
core.log_app_tag("tag")
with core.get_context_manager():
    core.store_set("k", 1)
core.finish()
heavy = ("wandb", "nv_one_logger", "wrapt", "pydantic", "subprocess", "inspect")
loaded = [name for name in heavy if name in sys.modules]
assert not loaded, loaded
"""


def test_disabled_rank_leaves_no_trace(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    result = run_python(CODE, work)
    assert (result.stdout, result.stderr) == ("", "")
    assert list(work.iterdir()) == []


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
import one_logger_v1_shim, one_logger_v1_shim.utils, one_logger_v1_shim.core, one_logger_v1_shim.rankpulse
heavy = ("wandb", "nv_one_logger", "wrapt", "pydantic", "subprocess", "hashlib", "inspect")
loaded = [name for name in heavy if name in sys.modules]
assert not loaded, loaded
assert "OneLogger" in dir(one_logger_v1_shim)
"""
    run_python(code, tmp_path)

"""For which version of v1 a tree was written: `scan` says it where a use tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .trees import Commands

UTILS = "from one_logger_utils import OneLoggerUtils\nu = OneLoggerUtils(config)\n"
COPY = "from one_logger.core import OneLogger\nVERSION = {version!r}\n\n\nclass OneLoggerUtils:\n    pass\n"
TREES = {
    "a call": ({"a.py": UTILS + "u.on_train_step_start()\n"}, "1.0.3"),
    "by its name": ({"a.py": UTILS + "getattr(u, 'on_train_step_end')()\n"}, "1.0.3"),
    "a copy": ({"a.py": COPY.format(version="1.0.0")}, "1.0.0"),
    "a copy with a type": ({"a.py": COPY.format(version="1.0.3").replace("VERSION", "VERSION: str")}, "1.0.3"),
    "a call beside a copy": (
        {"a.py": COPY.format(version="1.0.0"), "b.py": UTILS + "u.on_train_step_end()\n"},
        "1.0.3",
    ),
    "neither": ({"a.py": UTILS + "u.on_train_batch_start()\n"}, "1.0.2"),
    "a copy of something else": ({"a.py": COPY.format(version="7.1")}, "1.0.2"),
}


@pytest.mark.parametrize(("files", "version"), TREES.values(), ids=list(TREES))
def test_it_says_the_version(files: dict[str, str], version: str, tmp_path: Path, commands: Commands) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    told = json.loads(commands("scan", tmp_path, "--json").out).get("wire", {"version": "1.0.2", "because": None})
    assert told["version"] == version
    said = [line for line in commands("scan", tmp_path).out.splitlines() if line.startswith("written for v1 ")]
    if told["because"] is None:
        assert said == []
    else:
        assert said[0].startswith(f"written for v1 {version} ({told['because']['what']} in {tmp_path}")
        assert f"ONE_LOGGER_V1_WIRE={version}" in said[0]

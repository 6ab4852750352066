"""Source trees for the tests, and both commands in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from one_logger_v1_shim.__main__ import main


class Result(NamedTuple):
    code: int
    out: str
    err: str


def plant(top: Path, files: dict[str, str]) -> Path:
    """Write files, given by their paths below ``top``."""
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return top


class Commands:
    """``scan`` and ``swap`` with their exit codes and what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Result:
        self._capsys.readouterr()
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as left:  # argparse
            code = int(left.code or 0)
        printed = self._capsys.readouterr()
        return Result(code, printed.out, printed.err)

    def scan(self, *paths: object) -> list[dict[str, Any]]:
        """The findings, by ``--json``."""
        result = self("scan", "--json", *paths)
        data = json.loads(result.out)
        assert data["exit_code"] == result.code
        findings: list[dict[str, Any]] = data["findings"]
        return findings

    def swapped(self, path: Path, *options: str) -> str:
        """A file after ``swap --write``."""
        self("swap", "--write", *options, path)
        return path.read_bytes().decode()

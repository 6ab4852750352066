"""``scan``: every use of OneLogger v1 in source trees, and whether each works as it stands."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .._migrate.findings import ERROR, NOT_JUDGED, OK, WARNING, Finding, counted
from . import _format as f
from ._leaving import SUFFIXES, write
from ._libcst import has_libcst

_EPILOG = """exit code:
  0  no warning and no error: what is written out works as it stands, with the shim in no-edit mode or after `swap`
  1  something needs attention: a line of the table is a warning or an error
  2  a bad option, a path that does not exist, no use of v1 found there, or libcst is not installed

Configurations and arguments are checked where they are written out in the file; what only the running program knows is
"not judged". Symbolic links in a tree are not followed; virtual environments, installed packages and folders of tools
are not entered."""
_MOST = 400  # characters


def main(arguments: Sequence[str]) -> int:
    """Print the table, or JSON; see the help for the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim scan",
        description="Lists every use of OneLogger v1 in source trees, and says whether it works as it stands.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    parser.add_argument("--json", action="store_true", help="for tools: one JSON object on standard output")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="also write what going on to v2 or OpenTelemetry would take: Markdown (.md) or one page (.html)",
    )
    given = parser.parse_args(list(arguments))
    if given.report is not None and given.report.suffix.lower() not in SUFFIXES:
        name = f.clean(str(given.report), _MOST)
        print(f"one_logger_v1_shim scan: --report {name}: the file is to end in .md or .html", file=sys.stderr)
        return 2
    missing = [path for path in given.paths if not os.path.lexists(path)]
    if missing:
        print(f"one_logger_v1_shim scan: no such file or folder: {f.clean(str(missing[0]), _MOST)}", file=sys.stderr)
        return 2
    if not has_libcst("scan"):
        return 2
    from .._migrate.scanning import scan
    from .._migrate.wire import wire_of

    findings = scan(given.paths)
    levels = Counter(one.level for one in findings)
    code = 2 if not findings else int(bool(levels[WARNING] or levels[ERROR]))
    if given.report is not None:
        try:
            write(findings, given.paths, given.report)
        except (OSError, ValueError) as error:  # ValueError: a name with a null character
            print(
                f"one_logger_v1_shim scan: the report cannot be written: {f.clean(str(error), _MOST)}", file=sys.stderr
            )
            code = 2
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        if given.json:
            print(
                json.dumps(
                    {
                        "format": 1,
                        "paths": [str(path) for path in given.paths],
                        "exit_code": code,
                        "counts": {OK: levels[OK], WARNING: levels[WARNING], ERROR: levels[ERROR], **levels},
                        **wire_of(findings).as_json(),
                        "findings": [one.as_json() for one in findings],
                    },
                    indent=2,
                )
            )
        else:
            _table(findings, wire_of(findings).sentence())
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`: the exit code is still worth having
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _table(findings: Sequence[Finding], wire: str) -> None:
    if not findings:
        print("no use of OneLogger v1 found")
        return
    places = [_place(one) for one in findings]
    wide = max(7, *(len(one.level) for one in findings))
    width = min(60, max(map(len, places)))
    for place, one in zip(places, findings):
        why = f" -> {f.clean(one.why, _MOST)}" if one.why else ""
        print(f"{one.level:<{wide}}  {place:<{width}}  {one.kind:12}  {f.clean(one.what)}{why}")
    if wire:
        print(f.clean(wire, _MOST))
    levels = Counter(one.level for one in findings)
    files = len({one.file for one in findings})
    said = ", ".join(f"{levels[level]} {level}" for level in (OK, NOT_JUDGED, WARNING, ERROR) if levels[level])
    print(f"{counted(len(findings), 'use')} in {counted(files, 'file')}: {said}")


def _place(finding: Finding) -> str:
    cell = f" (cell {finding.cell})" if finding.cell else ""
    return f"{f.clean(finding.file)}:{finding.line}{cell}"

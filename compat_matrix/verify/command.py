"""``python -m compat_matrix verify OLD [NEW]``: whether one gets what one got."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import page
from .check_life import check
from .compared import compare
from .findings import accused, only_in
from .history import BadSource
from .reading import read_history

_EPILOG = """OLD and NEW are each one of
  ENTITY/PROJECT/RUN     a run on the W&B server of WANDB_BASE_URL, through wandb.Api; needs an API key
  a folder               of one run, as W&B keeps it (offline-run-..., run-...), or one that holds just one such
  a .wandb file
  an export              of scan_history() or history(), also through pandas: JSON lines or JSON (.jsonl, .json), CSV
                         (.csv), Parquet (.parquet, needs pyarrow)

OLD alone is held against what we believe v1 to be: names, types, units, which metrics stand in one row, order, cadence,
growth. OLD and NEW are held side by side, times by plausibility, all else exactly; and what is found in NEW alone,
and not in OLD, counts too.

exit code: 0 nothing differs, 1 something does, or is not known to us, 2 a history cannot be read"""


def main(arguments: Sequence[str]) -> int:
    """See the epilog."""
    parser = argparse.ArgumentParser(
        prog="python -m compat_matrix verify",
        description="Is the history of a run what v1 sent? Does a dashboard built on OLD work on NEW?",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="a history of the real v1, or of this package")
    parser.add_argument("new", metavar="NEW", nargs="?", help="a history of the same job with this package")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the page there too")
    options = parser.parse_args(list(arguments))
    collects = gc.isenabled()
    gc.disable()  # millions of values that all stay: to look through them again and again is half of the time
    try:
        return _run(options)
    except BadSource as bad:
        print(f"verify: {bad}", file=sys.stderr)
        return 2
    finally:
        if collects:
            gc.enable()


def _run(options: argparse.Namespace) -> int:
    old = read_history(options.old)
    new = read_history(options.new) if options.new else None
    findings = check(old)
    if new is None:
        shown = page.of_one(old, findings)
        code = int(bool(accused(findings)))
    else:
        differences = compare(old, new)
        strange = only_in(check(new), findings)
        shown = page.of_two(old, new, differences, findings, strange)
        code = int(bool(differences or strange))
    if options.html:
        _write(options.html, shown.html())
    try:
        print(shown.text(), flush=True)
    except BrokenPipeError:  # `verify ... | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _write(path: Path, text: str) -> None:
    """The whole file, or none."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadSource(f"{path}: the page cannot be written there: {error.strerror}") from None

"""``swap``: v1's import paths become the shim's, and nothing else."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from .._migrate.changes import Change, Writer, back
from .._migrate.findings import counted
from . import _format as f
from ._libcst import has_libcst

_EPILOG = """exit code:
  0  all that was found is swapped (with --diff: can be), or there was nothing to do
  1  something was left: a line says where and why
  2  a bad option, a path that does not exist, or libcst is not installed
  130  interrupted: each file is whole, swapped or not

A file is written whole or not at all. Beside the files that it writes, swap keeps a record,
.one_logger_v1_swap.json, from which --back gives each file back to the byte. Lines that were edited since stay as they
are, and are listed; the others go back. Delete the records when you are content."""
_MOST = 400  # characters


def main(arguments: Sequence[str]) -> int:
    """Show or write the swap, or the way back; see the help for the exit code."""
    given = _parser().parse_args(list(arguments))
    missing = [path for path in given.paths if not os.path.lexists(path)]
    if missing:
        print(f"one_logger_v1_shim swap: no such file or folder: {f.clean(str(missing[0]), _MOST)}", file=sys.stderr)
        return 2
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    if given.back:
        return _do(back(given.paths), given, "given back")
    if not has_libcst("swap"):
        return 2
    from .._migrate.swapping import swap

    return _do(swap(given.paths, given.strings), given, "swapped")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim swap",
        description="Swaps the import paths of OneLogger v1 for the shim's, in Python files, stubs and notebooks.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--diff", action="store_true", help="show what would change, and write nothing (the default)")
    how.add_argument("--write", action="store_true", help="write the files")
    parser.add_argument("--back", action="store_true", help="give the files back as they were; with --diff: show it")
    parser.add_argument(
        "--strings",
        action="store_true",
        help="also strings that name v1's modules: importlib, mock.patch, sys.modules, Hydra's _target_ (also in YAML)",
    )
    return parser


def _do(changes: Iterable[Change], given: argparse.Namespace, done: str) -> int:
    writes = given.write or (given.back and not given.diff)
    # `swap . > swap.patch`: the diff has standard output for itself
    log = sys.stdout if writes else sys.stderr
    writer = Writer()
    files = left = 0
    try:
        with _ended_as_by_ctrl_c():
            for change in changes:
                if not writes:
                    sys.stdout.writelines(change.diff())
                elif change.changes or change.rest is not None:
                    why = writer.write_back(change) if given.back else writer.write(change)
                    if why:
                        change.left, change.places, change.after = [(0, why)], 0, change.before
                files += change.changes
                left += len(change.left)
                _tell(change, done if writes else f"can be {done}", log)
        for path in writer.linked_elsewhere():
            print(f"note: {_path(path)}: has another name elsewhere (a hard link), which keeps the old text", file=log)
        if not files and not left:
            print("nothing to do", file=log)
        elif left:
            print(
                f"{counted(files, 'file')} {done if writes else f'can be {done}'}; {counted(left, 'place')} left",
                file=log,
            )
        sys.stdout.flush()
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        what = f"{counted(files, 'file')} {done}; the others are as they were" if writes else "nothing was written"
        print(f"one_logger_v1_shim swap: interrupted: {what}", file=sys.stderr)
        return 130
    return int(left > 0)


@contextlib.contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """A signal that ends the process lets it tidy up first."""
    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [(one, signal.signal(one, signal.default_int_handler)) for one in signals]
    try:
        yield
    finally:
        for one, handler in before:
            signal.signal(one, handler)


def _path(path: Path) -> str:
    return f.clean(str(path), _MOST)


def _tell(change: Change, done: str, out: TextIO) -> None:
    path = _path(change.path)
    if change.changes:
        print(f"{done}: {path} ({counted(change.places, 'place')})", file=out)
        for line, text in change.notes:
            print(f"  note: {path}:{line}: {f.clean(text, _MOST)}", file=out)
    for line, text in change.left:
        print(f"left: {path}{f':{line}' if line else ''}: {f.clean(text, _MOST)}", file=out)

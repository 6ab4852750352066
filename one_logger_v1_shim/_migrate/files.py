"""Which files of a source tree are looked at, and which cannot be: one line of reason for each of those."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Callable, Optional

#: a file above this many bytes is generated, and its syntax tree would take more memory than a login node gives
MOST_BYTES = 4 * 1024 * 1024

#: a larger one is searched for v1's name so far; what is 1 TB is no source
_MOST_SEARCHED = 64 * 1024 * 1024

PYTHON, NOTEBOOK, YAML, PINS, SCRIPT = "python", "notebook", "yaml", "pins", "script"
_KINDS = {".py": PYTHON, ".pyi": PYTHON, ".pyw": PYTHON, ".ipynb": NOTEBOOK, ".yaml": YAML, ".yml": YAML}

#: folders of tools and of installed packages
_NOT_ENTERED = frozenset(
    {
        ".git", ".hg", ".svn", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints",
        "__pycache__", "node_modules", "site-packages", "dist-packages",
    }
)  # fmt: skip
# What a file has in it if it is of any interest. Distributions are written with "-", "_" or "."; an object of v1's is
# used in files that do not name its module.
_NEEDLES = re.compile(rb"one_logger|logtimeevent|time_event_callback")
_PIN_NEEDLES = re.compile(rb"one[-_.]logger", re.IGNORECASE)
# of a kind of file, where it is not only Python's; a notebook has a shell's cells, too
_NEEDLES_OF = {
    PINS: _PIN_NEEDLES,
    SCRIPT: _PIN_NEEDLES,
    NOTEBOOK: re.compile(b"(?i:%b)|%b" % (_PIN_NEEDLES.pattern, _NEEDLES.pattern)),
}
_LONGEST = 32  # bytes of a needle, and more
# the first line of a file without a suffix says what runs it
_RUN_BY = re.compile(rb"#!.{0,200}?\b(?:(python|pypy|uv|ipython|torchrun)|(?:ba|da|z|k)?sh)[\d.]*\b")


@dataclass(frozen=True)
class Found:
    """A file to look at. ``named``: the user gave its path himself."""

    path: Path
    kind: str
    named: bool = False


@dataclass(frozen=True)
class Problem:
    """A file that cannot be looked at or written: ``path:line: reason``; line 0 is the whole file."""

    path: Path
    reason: str
    line: int = 0


class Unreadable(Exception):
    """A file cannot be looked at: the message is the reason, without the path."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def find(paths: Sequence[Path], is_pin_file: Callable[[Path], bool]) -> Iterator[Found | Problem]:
    """Every file below ``paths`` that may use v1, once, in the order of their names.

    Symbolic links in a tree are not followed: what they lead to is looked at where it lies, if it is in the tree. A
    path that the user gives is. Virtual environments, and folders of tools, are not entered.
    """
    seen: set[tuple[str, str, str]] = set()
    for given in paths:
        try:
            status = given.stat()
        except OSError as error:
            yield Problem(given, reason_of(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            found: Iterator[Found | Problem] = _below(given, is_pin_file)
        else:
            real = Path(os.path.realpath(given)) if given.is_symlink() else given
            kinds = _kinds(given, is_pin_file)
            if not kinds and stat.S_ISREG(status.st_mode):
                kinds = _by_first_line(given)
            if not kinds:
                yield Problem(given, "no Python file, notebook, YAML, script or requirement file")
                continue
            found = iter([Found(real, kind, named=True) for kind in kinds])
        for one in found:
            if isinstance(one, Found):
                # by its path: two names of one file (hard links) are two files for who imports them
                key = _real_folder(one.path.parent), one.path.name, one.kind
                if key in seen:
                    continue
                seen.add(key)
            yield one


@lru_cache(maxsize=4096)
def _real_folder(folder: Path) -> str:
    return os.path.realpath(folder)


def _below(top: Path, is_pin_file: Callable[[Path], bool]) -> Iterator[Found | Problem]:
    problems: list[OSError] = []
    for folder, folders, names in os.walk(top, onerror=problems.append):
        folders[:] = sorted(name for name in folders if _entered(Path(folder, name)))
        for name in sorted(names):
            path = Path(folder, name)
            kinds = _kinds(path, is_pin_file)
            try:
                mode = path.lstat().st_mode
                if not kinds and "." in name and not mode & stat.S_IXUSR:
                    continue
                if stat.S_ISREG(mode):
                    yield from (Found(path, kind) for kind in kinds or _by_first_line(path))
                elif path.is_symlink():
                    path.stat()
            except OSError as error:
                if error.errno != errno.ENOENT:  # a link to nowhere is of no interest, a loop is
                    yield Problem(path, reason_of(error))
    for closed in problems:
        yield Problem(Path(closed.filename), reason_of(closed))


def _entered(folder: Path) -> bool:
    # os.path, unlike Path, takes a folder that is closed to us for one without such a file
    return folder.name not in _NOT_ENTERED and not os.path.exists(folder / "pyvenv.cfg")


def _kinds(path: Path, is_pin_file: Callable[[Path], bool]) -> list[str]:
    """What a file of this name is; a ``setup.py`` is two things."""
    own = _KINDS.get(path.suffix.lower())
    pins = [PINS] if is_pin_file(path) else []
    return pins + ([own] if own is not None else [])


def _by_first_line(path: Path) -> list[str]:
    """The same for a file whose name says nothing."""
    try:
        with open(path, "rb") as file:
            match = _RUN_BY.match(file.readline(300))
    except OSError:
        return []  # nothing says that it is of interest
    return [] if match is None else [PYTHON] if match[1] else [SCRIPT]


def read(found: Found) -> Optional[bytes]:
    """The file's bytes; None if it is not named by the user and does not mention v1 at all.

    Raises:
        Unreadable: it mentions v1 (or was named), and is too large or cannot be read.
    """
    needles = _NEEDLES_OF.get(found.kind, _NEEDLES)
    try:
        descriptor = os.open(found.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not an ordinary file")
            if status.st_size <= MOST_BYTES:
                data = file.read()
                return data if found.named or needles.search(data) else None
            reason = f"{status.st_size:,} bytes, more than {MOST_BYTES:,}: too large to be looked at"
            if found.named:
                raise Unreadable(reason)
            kept, seen = b"", 0
            while seen < _MOST_SEARCHED and (block := file.read(1024 * 1024)):
                if needles.search(kept + block):
                    raise Unreadable(reason)
                kept, seen = block[-_LONGEST:], seen + len(block)
    except OSError as error:
        raise Unreadable(reason_of(error)) from None
    return None


def content(path: Path, most: Optional[int] = None) -> bytes:
    """The bytes of an ordinary file of at most ``most`` bytes.

    Raises:
        OSError: there is none, or it is something else: a link leads out of the tree, a pipe or a device never ends.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.EINVAL, "a symbolic link, which may lead elsewhere", str(path)) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not an ordinary file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        if most is not None and status.st_size > most:
            raise OSError(errno.EFBIG, f"{status.st_size:,} bytes, more than {most:,}", str(path))
        return file.read()


def reason_of(error: OSError) -> str:
    """An operating system's error in a few words."""
    if error.errno == errno.ELOOP:
        return "a symbolic link that leads to itself"
    return (error.strerror or str(error)).lower()

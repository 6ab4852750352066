"""Files that somebody else may have written, and files that nobody else is to read or write. Both processes.

Reading: an ordinary file, no link, without waiting, and no more than a bound. Writing: the same, and readable by this
user alone whatever the umask says. Removing: what has a name of ours, in a folder with a name of ours.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Optional, Union

from .._handlers import raised_by_handler
from .system import is_mine, user_number

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_FLAGS = _NO_WAIT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

#: bytes of a small file
MOST = 4 * 1024 * 1024
#: bytes of a line or a record; a longer one is damaged
MOST_LINE = 64 * 1024 * 1024
_MOST_DIGITS = 4000  # of a number in a file

_OUR_FOLDER = re.compile(r"one-logger-[A-Za-z0-9_.-]+")
_OUR_FILES = re.compile(
    r"rows-[0-9]{1,9}\.jsonl|(run|mark)\.json(\.partial)?|played|sent(\.partial)?|path\.json|worker\.(lock|log)"
)


def open_to_read(path: Union[str, Path], follow: bool = False) -> int:
    """A descriptor of an ordinary file. Raises ``OSError``: it is something else, a FIFO for example, or a link."""
    return _ordinary(path, os.O_RDONLY | (0 if follow else _NO_FOLLOW))


def open_regular(path: Union[str, Path], follow: bool = False) -> BinaryIO:
    """As :func:`open_to_read`, as a file."""
    return os.fdopen(open_to_read(path, follow), "rb")


def read(path: Union[str, Path], most: int = MOST, follow: bool = False) -> bytes:
    """The content of an ordinary file. Raises ``OSError``; ``ValueError``: it has more than ``most`` bytes."""
    with open_regular(path, follow) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{path} has more than {most:,} bytes")
    return data


def read_object(path: Union[str, Path]) -> dict[str, Any]:
    """The JSON object in ``path``; empty when there is none, or it is damaged, or larger than ours are."""
    try:
        content = json_value(read(path))
    except (OSError, ValueError, RecursionError) as error:
        if raised_by_handler(error):
            raise
        return {}
    return content if isinstance(content, dict) else {}


def json_value(data: bytes) -> Any:
    """The JSON value in ``data``. Raises ``ValueError``, ``RecursionError``."""
    return json.loads(data, parse_int=_integer)


def _integer(text: str) -> int:
    if len(text) > _MOST_DIGITS:  # Python itself has a bound only since 3.11, and takes minutes below it
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def open_to_write(path: Union[str, Path], flags: int) -> int:
    """A descriptor for writing, of an ordinary file that this user alone can read and write. Raises ``OSError``.

    ``flags``: of ``os.open``. A file that is there may have other names (hard links): then it is not ours.
    """
    return _ordinary(path, flags | _NO_FOLLOW, alone=True)


def _ordinary(path: Union[str, Path], flags: int, alone: bool = False) -> int:
    descriptor = os.open(path, flags | _FLAGS, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or (alone and found.st_nlink > 1):
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        if alone and found.st_mode & 0o777 != 0o600 and is_mine(found.st_uid) and hasattr(os, "fchmod"):
            with suppress(OSError):  # a file system without modes
                os.fchmod(descriptor, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def make_folder(path: Path) -> None:
    """A new folder that this user alone can look into. Raises ``OSError``, also where something is there."""
    os.mkdir(path, 0o700)
    if os.lstat(path).st_mode & 0o700 != 0o700:  # an umask that takes rights away from the user
        os.chmod(path, 0o700)


def is_own(folder: Path, like: Optional[Path] = None) -> bool:
    """Whether ``folder`` is a folder of this user, or of the owner of the folder ``like``, and no symlink to one."""
    try:
        found = os.lstat(folder)
        others = [] if like is None else [os.lstat(like).st_uid]
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(found.st_mode) and is_mine(found.st_uid, *others)


def writers(folder: Path) -> Optional[str]:
    """Who else than the owner of ``folder`` could have written it or a file of ours in it, in words; None: nobody."""
    if user_number() is None:  # nor do modes say there who may write
        return None
    try:
        own = os.lstat(folder)
        ours = [entry for entry in os.scandir(folder) if _OUR_FILES.fullmatch(entry.name)]
        for name, found in [("", own), *((entry.name, entry.stat(follow_symlinks=False)) for entry in ours)]:
            what = name or "the folder"
            if name and not (stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
                return f"{what} is not an ordinary file"
            if not is_mine(found.st_uid, own.st_uid, 0):
                return f"{what} belongs to another user than the folder"
            if found.st_mode & 0o002 or (found.st_mode & 0o020 and not _is_private(found.st_gid, own.st_uid)):
                return f"other users can write {what}"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return None


def _is_private(group: int, user: int) -> bool:
    """Whether a group is the one that many systems make for each user: of the same name, and without other members."""
    try:
        import grp
        import pwd

        found, name = grp.getgrgid(group), pwd.getpwuid(user).pw_name
    except (ImportError, KeyError, OSError):
        return False
    return found.gr_name == name and set(found.gr_mem) <= {name}


def is_ours(folder: Path) -> bool:
    """Whether ``folder`` has the name of a journal."""
    return _OUR_FOLDER.fullmatch(folder.name) is not None


def remove_journal(folder: Path) -> None:
    """Remove a journal: files with names of ours, and the folder if nothing else is in it.

    Not where W&B's own folder is in it: the run itself had to go there, and belongs to the journal.
    """
    if not is_ours(folder) or not is_own(folder) or os.path.lexists(folder / "wandb"):
        return
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if _OUR_FILES.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    os.unlink(entry.path)
        os.rmdir(folder)

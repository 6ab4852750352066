"""Names and places of the journal's files, and writing of small JSON files. Both processes."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional, Union

from .outside import is_own, open_to_write

PREFIX = "one-logger-"
_SEGMENT = re.compile(r"rows-([0-9]{1,9})\.jsonl")
_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)  # as shlex.quote, which a script's own shlex.py may hide


def new_run_id() -> str:
    """A W&B run id, chosen here so that a later process can find the run again."""
    number, letters = int.from_bytes(os.urandom(16), "big"), "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(letters[number // 36**place % 36] for place in range(8))


def folder_name(run_id: str) -> str:
    """The name of a new journal's folder."""
    return f"{PREFIX}{time.strftime('%Y%m%d_%H%M%S')}-{run_id}"


def recover_command(folder: Path, dry_run: bool = False) -> str:
    """The command that sends what is left of the journal in ``folder`` (``dry_run``: that says so), for a shell."""
    return f"python -m one_logger_v1_shim recover {'--dry-run ' if dry_run else ''}{quoted(folder)}"


def quoted(path: Union[str, Path]) -> str:
    """``path`` as one word for a shell, on one line, and never an option. What can't be printed is for Bash or Zsh."""
    text = str(path)
    text = f"./{text}" if text.startswith("-") else text
    if not text.isprintable():
        return f"$'{''.join(map(_escaped, text))}'"
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\"'\"'") + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def segment(number: int) -> str:
    """The name of the journal's ``number``-th file, from 1."""
    return f"rows-{number:06d}.jsonl"


def segment_number(path: Path) -> Optional[int]:
    """Which of the journal's files that is; None: none of them. Some characters are digits, and no number."""
    found = _SEGMENT.fullmatch(path.name)
    return int(found[1]) if found else None


def overflow(folder: Path) -> Path:
    """Where the journal in ``folder`` goes on when its disk takes no more. The run's id makes the name our own."""
    return temporary() / f"{folder.name}-more"


def temporary() -> Path:
    """The temp directory. Where no disk takes a file Python knows none, and raises: then where it would be."""
    try:
        import tempfile

        return Path(tempfile.gettempdir())
    except (Exception, SystemExit):  # a script's own modules may hide what it imports
        return Path(os.environ.get("TMPDIR") or "/tmp")


def above_standard(descriptor: int) -> int:
    """``descriptor``, or another one for it: C code prints to 1 and 2, also where those streams are closed."""
    if descriptor > 2:
        return descriptor
    try:
        import fcntl
    except ImportError:
        return descriptor

    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return higher


def is_text(path: Union[str, Path]) -> bool:
    """Whether a name is UTF-8: on Linux it may be any bytes."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def as_text(path: Path, folder: Path, name: str) -> Path:
    """A way to ``path`` that is text, for who takes no other: a link ``name`` in the overflow of the journal.

    ``path`` itself if it is text, or if no link can be made.
    """
    if is_text(path):
        return path
    link = overflow(folder) / name
    with suppress(OSError):
        link.parent.mkdir(mode=0o700)
    if not is_own(link.parent):
        return path
    with suppress(OSError):
        link.symlink_to(path)
    return link if link.is_symlink() else path


def has_room(folder: Path) -> bool:
    """Whether the disk of ``folder`` takes as much as wandb writes at a time."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            return file.write(bytes(65536)) == 65536
    except OSError:
        return False


def write_json(path: Path, content: Any) -> None:
    """Replace ``path`` in one step: a reader sees the old content or the new one. Raises ``OSError``."""
    partial = path.with_name(path.name + ".partial")
    with suppress(FileNotFoundError):
        partial.unlink()
    descriptor = open_to_write(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    data = json.dumps(content).encode()
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)
    os.replace(partial, path)

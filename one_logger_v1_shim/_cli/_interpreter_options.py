"""The options that an interpreter was started with: ``-O -u -W error -X dev``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

#: of the short options: those that take a value, in the same word or the next
_WITH_VALUE = "WX"
#: those that say what is to run; what follows is the program's
_START = "cm"
_LONG_WITH_VALUE = "--check-hash-based-pycs"


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Python's options at the beginning of a command line, and the rest: ``-m``, ``-c``, ``-`` or a script.

    ``-Om MODULE`` and ``-mMODULE`` are taken apart: (``["-O"]``, ``["-m", "MODULE"]``).
    """
    options: list[str] = []
    left = list(arguments)
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word.startswith("--"):
            options += [word, *left[:1]] if word == _LONG_WITH_VALUE else [word]
            left = left[1:] if word == _LONG_WITH_VALUE else left
            continue
        for place, letter in enumerate(word[1:], 1):
            value = word[place + 1 :]
            if letter in _START:
                return [*options, *_flags(word[1:place])], [f"-{letter}", *filter(None, [value]), *left]
            if letter in _WITH_VALUE:
                options += [*_flags(word[1:place]), f"-{letter}", value or (left.pop(0) if left else "")]
                break
        else:
            options.append(word)
    return options, left


def letters(options: Sequence[str]) -> set[str]:
    """The short options among these; not what stands in their values."""
    found: set[str] = set()
    words = iter(options)
    for word in words:
        if word == _LONG_WITH_VALUE or word[1:2] in _WITH_VALUE:
            next(words, "")
        elif not word.startswith("--"):
            found |= set(word[1:])
    return found


def _flags(letters: str) -> list[str]:
    return [f"-{letters}"] if letters else []


def of_this_process() -> list[str]:
    """The options of the process that we are in, as they were written; none where nobody knows."""
    written = getattr(sys, "orig_argv", None) or _of_proc()  # sys.orig_argv: since Python 3.10
    return split(written[1:])[0]


def _of_proc() -> list[str]:
    try:
        with open("/proc/self/cmdline", "rb") as file:
            return [word.decode(errors="surrogateescape") for word in file.read().split(b"\0")[:-1]]
    except OSError:
        return []

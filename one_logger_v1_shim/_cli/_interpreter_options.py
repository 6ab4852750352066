"""The options that an interpreter was started with: ``-O -u -W error -X dev``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

#: of the short options: those that take a value, in the same word or the next
_WITH_VALUE = "WX"
#: those that say what is to run; what follows is the program's
_START = "cm"
_LONG_WITH_VALUE = "--check-hash-based-pycs"


def split(arguments: Sequence[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Python's options at the beginning of a command line, and the rest: ``-m``, ``-c``, ``-`` or a script.

    Each option by itself, with its value: ``-OuWerror -mMODULE`` is ``[("-O",), ("-u",), ("-W", "error")]`` and
    ``["-m", "MODULE"]``.
    """
    options: list[tuple[str, ...]] = []
    left = list(arguments)
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word.startswith("--"):
            values = 1 if word == _LONG_WITH_VALUE else 0
            options.append((word, *left[:values]))
            left = left[values:]
            continue
        for place, letter in enumerate(word[1:], 2):
            value = word[place:]
            if letter in _START:
                return options, [f"-{letter}", *filter(None, [value]), *left]
            if letter in _WITH_VALUE:
                options.append((f"-{letter}", value or (left.pop(0) if left else "")))
                break
            options.append((f"-{letter}",))
    return options, left


def of_this_process() -> list[tuple[str, ...]]:
    """The options of the process that we are in; none where nobody knows."""
    written = list(getattr(sys, "orig_argv", ()))  # since Python 3.10
    with suppress(OSError):
        given = b"" if written else Path("/proc/self/cmdline").read_bytes()
        written = written or [word.decode(errors="surrogateescape") for word in given.split(b"\0")[:-1]]
    return split(written[1:])[0]

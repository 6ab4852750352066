"""What ``scan`` says of one use of v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: works as it stands; only the running program knows; somebody has to look at it; does not work, with v1 neither
OK, NOT_JUDGED, WARNING, ERROR = "ok", "not judged", "warning", "error"

IMPORT, STRING, CONSTRUCTION, CALL, SUBCLASS = "import", "string", "construction", "call", "subclass"
PIN, FILE, COPY = "pin", "file", "copy"


@dataclass(frozen=True)
class Finding:
    """``file:line  kind  level  what: why``."""

    file: str
    line: int
    kind: str
    level: str
    what: str
    why: str = ""
    #: of a notebook, from 1; 0 elsewhere
    cell: int = 0
    #: what of v1 is called (a method's name, or a key of ``names.PARAMETERS``; "" where that is not written out) or, of
    #: an import, v1's module
    called: str = ""

    def as_json(self) -> dict[str, Any]:
        """The fields by name, without ``called``."""
        names = ("file", "line", "cell", "kind", "level", "what", "why")
        return {name: getattr(self, name) for name in names} | {"cell": self.cell or None}


@dataclass(frozen=True)
class Verdict:
    """Whether something works as it stands, and why not."""

    level: str = OK
    why: str = ""


def worst(*verdicts: Verdict) -> Verdict:
    """The worst level, with the reasons of all verdicts."""
    order = [OK, NOT_JUDGED, WARNING, ERROR]
    level = max((one.level for one in verdicts), key=order.index, default=OK)
    return Verdict(level, "; ".join(one.why for one in verdicts if one.why))


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

"""For which version of v1 a tree was written, as far as its uses of v1 tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from .._v1.wires import DEFAULT, STEP_CALLBACKS, STEPS, VARIABLE, WIRES
from .findings import CALL, COPY, Finding

_VERSION = re.compile(r"^VERSION\s*(?::[^=\n]*)?=\s*['\"]([0-9.]+)['\"]", re.MULTILINE)


@dataclass(frozen=True)
class Wire:
    """``because``: the use that tells it; None: nothing tells another version than the default."""

    version: str
    because: Optional[Finding] = None

    def as_json(self) -> dict[str, Any]:
        """``wire`` and in it the fields by name; nothing where no use tells the version."""
        if self.because is None:
            return {}
        return {"wire": {"version": self.version, "because": self.because.as_json()}}

    def sentence(self) -> str:
        """What it means for who runs the tree; empty where no use tells the version."""
        if self.because is None:
            return ""
        where = f"{self.because.what} in {self.because.file}:{self.because.line}"
        setting = "" if self.version == DEFAULT else f": run it with {VARIABLE}={self.version} for its rows"
        return f"written for v1 {self.version} ({where}){setting}"


def wire_of(findings: Iterable[Finding]) -> Wire:
    """The newest version that a use tells: one that only this version had, or a copy of v1 in the tree."""
    told: dict[str, Finding] = {}
    for one in findings:
        if one.kind == CALL and one.called in STEP_CALLBACKS:
            told.setdefault(STEPS, one)
        elif one.kind == COPY:
            told.setdefault(one.what.rpartition(" ")[2], one)
    found = next((version for version in reversed(WIRES) if version in told), DEFAULT)
    return Wire(found, told.get(found))


def copied(text: str) -> Optional[str]:
    """The version of v1 that the module ``text`` has, which defines ``OneLoggerUtils``, if it is one of ours."""
    found = _VERSION.search(text)
    return found[1] if found is not None and found[1] in WIRES else None

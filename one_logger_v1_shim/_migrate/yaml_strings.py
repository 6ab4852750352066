"""Names of v1's classes in YAML: Hydra's ``_target_``, jsonargparse's ``class_path``.

By line, without a parser: the values are wanted where they stand, and Hydra's files are templates as often as not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .names import ROOTS, in_string
from .source import Edit
from .strings import StringUse

_NAME = re.compile(rf"(?<![\w.])(?:{'|'.join(ROOTS)})(?![\w-])(?:[.:][\w.:]+)?")
# where a name without a dot is a module, and where a name ends whatever follows
_MODULE = re.compile(r"(?:module|package|import|_target_|class_path)s?[\"']?\s*[:=]\s*[\"'\[]{0,2}$|!!python/module:$")
_TAG = re.compile(r"!!python/[a-z/]+:$")
_NEAR = 200  # characters: blanks around a scalar


def yaml_strings(text: str) -> Iterator[StringUse]:
    """Every scalar that is the dotted name of something that v1 had."""
    at = 0
    for line in text.split("\n"):
        if not line.lstrip().startswith("#"):
            for match in _NAME.finditer(line):
                found = in_string(match[0], bool(_MODULE.search(line[max(0, match.start() - _NEAR) : match.start()])))
                if found is not None and _is_whole(line, match.start(), match.end()):
                    root = re.split(r"[.:]", match[0], maxsplit=1)[0]
                    start = at + match.start()
                    yield StringUse(start, match[0], found, Edit(start, root, ROOTS[root]))
        at += len(line) + 1


def _is_whole(line: str, start: int, end: int) -> bool:
    """Whether a scalar begins and ends there: after the line's begin, a key, a dash, a bracket or a comma."""
    before, after = line[max(0, start - _NEAR) : start], line[end : end + _NEAR]
    if _TAG.search(before):
        return True
    if before[-1:] in ("'", '"'):
        before, after = before[:-1], after[1:] if after[:1] == before[-1] else "x"
    before, rest = before.rstrip(), after.lstrip()
    begins = before[-1] in ":-[,{=" if before else start < _NEAR
    return begins and (not rest or rest[0] in ",]}" or (rest[0] == "#" and rest != after))

"""Names of v1's classes in YAML: Hydra's ``_target_``, jsonargparse's ``class_path``.

By line, without a parser: the values are wanted where they stand, and Hydra's files are templates as often as not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .names import ROOTS, in_string
from .source import Edit
from .strings import StringUse

# a whole scalar: after the key, a dash, a bracket or a comma
_SCALAR = re.compile(rf"(?:^|[:\-\[,{{=])\s*[\"']?((?:{'|'.join(ROOTS)})(?:[.:]\w+)+)[\"']?\s*(?=$|[,\]}}]|\s#)")


def yaml_strings(text: str) -> Iterator[StringUse]:
    """Every scalar that is the dotted name of something that v1 had."""
    at = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith("#"):
            for match in _SCALAR.finditer(line.rstrip("\r")):
                found = in_string(match[1], names_a_module=False)
                if found is not None:
                    root = re.split(r"[.:]", match[1], maxsplit=1)[0]
                    start = at + len(line[: match.start(1)].encode())
                    yield StringUse(number, match[1], found, Edit(start, root, ROOTS[root]))
        at += len(line.encode()) + 1

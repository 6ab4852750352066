"""mkdocs's hook: removes Sphinx's roles (``:meth:`` ...) of docstrings, and lets long names in tables be broken."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:meth|class|func|mod|data|attr|exc):(?=<code)")
_CELL = re.compile(r"<td>.*?</td>", re.DOTALL)
_JOINT = re.compile(r"(?<=[a-zA-Z0-9])_(?=[a-zA-Z0-9])(?![^<]*>)")  # an underscore in a name, not in a tag


def on_page_content(html: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    return _CELL.sub(lambda cell: _JOINT.sub("_<wbr>", cell[0]), _ROLE.sub("", html))

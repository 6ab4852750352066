"""mkdocs's hook: docstrings have Sphinx's roles (``:meth:`` ...), the site has none."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:meth|class|func|mod|data|attr|exc):(?=<code)")


def on_page_content(html: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    return _ROLE.sub("", html)

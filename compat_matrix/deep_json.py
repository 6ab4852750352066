"""JSON that may be nested deeper than Python reads."""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_DEEPEST = 60


def from_json(text: str) -> Any:
    """As ``json.loads``; what is nested deeper than Python can read becomes a text. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(_flat(text))


def _flat(text: str) -> str:
    """The JSON with everything below a certain depth cut out."""
    parts, depth, kept = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth == _DEEPEST:
                parts.append(text[kept : token.start()])
        elif token[0] in ("]", "}"):
            depth -= 1
            if depth == _DEEPEST - 1:
                kept = token.end()
                parts.append('"(nested too deeply)"')
    parts.append(text[kept:] if depth < _DEEPEST else "")
    return "".join(parts)

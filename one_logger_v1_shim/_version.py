"""The version of the package. It is written in ``pyproject.toml`` and nowhere else.

In a wheel another module with this name takes this one's place, and has the number in it (``hatch_build.py`` of the
source tree). This one serves what runs from the tree: ``PYTHONPATH``, an editable installation, the tests.
"""

from __future__ import annotations

import os
import re

#: of a copy of the package's folder alone, which was neither built nor has its project beside it
UNKNOWN = "0+unknown"


def _of_the_tree() -> str:
    project = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pyproject.toml")
    try:
        with open(project, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return UNKNOWN
    # Python has no reader of TOML before 3.11; a test compares this with one
    found = re.search(r'^name = "one-logger-v1-shim"\nversion = "([^"]+)"$', text, re.MULTILINE)
    return found[1] if found else UNKNOWN


VERSION = _of_the_tree()

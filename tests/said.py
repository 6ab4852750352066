"""What a part says today of a wide lot of inputs, word for word, in a file beside the test.

A change of any sentence, number or order fails. Who means it writes the file anew and reads the difference:
``SAID=write python -m pytest tests/goodput/test_said.py``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def check(path: Path, said: dict[str, Any]) -> None:
    """``said``, by the name of the input, is what the file has. Values are JSON; floats count to six places."""
    now = json.loads(json.dumps(said), parse_float=lambda text: round(float(text), 6))
    if os.environ.get("SAID") == "write":
        lines = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in now.items())
        path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    wanted = json.loads(path.read_text(encoding="utf-8"))
    assert list(now) == list(wanted)
    for name, value in now.items():
        assert value == wanted[name], name

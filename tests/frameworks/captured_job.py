"""Runs one of the jobs beside this file inside of a block: ``python captured_job.py lightning|huggingface SETTINGS``.

Writes ``captured.json``: its rows and spans, before the end of the block and after it.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

from one_logger_v1_shim.testing import Capture, capture


def taken(captured: Capture) -> dict[str, Any]:
    spans = [[span.name, span.parent.name if span.parent else None, span.end_ms] for span in captured.spans]
    return {"rows": captured.rows, "spans": spans, "finished": [run.finished for run in captured.runs]}


def main() -> None:
    kind, settings = sys.argv[1:]
    script = str(Path(__file__).with_name(f"{kind}_job.py"))
    sys.argv = [script, settings]
    error = None
    with capture() as captured:
        try:
            runpy.run_path(script, run_name="__main__")
        except BaseException as raised:
            error = type(raised).__name__
        before = taken(captured)
    found = {"before": before, "after": taken(captured), "error": error, "wandb": "wandb" in sys.modules}
    Path("captured.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()

"""``python -m tests.otlp.picture``: draws ``docs/opentelemetry.svg`` from the spans that a collector on loopback gets.

The job is the recorded one, ``quickstart``, on its own clock.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from tests.otlp.receiver import collector
from tests.support import ROOT, Clock, golden

PICTURE = ROOT / "docs" / "opentelemetry.svg"
_WIDTH, _LINE, _LEFT, _RIGHT = 900, 24, 250, 70
_COLOURS = {None: "#4c6ef5", "application": "#1098ad", "training_loop": "#f08c00"}


def spans_of(name: str, folder: Path) -> list[Any]:
    """What a collector gets of a recorded job."""
    from one_logger_v1_shim._journal.records import Mark, RunRecord
    from one_logger_v1_shim._worker.otlp import make
    from tests.v2 import twin as v2_twin

    job = golden(name)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in {"MODE": "offline", "DIR": str(folder)}.items():
            patch.setenv(f"WANDB_{key}", value)
        patch.setenv("ONE_LOGGER_V1_PYTHON", str(folder / "none"))
        clock = Clock(patch, job["t0"])

        def at(seconds: float) -> None:
            clock.now = job["t0"] + seconds

        v2_twin.shim(job, at)
    (journal,) = folder.glob("wandb/one-logger-*")
    with collector() as one:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ONE_LOGGER_V1_OTLP", "1")
            patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.address)
            thread = make(journal, RunRecord.read(journal), Mark())
            assert thread is not None
            thread.job_has_gone()
            thread.run()
        return one.received.spans


def drawn(spans: list[Any]) -> str:
    """The spans of one trace as SVG: a line each, children below their parent, events as ticks."""
    first = min(span.start_time_unix_nano for span in spans)
    last = max(span.end_time_unix_nano for span in spans)
    names = {span.span_id: span.name for span in spans}
    parents = {span.span_id: span.parent_span_id for span in spans}

    def depth(span_id: bytes) -> int:
        return 0 if not parents.get(span_id) else 1 + depth(parents[span_id])

    def x(moment: int) -> float:
        return _LEFT + (moment - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    height = _LINE * len(spans) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="13"><rect width="100%" height="100%" fill="white"/>'
    ]
    for line, span in enumerate(sorted(spans, key=lambda one: (one.start_time_unix_nano, depth(one.span_id)))):
        y, begin, end = 5 + line * _LINE, x(span.start_time_unix_nano), x(span.end_time_unix_nano)
        indent = 8 + 16 * depth(span.span_id)
        colour = _COLOURS.get(names.get(span.parent_span_id), "#868e96")
        seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        parts += [
            f'<text x="{indent}" y="{y + 16}">{escape(span.name)}</text>',
            f'<rect x="{begin:.1f}" y="{y + 4}" width="{max(2.0, end - begin):.1f}" height="14" fill="{colour}"/>',
            f'<text x="{end + 5:.1f}" y="{y + 16}" fill="#495057">{seconds:.2f} s</text>',
        ]
        for event in span.events:
            tick = min(x(event.time_unix_nano), end)
            parts.append(f'<rect x="{tick:.1f}" y="{y + 2}" width="1.5" height="18" fill="#212529"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> int:
    """Draw it."""
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(drawn(spans_of("quickstart", Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

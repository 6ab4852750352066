"""v2's spans as a test sees them. Needs no v2."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(eq=False)
class SpanEvent:
    """An event of v2. A row of v1 is an event ``one_logger_v1.log_metrics`` with the row as JSON text in ``row``.

    Attributes:
        name: v2's name of the event; ``error`` for an error of the application.
        time_ms: ms since the epoch.
        attributes: as v2's exporters get them, without ``timestamp_msec``, which is ``time_ms``.
    """

    name: str
    time_ms: float
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Span:
    """A span of v2, as v2's exporters get it. Later events of the block are added to it.

    Attributes:
        name: v2's name of the span: ``application``, ``training_loop``, ``checkpoint_save_sync`` ...
        start_ms: ms since the epoch.
        end_ms: ms since the epoch; None while it is open.
        attributes: as v2's exporters get them; some are added when the span ends.
        events: in order, without the start and the end of the span itself.
        parent: the span in which it was started; None for the outermost. If v2 does not export that span (by default,
            training iterations), the next one around it.
    """

    name: str
    start_ms: float
    end_ms: Optional[float] = None
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[SpanEvent] = field(default_factory=list)
    parent: Optional[Span] = field(default=None, repr=False)

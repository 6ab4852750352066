"""The v2 event that carries a v1 row."""

from __future__ import annotations

from typing import Optional

from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.time import TracingTimestamp

#: name of the event, and of its one attribute: the row as JSON text, because v2's attributes keep no None, no dict and
#: no list of mixed types
ROW_EVENT = "one_logger_v1.log_metrics"
ROW_ATTRIBUTE = "row"


class RowEvent(Event):
    """A row on its way through v2's recorder. To v2 and its exporters it is an event like any other.

    Timestamp and attributes are made when somebody reads them: our own exporter takes :attr:`row`, and where no other
    one listens they would be a third of what v2 adds to the cost of a row.

    Args:
        row: one line of JSON, ASCII.
        seconds: since the epoch, and of the performance counter (:meth:`~.clock.Clock.read`).
    """

    #: has our exporter had it? v2 leaves out an exporter that has failed too often, and the row goes another way.
    taken = False
    _name = ROW_EVENT
    _whole: Optional[Event] = None

    def __init__(self, row: bytes, seconds: tuple[float, float]) -> None:
        self.row = row
        self._seconds = seconds

    def _event(self) -> Event:
        whole = self._whole
        if whole is None:
            attributes = Attributes({ROW_ATTRIBUTE: self.row.decode("ascii")})
            whole = self._whole = Event(ROW_EVENT, TracingTimestamp(*self._seconds), attributes)
        return whole

    @property
    def timestamp(self) -> TracingTimestamp:
        """When the row was logged."""
        return self._event().timestamp

    @property
    def attributes(self) -> Attributes:
        """``row``: the row as JSON text; and ``timestamp_msec``, which v2 gives every event."""
        return self._event().attributes

"""v2's spans and events as v2 itself makes them, for the translation into v1's rows."""

from __future__ import annotations

from typing import Any, Optional

from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.span import Span
from nv_one_logger.core.time import TracingTimestamp

from one_logger_v1_shim import ConfigAdapter
from one_logger_v1_shim._v2.translation import Translation
from tests.support import CONFIG

T0 = 1_700_000_000.0


def translation(**config: Any) -> Translation:
    return Translation(ConfigAdapter.convert_to_v2_config({**CONFIG, **config}))


def span(name: Any, start: float = T0, attributes: Optional[Attributes] = None) -> Span:
    return Span.create(name, span_attributes=attributes, start_time=TracingTimestamp(start, start - T0 + 1000))


def event(name: Any, attributes: Attributes) -> Event:
    return Event.create(name, attributes)


def only_row(given: tuple[list[dict[str, Any]], Any]) -> dict[str, Any]:
    (row,), tag = given
    assert tag is None
    return row

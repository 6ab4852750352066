"""The event that carries a row: to v2 one like any other, although most of it is made late."""

from __future__ import annotations

import copy
import pickle

import pytest
from nv_one_logger.core.attributes import Attributes
from nv_one_logger.core.event import Event
from nv_one_logger.core.time import TracingTimestamp

from one_logger_v1_shim._v2.row_event import ROW_ATTRIBUTE, ROW_EVENT, RowEvent

SECONDS = (1_790_000_000.5, 12.25)
ROW = b'{"loss":0.5,"text":"\\u00e4"}'


@pytest.fixture
def plain() -> Event:
    return Event(ROW_EVENT, TracingTimestamp(*SECONDS), Attributes({ROW_ATTRIBUTE: ROW.decode("ascii")}))


def test_it_is_an_event_with_all_that_v2_puts_into_one(plain: Event) -> None:
    event = RowEvent(ROW, SECONDS)
    assert isinstance(event, Event)
    assert (event.name, event.name_str) == (ROW_EVENT, ROW_EVENT)
    assert event.timestamp == plain.timestamp
    assert event.attributes == plain.attributes
    assert event.attributes is event.attributes  # made once
    assert event.to_json() == plain.to_json()
    assert event == plain
    assert plain == event
    assert Event.from_json(event.to_json()) == event


@pytest.mark.parametrize("read_before", [False, True])
def test_it_goes_to_other_processes_and_can_be_copied(plain: Event, read_before: bool) -> None:
    event = RowEvent(ROW, SECONDS)
    if read_before:
        assert event.attributes
    for other in (pickle.loads(pickle.dumps(event)), copy.deepcopy(event)):
        assert type(other) is RowEvent
        assert other == plain

"""v1's calls into spans: the names, times and nesting that v2's would have. The standard library only; in any process.

Single iterations are no spans: a job has millions of them. Rows are events of the innermost span that is open.

The same calls give the same spans with the same ids, in whichever process they are played: an id is made from the run's
id, the span's name and its start.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from .._journal.calls import Call, Reading
from .._journal.instants import Instants
from .names import PREFIX

APPLICATION = "application"
ROW_EVENT = PREFIX + "row"
SUCCESS_EVENT = PREFIX + "save_checkpoint_success"

_TRAIN = "train"
#: v1's phase -> the name of its span
_PHASES = {
    "model_init": "model_initialization",
    "dataloader_init": "data_loader_initialization",
    "optimizer_init": "optimizer_initialization",
    "load_checkpoint": "checkpoint_load",
    _TRAIN: "training_loop",
    "validation": "validation_loop",
    "test": "testing_loop",
}
_SAVE = {False: "checkpoint_save_sync", True: "checkpoint_save_async"}
#: the row's words for what the save's span says
_STEP = PREFIX + "train_iterations_save_checkpoint_end"
_STRATEGY = "save_checkpoint_strategy"

_LONGEST_TEXT = 4096  # characters of an attribute
_MOST_ATTRIBUTES = 128  # OpenTelemetry's own default

Attribute = Union[str, bool, int, float, list[str]]
Attributes = dict[str, Attribute]


@dataclass
class Event:
    """``time``: ns since the epoch."""

    name: str
    time: int
    attributes: Attributes


@dataclass
class Span:
    """One span. ``start`` and ``end``: ns since the epoch; ``error``: why it did not end well; ``dropped``: events."""

    name: str
    id: int
    parent: Optional[int]
    start: int
    end: int = 0
    attributes: Attributes = field(default_factory=dict)
    events: deque[Event] = field(default_factory=deque)
    dropped: int = 0
    error: str = ""

    def add(self, event: Event, most: int) -> None:
        """One event more; beyond ``most`` the oldest is dropped."""
        self.events.append(event)
        if len(self.events) > most:
            self.events.popleft()
            self.dropped += 1


def nanoseconds(seconds: float) -> int:
    """Seconds since the epoch as OTLP has them; a product would be wrong by a quarter of a microsecond."""
    whole = int(seconds)
    return max(0, whole * 1_000_000_000 + round((seconds - whole) * 1e9))


def identifier(size: int, *words: object) -> int:
    """An id of ``size`` bytes that is made from ``words``; never 0, which OpenTelemetry takes for none."""
    digest = hashlib.sha256("\0".join(map(str, words)).encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:size], "big") or 1


def attributes(row: Mapping[str, Any]) -> Attributes:
    """What a row says, as attributes: texts are cut, lists and objects are JSON."""
    found: Attributes = {}
    for key, value in row.items():
        if value is None or len(found) >= _MOST_ATTRIBUTES:
            continue
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            found[PREFIX + key] = [one[:_LONGEST_TEXT] for one in value[:_MOST_ATTRIBUTES]]
        elif isinstance(value, (bool, float)) or (isinstance(value, int) and -(2**63) <= value < 2**63):
            found[PREFIX + key] = value
        else:
            found[PREFIX + key] = (value if isinstance(value, str) else json.dumps(value))[:_LONGEST_TEXT]
    return found


@dataclass
class _Save:
    span: Span
    step: Any
    #: when v1 reported its end, if the success that belongs to it may still follow
    ended: Optional[float] = None


class Trace:
    """The spans of one run. Spans that have ended are in ``ended``, for the caller to take.

    Args:
        run_id: of the run; makes the ids.
        most_events: of one span; beyond that the oldest are dropped.
    """

    def __init__(self, run_id: str, most_events: int) -> None:
        self.id = identifier(16, "trace", run_id)
        self.ended: list[Span] = []
        self._run_id = run_id
        self._most_events = most_events
        self._instants = Instants()
        self._open: list[Span] = []  # the innermost last
        self._phases: dict[str, Span] = {}
        self._save: Optional[_Save] = None
        self._over = False  # the application has ended; what comes then belongs to no span
        self._async = False
        self._seen: dict[int, int] = {}

    def hear(self, call: Call) -> None:
        """One call of v1's. A row is :meth:`row`."""
        name, at, arguments = call
        if name == "value" and arguments[:1] == (_STRATEGY,):
            self._async = arguments[1] == "async"
        if at is None or self._over:
            return
        known: Optional[Callable[..., None]] = _CALLS.get(name)
        if known is not None:
            if name not in ("close", "app_end"):
                self._begin(at, arguments[0] if name in ("open", "app_start") and arguments else None)
            known(self, at, *arguments)

    def row(self, at: Reading, row: Mapping[str, Any]) -> None:
        """A row that was logged: an event."""
        if self._over:
            return
        self._begin(at)
        self._event(self._open[-1], ROW_EVENT, self._instants.at(at)[0], attributes(row))

    def end(self, at: Reading, error: str = "") -> None:
        """The job has gone, if its application has not ended before; ``error``: how, if it was not as it should be."""
        if not self._over and self._open:
            self._open[0].error = error
            self._end_all(self._instants.at(at)[0])
        self._over = True

    # -- the calls ---------------------------------------------------------------------------------------------

    def _begin(self, at: Reading, given_ms: Any = None) -> None:
        """The application, unless it has begun."""
        if not self._open:
            self._start(APPLICATION, self._instants.at(at, given_ms)[0])

    def _nothing(self, at: Reading, *arguments: Any) -> None:
        """The application has begun; there is no more to it."""

    def _training(self, at: Reading, values: Any = None, *_: Any) -> None:
        fields = values.get("fields") if isinstance(values, dict) else None
        if isinstance(fields, dict):
            self._async = fields.get(_STRATEGY) == "async"

    def _phase_start(self, at: Reading, phase: Any, given_ms: Any = None, *_: Any) -> None:
        when = self._instants.at(at, given_ms)[0]
        self._flush()
        if phase not in _PHASES:  # single iterations
            return
        self._end_phase(phase, when)
        self._phases[phase] = self._start(_PHASES[phase], when)

    def _phase_end(self, at: Reading, phase: Any, given_ms: Any = None, *_: Any) -> None:
        when = self._instants.at(at, given_ms)[0]
        self._flush()
        self._end_phase(phase, when)

    def _batch_start(self, at: Reading, *_: Any) -> None:
        self._instants.at(at)
        self._flush()

    def _batch_end(self, at: Reading, *_: Any) -> None:
        self._instants.at(at)

    def _train_start(self, at: Reading, *numbers: Any) -> None:
        self._phase_start(at, _TRAIN)
        names = ("train_iterations_start", "train_samples_start")
        self._phases[_TRAIN].attributes.update(attributes(dict(zip(names, numbers))))

    def _train_end(self, at: Reading, *_: Any) -> None:
        self._phase_end(at, _TRAIN)

    def _save_start(self, at: Reading, step: Any, *_: Any) -> None:
        when = self._instants.at(at)[0]
        self._flush()
        self._end_save(when)
        span = self._start(_SAVE[self._async], when)
        span.attributes.update(_step(step))
        self._save = _Save(span, step)

    def _save_end(self, at: Reading, *_: Any) -> None:
        when = self._instants.at(at)[0]
        self._flush()
        if self._save is not None and self._async:
            self._end_save(when)
        elif self._save is not None:
            self._save.ended = when

    def _save_success(self, at: Reading, step: Any, *_: Any) -> None:
        """On the span of its save; where that has ended, on the application's, as v2 has it."""
        when = self._instants.at(at)[0]
        save = None if self._async or self._save is None or self._save.step != step else self._save
        # a success that v1's code reports after the end of its save is a part of the save all the same
        moment = when if save is None or save.ended is None else save.ended
        self._event(self._open[0] if save is None else save.span, SUCCESS_EVENT, moment, _step(step))
        if save is not None:
            self._flush()

    def _app_end(self, at: Reading, given_ms: Any = None, *_: Any) -> None:
        if self._open:
            self._end_all(self._instants.at(at)[0], self._instants.at(at, given_ms)[0])
            self._over = True

    # -- spans -------------------------------------------------------------------------------------------------

    def _start(self, name: str, seconds: float) -> Span:
        start = nanoseconds(seconds)
        made = identifier(8, self._run_id, name, "" if name == APPLICATION else start)
        self._seen[made] = again = self._seen.get(made, 0) + 1
        if again > 1:  # a frozen clock
            made = identifier(8, made, again)
        span = Span(name, made, self._open[-1].id if self._open else None, start)
        self._open.append(span)
        return span

    def _event(self, span: Span, name: str, seconds: float, said: Attributes) -> None:
        span.add(Event(name, nanoseconds(seconds), said), self._most_events)

    def _end(self, span: Span, seconds: float) -> None:
        if span in self._open:
            self._open.remove(span)
            span.end = max(span.start, nanoseconds(seconds))
            self.ended.append(span)

    def _end_phase(self, phase: Any, seconds: float) -> None:
        span = self._phases.pop(phase, None)
        if span is not None:
            self._end(span, seconds)

    def _end_save(self, seconds: float) -> None:
        save, self._save = self._save, None
        if save is not None:
            self._end(save.span, seconds)

    def _flush(self) -> None:
        """End a sync save whose end v1 has reported: no success follows it any more."""
        if self._save is not None and self._save.ended is not None:
            self._end_save(self._save.ended)

    def _end_all(self, seconds: float, application: Optional[float] = None) -> None:
        self._flush()
        for span in list(reversed(self._open)):
            last = not span.parent and application is not None
            self._end(span, application if last and application is not None else seconds)


def _step(step: Any) -> Attributes:
    return attributes({_STEP[len(PREFIX) :]: step})


_CALLS: dict[str, Callable[..., None]] = {
    "open": Trace._nothing,
    "app_start": Trace._nothing,
    "training": Trace._training,
    "phase_start": Trace._phase_start,
    "phase_end": Trace._phase_end,
    "batch_start": Trace._batch_start,
    "batch_end": Trace._batch_end,
    "train_start": Trace._train_start,
    "train_end": Trace._train_end,
    "save_start": Trace._save_start,
    "save_end": Trace._save_end,
    "save_success": Trace._save_success,
    "app_end": Trace._app_end,
    "close": Trace._app_end,
}

"""v1's metrics as OpenTelemetry has them: name, kind and unit of each. The standard library only; in any process.

Kinds: a *counter* is what this job has done so far, and never falls. Everything else is a *gauge*: also the counts that
begin with the model's life (``*_start``, ``*_end``), sizes, targets, and instants. Units are UCUM's.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from .._v1 import metrics as m

COUNTER, GAUGE = "counter", "gauge"
PREFIX = "one_logger."

#: v1's unit -> UCUM; of a count: what is counted
UCUM = {
    m.EPOCH_MS: "ms",
    m.SECONDS: "s",
    m.MSECS: "ms",
    m.COUNT: "1",
    m.TFLOP: "10*12{flop}",
    m.TFLOPS_PER_GPU: "10*12{flop}/s",
}

_COUNTED = ("iteration", "sample", "token", "checkpoint", "tag")

#: what this job has done so far
COUNTERS = frozenset(
    (
        m.APP_TAG_COUNT,
        m.LOAD_CHECKPOINT_TIME,
        m.TRAIN_ITERATIONS,
        m.TRAIN_SAMPLES,
        m.TRAIN_TOKENS,
        m.TRAIN_TFLOP,
        m.TRAIN_ITERATIONS_TIME_TOTAL,
        m.VALIDATION_ITERATIONS_TIME_TOTAL,
        m.SAVE_CHECKPOINT_COUNT,
        m.SAVE_CHECKPOINT_SYNC_COUNT,
        m.SAVE_CHECKPOINT_ASYNC_COUNT,
        m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL,
        m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL_PRODUCTIVE,
        m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE,
        m.VALIDATION_ITERATIONS_TIME_TOTAL_PRODUCTIVE,
    )
)

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.\-/]")
_LONGEST = 255  # characters of an instrument's name


class Instrument(NamedTuple):
    """``name`` with its prefix; ``whole``: are its values whole numbers?"""

    name: str
    kind: str
    unit: str
    whole: bool


def instrument(metric: str) -> Optional[Instrument]:
    """How OpenTelemetry knows a key of a row; None: its values are no numbers.

    A key that v1 does not have is the program's own: a gauge without a unit.
    """
    unit = m.UNITS.get(metric)
    if unit is None:
        return Instrument((PREFIX + _NOT_IN_A_NAME.sub("_", metric))[:_LONGEST], GAUGE, "", False)
    if unit not in UCUM:
        return None
    kind = COUNTER if metric in COUNTERS else GAUGE
    return Instrument(PREFIX + metric, kind, _unit(metric, unit), unit == m.COUNT)


def _unit(metric: str, unit: str) -> str:
    if unit == m.COUNT:
        # the first word counts: train_iterations_save_checkpoint_end is a number of iterations
        counted = sorted((metric.find(word), word) for word in _COUNTED if word in metric)
        if counted:
            return f"{{{counted[0][1]}}}"
    return UCUM[unit]

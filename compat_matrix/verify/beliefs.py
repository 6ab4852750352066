"""What we believe about each metric of v1: names, units, types, growth (``metrics.csv``),
and what holds between them (``relations.csv``).

A source of its own: nothing here comes from the package that is judged. Each line of ``metrics.csv`` names the public
program that sent the metric (:data:`EVIDENCE`). Which metrics stand in one row: :mod:`.row_kinds`.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

TABLE = Path(__file__).with_name("metrics.csv")

EPOCH_MS, SECONDS, MSECS, COUNT = "ms since the epoch", "s", "ms", "count"
TFLOP, TFLOPS_PER_GPU = "1e12 floating point operations", "1e12 floating point operations / s / GPU"
#: units of which no other value is a time, a size or a rate
TEXTS = ("str", "bool", "list of str", "list of md5 hex")
UNITS = (EPOCH_MS, SECONDS, MSECS, COUNT, TFLOP, TFLOPS_PER_GPU, *TEXTS)

BOOL, INTEGER, NUMBER, STRING, STRINGS = "bool", "int", "number", "str", "list of str"
#: copied from the configuration as it was: a number, or the text of one
CONFIGURED = "number or its text"
TYPES = (BOOL, INTEGER, NUMBER, STRING, STRINGS, CONFIGURED)

GROWTHS = ("grows", "shrinks", "counts", "once", "stays", "")

#: what the column ``evidence`` names: who sent the metric, and where that can be read
EVIDENCE: Mapping[str, str] = {
    "utils 1.0.2": "OneLoggerUtils 1.0.2: NVIDIA/cosmos-framework, cosmos_framework/utils/one_logger/",
    "utils 1.0.3": "OneLoggerUtils 1.0.3: ramanathan831/cosmos-framework at d3e0f72",
    "megatron": "NVIDIA/Megatron-LM, megatron/training/one_logger_utils.py and training.py",
    "megatron tags": "NVIDIA/Megatron-LM: 7af41ab9bf replaced its own code for the tags by v1's log_app_tag",
    "exporter": "NVIDIA/nv-one-logger, v1_compatible_wandb_exporter.py, 907d949 to ab02ac3, written to equal v1's rows",
}


@dataclass(frozen=True)
class Metric:
    """One metric of v1."""

    name: str
    unit: str
    type: str
    may_be_none: bool
    #: "grows", "shrinks", "counts" (by one), "once", "stays" (once it is not 0), or "" when it goes as it likes
    growth: str
    evidence: tuple[str, ...]

    @property
    def of_the_clock(self) -> bool:
        """Whether its value depends on when, and how fast, the job ran."""
        return self.unit in (EPOCH_MS, SECONDS, MSECS, TFLOPS_PER_GPU)

    @property
    def numeric(self) -> bool:
        """Whether it is a number."""
        return self.type in (INTEGER, NUMBER, CONFIGURED)


def _read() -> dict[str, Metric]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {
            line["metric"]: Metric(
                line["metric"],
                line["unit"],
                line["type"],
                line["may be None"] == "yes",
                line["growth"],
                tuple(line["evidence"].split("; ")),
            )
            for line in csv.DictReader(file)
        }


#: every metric that any known v1 sent
METRICS: Mapping[str, Metric] = _read()


@dataclass(frozen=True)
class Relation:
    """What holds in a row of one kind, a line of ``relations.csv``.

    ``text`` is ``left = right`` or ``left <= right`` of sums of products; ``row`` is the kind of row in which it is
    looked at.
    """

    row: str
    text: str
    why: str
    #: holds for OneLoggerUtils; Megatron-LM sends the throughput of the last interval
    only_utils: bool = False

    @functools.cached_property
    def sides(self) -> tuple[str, str, str]:
        """Left, operator, right."""
        left, operator, right = re.split(r" (<=|=) ", self.text)
        return left, operator, right

    @functools.cached_property
    def code(self) -> CodeType:
        """Left and right, to be evaluated with the metrics' values. (The text is a line of our table.)"""
        left, _, right = self.sides
        return compile(f"({left}, {right})", "relation", "eval")

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The metrics in it."""
        return tuple(dict.fromkeys(re.findall(r"[a-z_]{3,}", self.text)))


AVERAGE = "train_iterations_time_msecs_avg * train_iterations = 1000 * train_iterations_time_total"
THROUGHPUT = "train_throughput_per_gpu * train_iterations_time_total * world_size = train_tflop"


def _read_relations() -> tuple[Relation, ...]:
    with TABLE.with_name("relations.csv").open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        return tuple(
            Relation(one["row"], one["relation"], one["why"], one["only OneLoggerUtils"] == "yes") for one in lines
        )


RELATIONS = _read_relations()

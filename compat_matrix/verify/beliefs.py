"""What we believe about each metric of v1: names, units, types, growth (``metrics.csv``),
and what holds between them (:data:`RELATIONS`).

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
    """What holds in a row of one kind.

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
        """Left and right, to be evaluated with the metrics' values. (The text is a line of the table below.)"""
        left, _, right = self.sides
        return compile(f"({left}, {right})", "relation", "eval")

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The metrics in it."""
        return tuple(dict.fromkeys(re.findall(r"[a-z_]{3,}", self.text)))


AVERAGE = "train_iterations_time_msecs_avg * train_iterations = 1000 * train_iterations_time_total"
THROUGHPUT = "train_throughput_per_gpu * train_iterations_time_total * world_size = train_tflop"
_UNITS_AGREE = "the average is in ms, the total in s"
RELATIONS = (
    Relation("construction", "train_tokens_target = model_seq_length * train_samples_target", "samples of that length"),
    Relation("train start", "train_iterations_end = train_iterations_start", "no iteration has run"),
    Relation("train start", "train_samples_end = train_samples_start", "no iteration has run"),
    Relation(
        "progress", "train_iterations_end = train_iterations_start + train_iterations", "counted from the model's start"
    ),
    Relation("progress", "train_samples_end = train_samples_start + train_samples", "counted from the model's start"),
    Relation(
        "progress",
        AVERAGE,
        _UNITS_AGREE,
    ),
    Relation("progress", "train_iterations_time_msecs_min <= train_iterations_time_msecs_avg", "shortest and average"),
    Relation(
        "progress",
        "first_logged_train_iterations_finish_time <= last_logged_train_iterations_finish_time",
        "first and last",
    ),
    Relation(
        "progress",
        "last_logged_train_iterations_finish_time <= app_last_log_time",
        "an iteration ends before it is logged",
    ),
    Relation("progress", "train_tokens = model_seq_length * train_samples", "samples of that length"),
    Relation("progress", "train_tflop_end = train_tflop_start + train_tflop", "counted from the model's start"),
    Relation(
        "progress",
        THROUGHPUT,
        "per second and GPU",
        True,
    ),
    Relation("progress", "train_throughput_per_gpu <= train_throughput_per_gpu_max", "the maximum so far", True),
    Relation(
        "validation",
        "validation_iterations_time_msecs_min <= validation_iterations_time_msecs_avg",
        "shortest and average",
    ),
    Relation("train end", "app_train_loop_start_time <= app_train_loop_finish_time", "start and end"),
    Relation("save start", "train_iterations_save_checkpoint_end = train_iterations_end", "the progress row before it"),
    Relation("save end", "save_checkpoint_sync_time_min <= save_checkpoint_sync_time_max", "shortest and longest"),
    Relation("save end", "save_checkpoint_sync_time_max <= save_checkpoint_sync_time_total", "one and all"),
    Relation(
        "save end",
        "save_checkpoint_sync_time_min * save_checkpoint_sync_count <= save_checkpoint_sync_time_total",
        "each is at least the shortest",
    ),
    Relation(
        "save end",
        "save_checkpoint_sync_time_total <= save_checkpoint_sync_time_max * save_checkpoint_sync_count",
        "each is at most the longest",
    ),
    Relation("save end", "save_checkpoint_sync_count <= save_checkpoint_count", "ends and starts"),
    Relation(
        "save end", "save_checkpoint_sync_time_total_productive <= save_checkpoint_sync_time_total", "a part and all"
    ),
    Relation(
        "save success", "train_iterations_productive_end <= train_iterations_end", "what was saved and what was trained"
    ),
    Relation(
        "save success", "train_samples_productive_end <= train_samples_end", "what was saved and what was trained"
    ),
    Relation(
        "save success",
        "train_iterations_time_total_productive <= train_iterations_time_total",
        "what was saved and what was trained",
    ),
    Relation("save success", "save_checkpoint_async_count <= save_checkpoint_count", "successes and starts"),
)

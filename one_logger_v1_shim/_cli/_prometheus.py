"""Goodput for the textfile collector of Prometheus' node exporter: names and units by Prometheus' rules."""

from __future__ import annotations

from .._goodput import definitions as d
from .._goodput.training import Training
from .._goodput.trainings import RUNNING
from .._v1 import metrics as m

_PREFIX = "one_logger_goodput"
_HOUR = 3600.0


def textfile(trainings: list[Training]) -> str:
    """All trainings in the text format, each sample with the training's labels."""
    labelled = [(_labels(one), one) for one in trainings]
    lines = _family(
        "time_seconds", "What became of the wall time of a training, by part; the parts add up.",
        [(f'{labels},part="{part.key}"', one.parts[part.key] / 1e6) for labels, one in labelled for part in d.PARTS],
    )  # fmt: skip
    lines += _family(
        "ratio", "The share of the wall time that became progress that was kept.",
        [(labels, one.goodput) for labels, one in labelled if one.goodput is not None],
    )  # fmt: skip
    lines += _family(
        "gpu_seconds", "GPU time that was paid, kept, lost, or is in no checkpoint yet (open).",
        [
            (f'{labels},state="{state}"', hours * _HOUR)
            for labels, one in labelled
            for state in ("paid", "kept", "lost", "open")
            for hours in (one.figures[f"gpu_hours_{state}"],)
            if hours is not None
        ],
    )  # fmt: skip
    for name, about, key in (
        ("attempts", "Runs of the program.", "attempts"),
        ("interruptions", "Attempts that were killed or ended with an error.", "interruptions"),
        ("iterations", "Where the training stands.", "progress"),
        ("target_iterations", "Where it is to go.", "target"),
    ):
        samples = [(labels, value) for labels, one in labelled for value in (one.figures[key],) if value is not None]
        lines += _family(name, about, samples)
    lines += _family(
        "running", "Whether the newest attempt runs.",
        [(labels, float(one.attempts[-1].attempt.ended == RUNNING)) for labels, one in labelled],
    )  # fmt: skip
    lines += _family(
        "last_sign_timestamp_seconds", "The last sign of life.", [(labels, one.end / 1e6) for labels, one in labelled]
    )
    return "\n".join(lines) + "\n"


def _family(name: str, about: str, samples: list[tuple[str, float]]) -> list[str]:
    if not samples:
        return []
    full = f"{_PREFIX}_{name}"
    lines = [f"# HELP {full} {about}", f"# TYPE {full} gauge"]
    seen: set[str] = set()
    for labels, value in samples:
        if labels not in seen:  # two groups with the same names: the collector would refuse the whole file
            seen.add(labels)
            lines.append(f"{full}{{{labels}}} {value!r}")
    return lines


def _labels(training: Training) -> str:
    newest = training.attempts[-1].attempt
    tags = newest.rows.tags[:1]
    told = {
        "project": newest.value("project"), "app_tag": tags[0] if tags else None,
        "run_name": newest.value(m.APP_TAG_RUN_NAME), "id": training.attempts[0].attempt.value("id"),
    }  # fmt: skip
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in told.items())


def _escaped(value: object) -> str:
    text = "" if value is None else str(value)[:200]
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

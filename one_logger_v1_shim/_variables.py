"""Every environment variable of this package: name, kind, default and meaning. The documents are made from this table.

Imported by the job's process and by the worker's: the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Optional

SECONDS, SWITCH, PATH, VERSION = "seconds", "switch", "path", "version"

#: values of a switch that mean "off", in any case; all other values mean "on"
OFF = ("", "0", "false", "f", "no", "n", "off")
_ON = ("1", "true", "t", "yes", "y", "on")


_LONGEST = 1e7  # seconds


class Variable(NamedTuple):
    """One row: ``default`` is what counts where the variable is not set."""

    name: str
    kind: str
    default: str
    meaning: str


VARIABLES: dict[str, Variable] = {
    row.name: row for row in (
        Variable("ONE_LOGGER_V1_SHIM", SWITCH, "0",
                 "No-edit mode: `import one_logger` and `import one_logger_utils` give the shim, if nothing else "
                 "provides them."),
        Variable("ONE_LOGGER_V1_DISABLED", SWITCH, "0",
                 "Every rank is disabled, whatever the configuration says: no file, no process, no log line. "
                 "`import one_logger` works as before."),
        Variable("ONE_LOGGER_V1_WIRE", VERSION, "1.0.2",
                 "Whose rows `OneLoggerUtils` sends: those of v1 `1.0.0`, `1.0.2` or `1.0.3`."),
        Variable("ONE_LOGGER_V1_PYTHON", PATH, "",
                 "The interpreter of the worker, which has wandb and v2. Default: the environment that `isolate` made "
                 "in its default place, else the job's own interpreter."),
        Variable("ONE_LOGGER_V1_OTLP", SWITCH, "0",
                 "The worker also sends spans and metrics to a collector: [OpenTelemetry](opentelemetry.md)."),
        Variable("ONE_LOGGER_V1_JOURNAL", SWITCH, "1",
                 "Keep the journal beside the W&B run. Off: it is in the temp directory, and is removed when the run "
                 "is finished."),
        Variable("ONE_LOGGER_V1_FSYNC", SWITCH, "0",
                 "Each call waits until its rows are on the disk ([cost](cost.md)): they survive the death of "
                 "the node, too."),
        Variable("ONE_LOGGER_V1_CONNECT_TIMEOUT", SECONDS, "5",
                 "How long the W&B server may take for its first answer; then the run goes offline."),
        Variable("ONE_LOGGER_V1_INIT_TIMEOUT", SECONDS, "30",
                 "How long `wandb.init` may take online. 5 s after this time the run goes offline."),
        Variable("ONE_LOGGER_V1_SYNC_TIMEOUT", SECONDS, "10",
                 "Sync mode: how long a callback may wait for its row (for the first row: 20 s)."),
        Variable("ONE_LOGGER_V1_FINISH_TIMEOUT", SECONDS, "30",
                 "How long `finish()` waits for the worker, which goes on in the background afterwards."),
        Variable("ONE_LOGGER_V1_DRAIN_TIMEOUT", SECONDS, "300",
                 "How long the worker may take for `run.finish()`, which uploads the remaining rows."),
    )
}  # fmt: skip

#: variables of earlier versions, which are told of where they are set -> what there is instead
GONE: dict[str, str] = {
    "ONE_LOGGER_V1_FORWARD": "v2 lives with the worker, unless the program itself uses v2",
    "ONE_LOGGER_V1_DELIVERY": "the W&B run always lives in a process of its own",
}


def seconds(environ: Mapping[str, str], name: str, default: float = -1.0) -> float:
    """The number of seconds in variable ``name``; its default (or ``default``) where that is no number."""
    if default < 0:
        default = float(VARIABLES[name].default)
    value = environ.get(name)
    # what waits takes no "inf"
    return min(float(value), _LONGEST) if value is not None and is_seconds(value) else default


def is_seconds(value: str) -> bool:
    """Whether that is a number of seconds: neither text, nor less than nothing, nor NaN."""
    try:
        return float(value) >= 0
    except ValueError:
        return False


def boolean(environ: Mapping[str, str], name: str) -> Optional[bool]:
    """Whether the switch ``name`` is on; None: it says neither."""
    value = environ.get(name, VARIABLES[name].default).strip().lower()
    return True if value in _ON else False if value in OFF else None


def switch(environ: Mapping[str, str], name: str) -> bool:
    """Whether the switch ``name`` is on."""
    return boolean(environ, name) is not False

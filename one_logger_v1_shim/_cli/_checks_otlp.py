"""Whether spans and metrics go to an OpenTelemetry collector, where to, and what is missing for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .._journal.files import quoted
from .._journal.interpreter import find
from .._otlp.settings import VARIABLE, signals, wanted
from .._requirements import OTEL
from ._checks_packages import ask_worker
from ._findings import OK, WARNING, Finding


def otlp() -> Iterator[Finding]:
    """One line. The collector itself is not asked: nothing waits for it."""
    try:
        if not wanted(os.environ):
            yield Finding(OK, "OTLP", f"off; {VARIABLE}=1 sends spans and metrics to a collector")
            return
        to = signals(os.environ)
    except ValueError as error:
        yield Finding(WARNING, "OTLP", str(error), f"correct or unset {VARIABLE}, or the protocol")
        return
    where = ", ".join(f"{one.name} to {one.endpoint} ({one.protocol})" for one in to) or "nothing: both are none"
    interpreter = find(os.environ)
    needed = [one for one in OTEL if one.name in {"opentelemetry-sdk", *(signal.package for signal in to)}]
    if interpreter is None or not to:
        yield Finding(OK, "OTLP", f"on: {where}")
        return
    found = ask_worker(interpreter, needed)
    missing = [one for one in needed if " " in found.get(one.name, "not there")]
    if not missing:
        yield Finding(OK, "OTLP", f"on: {where}")
        return
    specifiers = " ".join(f"'{one.specifier}'" for one in missing)
    yield Finding(
        WARNING,
        "OTLP",
        f"on: {where}; but {', '.join(one.name for one in missing)} cannot be imported in {interpreter.path}",
        f"{quoted(interpreter.path)} -m pip install {specifiers}, or python -m one_logger_v1_shim isolate --otel",
    )

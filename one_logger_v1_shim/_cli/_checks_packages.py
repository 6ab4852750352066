"""What is installed where it is needed: in the job's process, in the worker's, and there for a collector."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional

from .._journal.destination import RunSpec
from .._journal.environment import environment
from .._journal.files import quoted
from .._journal.interpreter import VARIABLE, Interpreter, find
from .._journal.words import PATH
from .._otlp.settings import VARIABLE as OTLP
from .._otlp.settings import signals, wanted
from .._requirements import OTEL, REQUIREMENTS, Requirement, release
from .._version import VERSION
from ._findings import ERROR, WARNING, Finding, doubtful, fine, wrong
from ._installed import DISTRIBUTION, ask, is_usable

# The worker asks wandb for its features, down to this version, which a plain installation does not bring.
_LEAST = {"wandb": "0.17.7"}


def versions() -> Iterator[Finding]:
    """Python, this package, and what the job's process itself needs."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield fine("python", f"{python} ({sys.executable})")
    yield fine(DISTRIBUTION, f"{VERSION} ({Path(__file__).resolve().parent.parent})")
    needed = [one for one in REQUIREMENTS if not one.worker]
    here = ask(sys.executable, [], needed, os.environ)
    for one in needed:
        found = _judged(one, here)
        if "not installed" in found.detail:
            # the job's environment may stay as it is
            found = fine(one.name, "not installed: only jobs with a framework module need it", found.advice)
        yield found


def worker() -> Iterator[Finding]:
    """The interpreter of the worker, and what it has."""
    interpreter = find(os.environ)
    if interpreter is None:
        advice = f"set {VARIABLE} to a Python that has wandb"
        yield wrong("worker", "no Python interpreter can be found for it; rows go to the journal only", advice)
        return
    needed = [one for one in REQUIREMENTS if one.worker]
    found = ask_worker(interpreter, needed)
    trouble = _unfit(interpreter, found)
    detail = f"runs on {interpreter.path} ({interpreter.origin})"
    if trouble:
        advice = f"python -m one_logger_v1_shim isolate, or set {VARIABLE}"
        yield wrong("worker", f"{detail}, which {trouble}; rows go to the journal only", advice)
        return
    yield fine("worker", f"{detail}, Python {found['python']}")
    for one in needed:
        yield _judged(one, found, interpreter.path if interpreter.isolated else "")


def otlp() -> Iterator[Finding]:
    """One line. The collector itself is not asked: nothing waits for it."""
    try:
        if not wanted(os.environ):
            yield fine("OTLP", f"off; {OTLP}=1 sends spans and metrics to a collector")
            return
        to = signals(os.environ)
    except ValueError as error:
        yield doubtful("OTLP", str(error), f"correct or unset {OTLP}, or the protocol")
        return
    where = ", ".join(f"{one.name} to {one.endpoint} ({one.protocol})" for one in to) or "nothing: both are none"
    interpreter = find(os.environ)
    needed = [one for one in OTEL if one.name in {"opentelemetry-sdk", *(signal.package for signal in to)}]
    found = ask_worker(interpreter, needed) if interpreter is not None and to else {}
    missing = [one for one in needed if found and not is_usable(found.get(one.name, "not there"))]
    if interpreter is None or not missing:
        yield fine("OTLP", f"on: {where}")
        return
    specifiers = " ".join(f"'{one.specifier}'" for one in missing)
    yield doubtful(
        "OTLP",
        f"on: {where}; but {', '.join(one.name for one in missing)} cannot be imported in {interpreter.path}",
        f"{quoted(interpreter.path)} -m pip install {specifiers}, or python -m one_logger_v1_shim isolate --otel",
    )


def _unfit(interpreter: Interpreter, found: dict[str, str]) -> Optional[str]:
    """Why the worker can't run there at all."""
    if "" in found:
        return found[""]
    if release(found["python"]) < (3, 9):
        return f"is Python {found['python']}; expected 3.9"
    other = found.get(DISTRIBUTION, "")
    if interpreter.isolated and other not in ("", VERSION):
        return f"has {DISTRIBUTION} {other}; expected {VERSION}, or none"
    return None


def _judged(requirement: Requirement, found: dict[str, str], path: str = "") -> Finding:
    """One dependency, in the process that needs it."""
    name, where = requirement.name, f" in {path}" if path else ""
    told = found.get(name, found.get("", "cannot be asked"))
    if is_usable(told) and requirement._replace(least=_LEAST.get(name, requirement.least)).fits(told):
        return fine(name, f"{told}{where}")
    expected = f", expected {requirement.specifier}" if is_usable(told) else ""
    install = f"{quoted(path or 'python')} -m pip install '{requirement.specifier}'"
    advice = f"{install}, or python -m one_logger_v1_shim isolate" if requirement.worker else install
    # Without wandb no row reaches W&B; without the others rows do.
    return Finding(ERROR if name == "wandb" else WARNING, name, f"{told}{where}{expected}", advice)


def ask_worker(interpreter: Interpreter, needed: Sequence[Requirement]) -> dict[str, str]:
    """As :func:`ask`, in the environment that the worker would have."""
    nobody = RunSpec(chosen={}, default={})
    environ = environment(nobody, interpreter)
    if not interpreter.isolated:
        environ["PYTHONPATH"] = os.pathsep.join(json.loads(environ.pop(PATH, "[]")))
        return ask(interpreter.path, [], needed, environ)
    found = ask(interpreter.path, ["-I"], needed, environ)
    if "" in found and "LD_LIBRARY_PATH" in os.environ:  # the job tries it, too
        found = ask(interpreter.path, ["-I"], needed, environment(nobody, interpreter, libraries=True))
    return found

"""Which rank this is, who answers to v1's names, and what this package's variables mean."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from typing import Optional

from .._journal.system import described, without
from .._journal.words import INSIDE
from .._noedit import PACKAGES
from .._off import OFF_SWITCH
from .._otlp.settings import VARIABLE as OTLP
from .._v1.wires import DEFAULT, expected, named
from .._v1.wires import VARIABLE as WIRE
from .._variables import GONE, SECONDS, SWITCH, VARIABLES, is_seconds, switch
from ._findings import Finding, doubtful, fine, wrong

_OURS = "ONE_LOGGER_V1_"
_V1_NAMES = {"one_logger": "one_logger_v1_shim", "one_logger_utils": "one_logger_v1_shim.utils"}
_RANK = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_JOB_ID", "SLURM_PROCID", "SLURM_NTASKS")


def system() -> Iterator[Finding]:
    """The operating system and the machine, and what is missing there."""
    lacking = " and no ".join(without())
    if lacking:
        detail = f"{described()}: no {lacking}, so no W&B process is started; rows go to the journal"
        yield wrong("platform", detail, "python -m one_logger_v1_shim recover, after the job")
    elif not os.path.isdir("/proc/self"):
        detail = f"{described()}: no /proc, so the end of wandb's own process is noticed when the run ends"
        yield doubtful("platform", detail)
    else:
        yield fine("platform", described())


def rank() -> Iterator[Finding]:
    """What the launcher says about this process. Which rank logs is for ``enable_for_current_rank`` to say."""
    told = {name: os.environ[name] for name in _RANK if name in os.environ}
    detail = ", ".join(f"{name}={value}" for name, value in told.items())
    for pair in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        for name in filter(told.__contains__, pair):
            if not re.fullmatch(r"\s*[-+]?\d+\s*", told[name]):
                yield doubtful("rank", f"{name}={told[name]!r} is no number", f"set or unset {name}")
                return
        if told.keys() >= set(pair) and not 0 <= int(told[pair[0]]) < int(told[pair[1]]):
            yield doubtful("rank", f"{detail}: {pair[0]} is not below {pair[1]}", "look at the launcher")
            return
    yield fine("rank", detail or "one process: neither RANK nor SLURM variables are set")


def providers() -> Iterator[Finding]:
    """Who provides v1's modules in this environment; nothing is imported to find out."""
    asked = switch(os.environ, "ONE_LOGGER_V1_SHIM")
    specs = {name: _found(name) for name in _V1_NAMES}
    ours = [name for name, spec in specs.items() if spec is not None and str(spec.origin).startswith(PACKAGES)]
    real = [name for name, spec in specs.items() if spec is not None and spec.origin is not None and name not in ours]
    for name, spec in specs.items():
        where = f"the real one, {spec.origin}" if spec is not None and name in real else ""
        if name in ours:
            yield fine(name, "the shim, in no-edit mode")
        elif where and asked:
            advice = f"python -m pip uninstall {name} if the shim is wanted"
            yield doubtful(name, f"{where}; the no-edit mode stands back", advice)
        elif where:
            yield fine(name, where)
        elif asked:
            detail = "nobody, although ONE_LOGGER_V1_SHIM is set: the package's .pth file is not read here"
            yield doubtful(name, detail, "start the job with: python -m one_logger_v1_shim run")
        else:
            yield fine(name, f"nobody; import {_V1_NAMES[name]}, or set ONE_LOGGER_V1_SHIM=1 for no-edit mode")
    if len(real) == 1:
        (other,) = _V1_NAMES.keys() - real
        yield doubtful("v1 modules", f"{real[0]} is the real one, {other} is not", "use both from one package")
    folders = [entry for entry in sys.path if entry.rstrip(os.sep).endswith("-packages")]
    hook = next((entry for entry in folders if os.path.isfile(os.path.join(entry, "one_logger_v1_shim.pth"))), None)
    detail = "not installed: ONE_LOGGER_V1_SHIM=1 alone does nothing, `run` works all the same"
    detail = detail if hook is None else f"in {hook}"
    yield fine("no-edit hook (.pth)", f"{detail}; ONE_LOGGER_V1_SHIM is {'on' if asked else 'off'}")


def _found(name: str) -> Optional[ModuleSpec]:
    """Where a module lies; a job that is started here would look here, too. Nothing is imported."""
    return importlib.util.find_spec(name) or PathFinder.find_spec(name, [os.getcwd()])


def variables() -> Iterator[Finding]:
    """What the variables of this package that are set mean; one that means nothing is most likely misspelt."""
    for name, value in sorted(os.environ.items()):
        if name.startswith(_OURS) and name != OTLP:  # it has a line of its own
            yield _meaning(name, value)


def _meaning(name: str, value: str) -> Finding:
    known = VARIABLES.get(name)
    if name == INSIDE:
        return wrong(name, f"{value!r}: this process counts as a worker, and no run is opened in it", f"unset {name}")
    if known is None:
        gone = f"has no effect any more: {GONE[name]}" if name in GONE else ""
        return doubtful(name, gone or "this package has no such variable", f"unset {name}")
    if known.kind == SWITCH:
        is_on = switch(os.environ, name)
        if is_on and name == OFF_SWITCH:
            detail = f"on ({value!r}): every rank is a disabled rank, nothing is logged"
            return wrong(name, detail, f"unset {name} for a job that is to log")
        return fine(name, f"{'on' if is_on else 'off'} ({value!r})")
    if name == WIRE and named(os.environ) is None:
        detail = f"{value!r} is no version of v1; expected {expected()}; {DEFAULT} is used"
    elif known.kind == SECONDS and not is_seconds(value):
        detail = f"{value!r} is no number of seconds; {known.default} is used"
    else:
        return fine(name, value)
    return doubtful(name, detail, f"correct or unset {name}")

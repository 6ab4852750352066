"""Which rank this is, who answers to v1's names, and what this package's variables mean."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Optional

from .._journal.system import described, without
from .._journal.words import INSIDE
from .._noedit import PACKAGES
from .._off import OFF_SWITCH
from .._otlp.settings import VARIABLE as OTLP
from .._v1.wires import DEFAULT, expected, named
from .._v1.wires import VARIABLE as WIRE
from .._variables import GONE, SECONDS, SWITCH, VARIABLES, is_seconds, switch
from ._findings import ERROR, OK, WARNING, Finding

_OURS = "ONE_LOGGER_V1_"
_V1_NAMES = {"one_logger": "one_logger_v1_shim", "one_logger_utils": "one_logger_v1_shim.utils"}
_RANK = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_JOB_ID", "SLURM_PROCID", "SLURM_NTASKS")


def system() -> Iterator[Finding]:
    """The operating system and the machine, and what is missing there."""
    lacking = without()
    if lacking:
        detail = f"{described()}: no {' and no '.join(lacking)}, so no W&B process is started; rows go to the journal"
        yield Finding(ERROR, "platform", detail, "python -m one_logger_v1_shim recover, after the job")
    elif not os.path.isdir("/proc/self"):
        detail = f"{described()}: no /proc, so the end of wandb's own process is noticed when the run ends"
        yield Finding(WARNING, "platform", detail)
    else:
        yield Finding(OK, "platform", described())


def rank() -> Iterator[Finding]:
    """What the launcher says about this process. Which rank logs is for ``enable_for_current_rank`` to say."""
    told = {name: os.environ[name] for name in _RANK if name in os.environ}
    if not told:
        yield Finding(OK, "rank", "one process: neither RANK nor SLURM variables are set")
        return
    detail = ", ".join(f"{name}={value}" for name, value in told.items())
    for mine, all_of_them in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        numbers = []
        for name in (mine, all_of_them):
            if name in told:
                try:
                    numbers.append(int(told[name]))
                except ValueError:
                    yield Finding(WARNING, "rank", f"{name}={told[name]!r} is no number", f"set or unset {name}")
                    return
        if len(numbers) == 2 and not 0 <= numbers[0] < numbers[1]:
            yield Finding(WARNING, "rank", f"{detail}: {mine} is not below {all_of_them}", "look at the launcher")
            return
    yield Finding(OK, "rank", detail)


def providers() -> Iterator[Finding]:
    """Who provides v1's modules in this environment; nothing is imported to find out."""
    asked = switch(os.environ, "ONE_LOGGER_V1_SHIM")
    hook = next((str(entry) for entry in _site_folders() if (entry / "one_logger_v1_shim.pth").is_file()), None)
    real = []
    for name in _V1_NAMES:
        spec = _found(name)
        if spec is not None and str(spec.origin).startswith(PACKAGES):
            yield Finding(OK, name, "the shim, in no-edit mode")
        elif spec is not None and spec.origin is not None:
            real.append(name)
            other = "; the no-edit mode stands back" if asked else ""
            yield Finding(
                WARNING if asked else OK,
                name,
                f"the real one, {spec.origin}{other}",
                f"python -m pip uninstall {name} if the shim is wanted" if asked else "",
            )
        elif asked:
            yield Finding(
                WARNING,
                name,
                "nobody, although ONE_LOGGER_V1_SHIM is set: the package's .pth file is not read here",
                "start the job with: python -m one_logger_v1_shim run",
            )
        else:
            yield Finding(OK, name, f"nobody; import {_V1_NAMES[name]}, or set ONE_LOGGER_V1_SHIM=1 for no-edit mode")
    if len(real) == 1:
        other = next(name for name in _V1_NAMES if name not in real)
        yield Finding(WARNING, "v1 modules", f"{real[0]} is the real one, {other} is not", "use both from one package")
    detail = (
        f"in {hook}" if hook else "not installed: ONE_LOGGER_V1_SHIM=1 alone does nothing, `run` works all the same"
    )
    yield Finding(OK, "no-edit hook (.pth)", f"{detail}; ONE_LOGGER_V1_SHIM is {'on' if asked else 'off'}")


def _found(name: str) -> Optional[ModuleSpec]:
    """Where a module lies; a job that is started here would look here, too. Nothing is imported."""
    return importlib.util.find_spec(name) or PathFinder.find_spec(name, [os.getcwd()])


def variables() -> Iterator[Finding]:
    """What the variables of this package that are set mean; one that means nothing is most likely misspelt."""
    for name, value in sorted(os.environ.items()):
        if not name.startswith(_OURS) or name == OTLP:  # it has a line of its own
            continue
        if name == INSIDE:
            detail = f"{value!r}: this process counts as a worker, and no run is opened in it"
            yield Finding(ERROR, name, detail, f"unset {name}")
            continue
        known = VARIABLES.get(name)
        if name in GONE:
            yield Finding(WARNING, name, f"has no effect any more: {GONE[name]}", f"unset {name}")
        elif known is None:
            yield Finding(WARNING, name, "this package has no such variable", f"unset {name}")
        elif name == OFF_SWITCH and switch(os.environ, name):
            detail = f"on ({value!r}): every rank is a disabled rank, nothing is logged"
            yield Finding(ERROR, name, detail, f"unset {name} for a job that is to log")
        elif known.kind == SWITCH:
            yield Finding(OK, name, f"{'on' if switch(os.environ, name) else 'off'} ({value!r})")
        elif name == WIRE and named(os.environ) is None:
            detail = f"{value!r} is no version of v1; expected {expected()}; {DEFAULT} is used"
            yield Finding(WARNING, name, detail, f"correct or unset {name}")
        elif known.kind == SECONDS and not is_seconds(value):
            detail = f"{value!r} is no number of seconds; {known.default} is used"
            yield Finding(WARNING, name, detail, f"correct or unset {name}")
        else:
            yield Finding(OK, name, value)


def _site_folders() -> list[Path]:
    return [Path(entry) for entry in sys.path if entry.rstrip(os.sep).endswith("-packages")]

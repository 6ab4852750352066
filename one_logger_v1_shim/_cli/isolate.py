"""``isolate``: an environment for the worker, so that the job's own environment stays as it is."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from .._journal.files import quoted
from .._journal.interpreter import VARIABLE, default_place
from . import _environment as environment
from ._format import clean


def main(arguments: Sequence[str]) -> int:
    """Returns 0 when the environment is there, 1 when it could not be made, 2 for a folder that is something else."""
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim isolate",
        description="Makes a Python environment with wandb and v2 for the worker. The job's environment needs nothing "
        "but this package (pip install --no-deps).",
    )
    parser.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="default: below the user's data folder")
    parser.add_argument("--otel", action="store_true", help="with OpenTelemetry's exporters (ONE_LOGGER_V1_OTLP)")
    given = parser.parse_args(list(arguments))
    place: Optional[Path] = given.dir if given.dir is not None else default_place(os.environ)
    if place is None:
        return _said("there is no home folder for the default place; name a folder", 2)
    folder = Path(os.path.abspath(os.path.expanduser(str(place))))
    try:
        if environment.is_whole(folder):
            print(f"{clean(folder, 1000)} is there and whole: {_listed(environment.look(folder, given.otel))}")
        else:
            began = time.monotonic()
            made = environment.make(folder, given.otel)
            print(f"done in {time.monotonic() - began:.0f} s: {_listed(made)}")
    except (environment.NotOursError, environment.FailedError, OSError) as error:
        return _said(str(error), 2 if isinstance(error, environment.NotOursError) else 1)
    python = quoted(folder / "bin" / "python")
    if place == default_place(os.environ):
        print(f"jobs of this user find it without a variable; elsewhere: export {VARIABLE}={python}")
    else:
        print(f"export {VARIABLE}={python}")
    return 0


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _said(message: str, code: int) -> int:
    print(f"one_logger_v1_shim isolate: {clean(message, 1000)}", file=sys.stderr)
    return code

"""``python -m compat_matrix fuzz``: many files that somebody else has written, for every command that reads them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from ..jobs import HOME

_TESTS = "tests/journal/test_outside.py"


def main(arguments: Sequence[str] = ()) -> int:
    """0: each input was taken or refused in its limits of time and memory, without a traceback."""
    parser = argparse.ArgumentParser(prog="python -m compat_matrix fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=5000, metavar="N", help="inputs of each kind (default: 5000)")
    options = parser.parse_args(list(arguments))
    if options.examples < 1:
        parser.error(f"--examples {options.examples}; expected 1 or more")
    environ = {
        **os.environ,
        "FUZZ_EXAMPLES": str(options.examples),
        "PYTEST_ADDOPTS": "--timeout=0 -p no:cacheprovider",
    }
    return subprocess.call([sys.executable, "-m", "pytest", "-q", "-n", "0", _TESTS], cwd=HOME.parent, env=environ)

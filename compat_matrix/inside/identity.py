"""Prints what this environment really is, as JSON: the cell compares it with what it says it is."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import sys


def version(distribution: str) -> str | None:
    """The installed version."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def place(module: str) -> str | None:
    """Where an import would find it."""
    spec = importlib.util.find_spec(module)
    return os.path.dirname(spec.origin) if spec is not None and spec.origin else None


def main() -> None:
    """Print it."""
    del sys.path[0]  # this folder
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "implementation": platform.python_implementation(),
                "prefix": sys.prefix,
                "wandb": version("wandb"),
                "wrapt": version("wrapt"),
                "shim": version("one-logger-v1-shim"),
                "shim_place": place("one_logger_v1_shim"),
                "v2": version("nv-one-logger-training-telemetry"),
                "tree": place("compat_matrix"),
                "modules": [name for name in sys.argv[1:] if importlib.util.find_spec(name) is not None],
            }
        )
    )


main()

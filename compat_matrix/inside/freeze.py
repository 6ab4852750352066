"""Prints what is installed in this environment, as JSON: packages with their versions, and the files of each."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import sysconfig


def name_of(distribution: importlib.metadata.Distribution) -> str:
    """The normalised name, as an index has it."""
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def files_of(distribution: importlib.metadata.Distribution) -> list[str]:
    """Its files, relative to the folder of packages, without compiled modules."""
    return sorted(str(path) for path in distribution.files or () if path.suffix != ".pyc")


def state(folder: str) -> dict[str, list[int]]:
    """Each file below ``folder``, with its size and its time of change (ns)."""
    found = {}
    for base, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if one != "__pycache__"]
        for file in files:
            path = os.path.join(base, file)
            about = os.lstat(path)
            found[os.path.relpath(path, folder)] = [about.st_size, about.st_mtime_ns]
    return found


def main() -> None:
    """Print it."""
    packages = sysconfig.get_paths()["purelib"]
    distributions = list(importlib.metadata.distributions(path=[packages]))
    print(
        json.dumps(
            {
                "packages": {name_of(one): one.version for one in distributions},
                "owned": {name_of(one): files_of(one) for one in distributions},
                "files": state(packages),
            }
        )
    )


main()

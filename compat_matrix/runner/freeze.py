"""What else an installation has changed: what ``pip freeze`` says before and after, and the files themselves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..compare import Difference
from ..jobs import HOME
from .installer import EnvironmentTrouble

#: our own package, as an index has it
OWN = "one-logger-v1-shim"


@dataclass(frozen=True)
class Freeze:
    """One environment at one moment."""

    packages: Mapping[str, str]
    #: package -> its files
    owned: Mapping[str, Sequence[str]]
    #: file -> size and time of change
    files: Mapping[str, Sequence[int]]


def freeze(python: Path) -> Freeze:
    """Of the environment of this interpreter. Raises EnvironmentTrouble."""
    command = [str(python), "-I", str(HOME / "inside" / "freeze.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise EnvironmentTrouble(f"{python}: {done.stderr.strip()[-300:]}")
    return Freeze(**json.loads(done.stdout))


def changes(before: Freeze, after: Freeze, added: Collection[str] = (OWN,)) -> list[Difference]:
    """What differs beside the packages that were to be ``added``. Each of these has to be there afterwards."""
    found = []
    for name in sorted(before.packages.keys() | after.packages.keys()):
        was, now = before.packages.get(name), after.packages.get(name)
        if was != now and not (name in added and was is None):
            found.append(Difference("pip freeze", name, was, now))
    found += [Difference("pip freeze", name, "installed", None) for name in added if name not in after.packages]
    ours = {file for name in added for file in after.owned.get(name, ())}
    for file in sorted(before.files.keys() | after.files.keys()):
        if before.files.get(file) != after.files.get(file) and file not in ours:
            kind = "removed" if file not in after.files else "changed" if file in before.files else "added"
            found.append(Difference("files of other packages", file, "as before", kind))
    return found


def unmet(pins: Iterable[str], packages: Mapping[str, str]) -> list[Difference]:
    """The pins of an environment that what is installed does not satisfy."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found = []
    for pin in pins:
        wanted = Requirement(pin)
        there = packages.get(canonicalize_name(wanted.name))
        if there is None or not wanted.specifier.contains(there, prereleases=True):
            found.append(Difference("pins", pin, "satisfied", there))
    return found

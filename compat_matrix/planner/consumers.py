"""The environments that v1 code lives in: one requirements file for each consumer, ``environments/<consumer>.txt``.

A file is what ``pip install -r`` takes. The comment block at its top is TOML, in the manner of Python's inline script
metadata (PEP 723), between ``# /// environment`` and ``# ///``:

- ``consumer``: whose environment it is.
- ``python``: the CPython that it names, or the nearest one that the matrix has.
- ``programs``: the folders of ``programs/`` that have this consumer's shape.
- ``gone``: pins of the consumer that the registry no longer has, each with what stands below instead.
- ``in_process`` (optional): "no: <reason>" where the wheel with its dependencies can't be installed beside the pins.
- ``[frameworks]`` (optional): ``python`` and ``requirements`` of a second, large environment for the programs that need
  a training framework.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

FOLDER = Path(__file__).resolve().parent.parent / "environments"
_BLOCK = re.compile(r"^# /// environment$\n(?P<toml>(^#.*$\n)+?)^# ///$", re.MULTILINE)
_KEYS = {"consumer": str, "python": str, "programs": list, "gone": list, "in_process": str, "frameworks": dict}
_REQUIRED = ("consumer", "python", "programs", "gone")


class ConsumerError(ValueError):
    """A file of ``environments/`` is not as described above; the message names the file, the key and the value."""


@dataclass(frozen=True)
class Frameworks:
    """The large environment of a consumer: the pins of its file, and these beside them."""

    python: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Consumer:
    """One environment."""

    name: str
    path: Path
    about: str
    python: str
    programs: tuple[str, ...]
    gone: tuple[str, ...]
    #: the requirement lines of the file
    pins: tuple[str, ...]
    #: why the wheel with its dependencies can't be installed beside the pins; empty where it can
    not_in_process: str = ""
    frameworks: Optional[Frameworks] = None


def load(folder: Path = FOLDER) -> dict[str, Consumer]:
    """All of them by name. Raises ConsumerError."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.txt"))}


def read(path: Path) -> Consumer:
    """One file. Raises ConsumerError."""
    text = path.read_text(encoding="utf-8")
    about = _about(path, text)
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    pins = tuple(line for line in lines if line and not line.startswith("#"))
    in_process = about.get("in_process", "")
    if in_process and not in_process.startswith("no: "):
        raise ConsumerError(f"{path.name}: in_process is {in_process!r}; expected 'no: <reason>', or no such key")
    return Consumer(
        path.stem,
        path,
        about["consumer"],
        about["python"],
        tuple(about["programs"]),
        tuple(about["gone"]),
        pins,
        in_process[len("no: ") :],
        _frameworks(path, about.get("frameworks")),
    )


def _about(path: Path, text: str) -> Mapping[str, Any]:
    import tomllib  # as for matrix.toml: CPython 3.11 plans

    block = _BLOCK.search(text)
    if block is None:
        raise ConsumerError(f"{path.name}: no block between '# /// environment' and '# ///'")
    try:
        about = tomllib.loads("\n".join(line[1:].removeprefix(" ") for line in block["toml"].splitlines()))
    except tomllib.TOMLDecodeError as error:
        raise ConsumerError(f"{path.name}: its block is not TOML: {error}") from None
    for key, value in about.items():
        if not isinstance(value, _KEYS.get(key, ())):
            expected = f"a {_KEYS[key].__name__}" if key in _KEYS else f"one of {', '.join(_KEYS)}"
            raise ConsumerError(f"{path.name}: {key} is {value!r}; expected {expected}")
    missing = [key for key in _REQUIRED if key not in about]
    if missing:
        raise ConsumerError(f"{path.name}: {', '.join(missing)} missing in its block")
    return about


def _frameworks(path: Path, given: Optional[Mapping[str, Any]]) -> Optional[Frameworks]:
    if given is None:
        return None
    if set(given) != {"python", "requirements"}:
        raise ConsumerError(f"{path.name}: frameworks has {sorted(given)}; expected python and requirements")
    return Frameworks(given["python"], tuple(given["requirements"]))

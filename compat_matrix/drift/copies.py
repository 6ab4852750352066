"""A copy of a package in which one name is another one. The environment itself is never touched."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from .names import GLOBAL, MODULE, PROPERTY, READ, TEXT, Name

_SUFFIX = "_renamed"
# Ours lies inside of v2's namespace package; protobuf's generated modules are the wire, not names in code.
_LEFT_ALONE = ("v1_adapter", "proto")


def home(package: str) -> Path:
    """Where ``package`` is installed: of v2, a namespace package, the portion that is v2's own.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    places = [Path(one) for one in (spec.submodule_search_locations or ())] if spec is not None else []
    for place in places:
        if (place / "core").is_dir() or (place / "__init__.py").is_file():
            return place.parent
    raise ModuleNotFoundError(f"{package} is not installed here; the drift of its names can't be tried", name=package)


def renamed(site: Path, name: Name, into: Path) -> int:
    """Copy ``name.package`` of ``site`` into ``into`` with ``name`` renamed. Returns how often it stood there.

    Files that do not have the name are links: wandb is large, and what is compiled stays compiled.
    """
    source = site / name.package
    found = 0
    for folder, _, files in os.walk(source):
        here = Path(folder).relative_to(source)
        there = into / name.package / _renamed_path(here, name)
        there.mkdir(parents=True, exist_ok=True)
        for file in files:
            path = Path(folder) / file
            text = _changed(path, here / file, name)
            target = there / (_renamed_file(file, name) if text is not None else file)
            if text is None:
                target.symlink_to(path)
            else:
                found += 1
                target.write_text(text, encoding="utf-8")
    return found


def _changed(path: Path, inside: Path, name: Name) -> str | None:
    """The file's text with the name renamed; None: it stays as it is."""
    if path.suffix != ".py" or name.how == READ or (name.file and str(inside) != name.file):
        return None
    if any(part in _LEFT_ALONE for part in inside.parts):
        return None
    text = path.read_text(encoding="utf-8")
    if name.how == MODULE and path.stem == name.text:
        return _everywhere(text, name)
    new = _everywhere(text, name)
    if new == text:
        return None
    # the wire keeps its names: a release that renames a setting maps it
    return new.replace("getattr(settings_proto, k)", f'getattr(settings_proto, k.removesuffix("{_SUFFIX}"))')


def _everywhere(text: str, name: Name) -> str:
    word, new = re.escape(name.text), name.text + _SUFFIX
    if name.how == TEXT:
        return text.replace(name.text, new)
    if name.how == PROPERTY:
        return re.sub(rf"\bdef {word}\b", f"def {new}", text)
    if name.how == GLOBAL:
        text = re.sub(rf"^import {word}$", f"import {name.text} as {new}", text, flags=re.MULTILINE)
        return re.sub(rf"(?<![.\w]){word}\.(?=\w+)", f"{new}.", text)
    return re.sub(rf"\b{word}\b", new, text)


def _renamed_path(path: Path, name: Name) -> Path:
    if name.how != MODULE:
        return path
    return Path(*(part + _SUFFIX if part == name.text else part for part in path.parts))


def _renamed_file(file: str, name: Name) -> str:
    return f"{name.text}{_SUFFIX}.py" if name.how == MODULE and file == f"{name.text}.py" else file

"""The public API as a list of lines: each public name of each public module, with its signature.

    python -m tests.release.api            print the tree's
    python -m tests.release.api --write    keep it as the list of the version in pyproject.toml (in tests/release/api)

Read from the source text (griffe): the framework modules are in it, whether their framework is installed or not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[2]
RELEASED = Path(__file__).with_name("api")
PACKAGE = "one_logger_v1_shim"


def listing(tree: Path = ROOT) -> list[str]:
    """The public API of the package in ``tree``."""
    package = griffe.load(PACKAGE, search_paths=[tree], allow_inspection=False, try_relative_path=False)
    assert isinstance(package, griffe.Module)
    return sorted(set(_module(package)))


def _module(module: griffe.Module) -> Iterator[str]:
    for name, member in module.members.items():
        if isinstance(member, griffe.Module):
            if not name.startswith("_"):
                yield from _module(member)
        elif (name in module.exports) if module.exports is not None else member.is_public:
            yield from _object(f"{module.path}.{name}", member)


def _object(path: str, member: griffe.Object | griffe.Alias) -> Iterator[str]:
    if isinstance(member, griffe.Alias) and member.target_path.startswith(PACKAGE) and "._" in member.target_path:
        member = member.final_target  # it lives in a private module: this is the place to list it
    if isinstance(member, griffe.Alias):
        yield f"{path} = {member.target_path}"
    elif isinstance(member, griffe.Class):
        yield f"class {path}({', '.join(str(base) for base in member.bases)})"
        for name, own in member.all_members.items():
            if name == "__init__" or not name.startswith("_"):
                inherited = isinstance(own, griffe.Alias) and own.inherited
                yield from _object(f"{path}.{name}", own.final_target if inherited else own)
    elif isinstance(member, griffe.Function):
        yield member.signature(name=path)
    elif isinstance(member, griffe.Attribute) and member.annotation is not None:
        yield f"{path}: {member.annotation}"
    else:
        yield path


def name_of(line: str) -> str:
    """The name that a line is about, without its module."""
    path = re.match(r"(?:class )?([\w.]+)", line)
    assert path is not None, line
    return path[1].removesuffix(".__init__").rpartition(".")[2]


def released() -> list[Path]:
    """The lists of the released versions, the oldest first."""
    return sorted(RELEASED.glob("*.txt"), key=lambda path: [int(part) for part in path.stem.split(".")])


def main(arguments: list[str]) -> int:
    """Print or write the list."""
    lines = listing()
    if arguments == ["--write"]:
        from one_logger_v1_shim import __version__

        path = RELEASED / f"{__version__}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(path.relative_to(ROOT))
    elif arguments:
        print("usage: python -m tests.release.api [--write]", file=sys.stderr)
        return 2
    else:
        print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``swap``: which of v1's import paths become the shim's, file by file. Nothing is written here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .changes import Change
from .files import YAML, Found, Problem, Unreadable, find, read
from .names import ROOTS, v1_name
from .notebook import Notebook, source_of
from .own import OwnModules
from .reading import Reading, read_python
from .rewrite import rewrite
from .scopes import Imported, Other
from .source import Edit, Offsets, Source, decoded, parse, replaced
from .strings import StringUse, strings_of
from .yaml_strings import yaml_strings

_PATH = re.compile(rf"[\w.]+\.({'|'.join(ROOTS)})(?:[.:]|$)")


def swap(paths: Sequence[Path], strings: bool) -> Iterator[Change]:
    """What there is to swap below ``paths``, file by file; nothing is written."""
    found = list(find(paths, lambda path: False))
    taken = _taken(one for one in found if isinstance(one, Found))
    own = OwnModules(paths)
    for one in found:
        if isinstance(one, Problem):
            yield Change(one.path, left=[(one.line, one.reason)])
            continue
        change = Change(one.path)
        try:
            data = read(one)
            if data is None:
                continue
            change.before = change.after = data
            _swap_file(one, change, strings, own, taken)
        except Unreadable as error:
            change.after = change.before
            change.left.append((error.line, error.reason))
        except (ValueError, RecursionError) as error:
            change.after = change.before
            change.left.append((0, f"left as it is: {error}"))
        if change.changes or change.left:
            yield change


def _swap_file(found: Found, change: Change, strings: bool, own: OwnModules, taken: set[str]) -> None:
    if found.kind == YAML:
        _swap_yaml(change, strings)
        return
    source = source_of(found, change.before)
    if isinstance(source, Notebook):
        change.left += [(one.line, one.reason) for one in source.problems]
    reading = read_python(source)
    offsets = Offsets(source.text)
    own_roots = {root for root in ROOTS if own.provider(found.path, root) is not None}
    edits: list[Edit] = []
    if _imports_v1(reading, own_roots, change, source):
        rewriting = rewrite(source.text, own_roots, taken)
        edits += rewriting.edits
        for notes, into in ((rewriting.notes, change.notes), (rewriting.left, change.left)):
            into += [(source.place(offsets.line(note.start)).line, note.text) for note in notes]
    for use in strings_of(reading):
        if use.names is None or use.names.dotted.partition(".")[0] not in own_roots:
            edits += _string(use, change, strings, source.place(use.line).line)
    _apply(found, source, edits, change)


def _swap_yaml(change: Change, strings: bool) -> None:
    text = decoded(change.before, "utf-8")
    edits = [edit for use in yaml_strings(text) for edit in _string(use, change, strings, use.line)]
    change.after = replaced(change.before, edits)
    change.places = len(edits)


def _string(use: StringUse, change: Change, strings: bool, line: int) -> list[Edit]:
    if use.edit is not None and strings:
        return [use.edit]
    reason = use.left or "--strings swaps it"
    # A test's fake module, a look-up by name: with the imports swapped it would miss what it means.
    change.left.append((line, f"{use.text!r} names v1: {reason}"))
    return []


def _imports_v1(reading: Reading, own_roots: set[str], change: Change, source: Source) -> bool:
    """Whether there is an import of v1. One of the tree's own modules of that name is listed."""
    found = False
    for node, _ in reading.imports:
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        for module in modules:
            root = module.partition(".")[0]
            if root in own_roots:
                line = source.place(node.lineno).line
                change.left.append((line, f"{module} is the tree's own module here, and not v1"))
            found = found or (root in ROOTS and root not in own_roots)
    return found


def _apply(found: Found, source: Source, edits: list[Edit], change: Change) -> None:
    if not edits:
        return
    change.after = source.apply(edits)
    change.places = len(edits)
    new = source_of(found, change.after)
    parse(new)  # never write what does not parse
    if change.after.count(b"\n") != change.before.count(b"\n"):
        raise ValueError("its lines would not stay where they are")


def _taken(files: Iterator[Found]) -> set[str]:
    """Names like v1's that some file takes from another module of the tree: ``from mine import one_logger``."""
    taken: set[str] = set()
    for found in files:
        if found.kind == YAML:
            continue
        try:
            data = read(found)
            if data is not None:
                taken |= _takes(read_python(source_of(found, data)))
        except Unreadable:
            continue
    return taken


def _takes(reading: Reading) -> set[str]:
    names: set[str] = set()
    for node, _ in reading.imports:
        if isinstance(node, ast.ImportFrom) and (node.level or v1_name(node.module or "") is None):
            names |= {alias.name for alias in node.names} & ROOTS.keys()
    for attribute, scope in reading.root_attributes:
        bound = scope.lookup(attribute.value.id) if isinstance(attribute.value, ast.Name) else []
        if any(isinstance(one, Imported) or (isinstance(one, Other) and one.imported) for one in bound):
            names.add(attribute.attr)
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node, _ in reading.imports):
        names |= {node.id for node, scope in reading.root_names if not scope.lookup(node.id)}
    for constant in reading.strings:
        match = _PATH.match(str(constant.value))
        if match is not None:
            names.add(match[1])
    return names

"""``swap``: which of v1's import paths become the shim's, file by file. Nothing is written here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .changes import Change
from .files import SCRIPT, YAML, Found, Problem, Unreadable, find, read
from .names import ROOTS, v1_name
from .notebook import Notebook, source_of
from .own import OwnModules
from .pins import programs_in
from .program import Program
from .rewrite import Rewriter
from .source import Edit, Source
from .strings import StringUse, strings_of
from .tree import parse
from .yaml_strings import yaml_strings

_NAMED = re.compile(rf"\b(?:{'|'.join(ROOTS)}|one_logger_|one-logger-utils)\b|\\[xuUN0-7]")
_PATH = re.compile(rf"[\w.]+\.({'|'.join(ROOTS)})(?:[.:]|$)")


def swap(paths: Sequence[Path], strings: bool) -> Iterator[Change]:
    """What there is to swap below ``paths``, file by file; nothing is written."""
    found = [one for one in find(paths, lambda path: False) if isinstance(one, Problem) or one.kind != SCRIPT]
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
    source = source_of(found, change.before)
    if found.kind == YAML:
        _apply(found, source, _in_strings(source, yaml_strings(source.text), change, strings), change)
        return
    if isinstance(source, Notebook):
        change.left += [(one.line, one.reason) for one in source.problems]
        for _, places, text in source.others:
            for line, shown in programs_in(text):
                change.left.append((places[min(line, len(places)) - 1], f"{shown}: a program in a script"))
    if not _NAMED.search(source.text):
        return  # it has the shim's names, or v2's
    program = Program(source)
    own_roots = {root for root in ROOTS if own.provider(found.path, root) is not None}
    imports = _imports_v1(program, own_roots, change)
    edits = Rewriter(program, change, own_roots, taken).edits() if imports else []
    uses = (one for one in strings_of(program) if one.names is None or one.names.root not in own_roots)
    _apply(found, source, edits + _in_strings(source, uses, change, strings), change)


def _in_strings(source: Source, uses: Iterable[StringUse], change: Change, strings: bool) -> list[Edit]:
    """The edits of strings; what is not swapped is listed."""
    edits = []
    for use in uses:
        if use.edit is not None and strings:
            edits.append(use.edit)
        else:
            # A test's fake module, a look-up by name: with the imports swapped it would miss what it means.
            why = f"{use.text!r} names v1: {use.left or '--strings swaps it'}"
            change.left.append((source.place(use.start).line, why))
    return edits


def _imports_v1(program: Program, own_roots: set[str], change: Change) -> bool:
    """Whether there is an import of v1. One of the tree's own modules of that name is listed."""
    found = False
    for statement, module, _ in program.modules:
        root = module.partition(".")[0]
        if root in own_roots:
            line = program.source.place(program.start(statement)).line
            change.left.append((line, f"{module} is the tree's own module here, and not v1"))
        found = found or (root in ROOTS and root not in own_roots)
    return found


def _apply(found: Found, source: Source, edits: list[Edit], change: Change) -> None:
    if not edits:
        return
    change.after = source.apply(edits)
    change.places = len(edits)
    if found.kind != YAML:
        parse(source_of(found, change.after))  # never write what does not parse
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
            if data is not None and b"one_logger" in data:
                taken |= _takes(parse(source_of(found, data)))
        except Unreadable:
            continue
    return taken


def _takes(tree: ast.Module) -> set[str]:
    """By the syntax tree alone: a name too many is kept where it could have been replaced."""
    names: set[str] = set()
    imported: set[str] = set()
    owners: dict[str, set[str]] = {}  # ``base.one_logger``: what it is an attribute of
    stars = False
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            stars = stars or node.names[0].name == "*"
            imported |= {alias.asname or alias.name for alias in node.names}
            if node.level or v1_name(node.module or "") is None:
                names |= {alias.name for alias in node.names} & ROOTS.keys()
        elif isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Attribute) and node.attr in ROOTS and isinstance(node.value, ast.Name):
            owners.setdefault(node.attr, set()).add(node.value.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = _PATH.match(node.value)
            names |= {match[1]} if match is not None else set()
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if stars else set()
    names |= (read & ROOTS.keys()) - imported
    return names | {name for name, roots in owners.items() if roots & imported}

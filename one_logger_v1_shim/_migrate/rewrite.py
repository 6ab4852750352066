"""The edits that swap a Python file's imports, found with libcst (the extra ``migrate``).

Only names are replaced: v1's root by the shim's, at the place where it stands. What an import binds decides how:

* ``from one_logger import X``, ``import one_logger as x``: the root is replaced; the bound name stays as it was.
* ``import one_logger`` binds ``one_logger``: it becomes ``import one_logger_v1_shim as one_logger``.
* ``import one_logger.core`` binds ``one_logger`` too, and has no form with ``as`` that does the same. Where every use
  of the name is an ordinary read of what the import has bound, import and uses are rewritten. Everywhere else the name
  is kept: ``import one_logger_v1_shim.core, one_logger_v1_shim as one_logger``. So a variable is never touched.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Optional

import libcst as cst

from .names import MODULES, ROOTS, SHIM, reference
from .program import Program
from .source import Edit
from .uses import BareImport, Uses, dotted


@dataclass
class Note:
    """Something to tell about a place: its character in the text, and what."""

    start: int
    text: str


@dataclass
class Rewriting:
    """What there is to do in one file."""

    edits: list[Edit] = field(default_factory=list)
    #: done, in another way than the reader may expect
    notes: list[Note] = field(default_factory=list)
    #: not done
    left: list[Note] = field(default_factory=list)


def rewrite(program: Program, own: Collection[str] = (), taken: Collection[str] = ()) -> Rewriting:
    """The edits of a program.

    Args:
        program: the program.
        own: roots that are the tree's own modules here, and not v1.
        taken: names that other files take from this one, so that they have to stay.
    """
    return _Rewriter(program, own, taken).rewriting()


class _Rewriter:
    def __init__(self, program: Program, own: Collection[str], taken: Collection[str]) -> None:
        self._program = program
        self._own = own
        self._uses = Uses(program, taken)
        self._out = Rewriting()

    def rewriting(self) -> Rewriting:
        """Look at all imports."""
        for node in self._program.froms:
            self._from(node)
        groups: dict[tuple[int, str], list[BareImport]] = {}
        for statement in self._program.imports:
            for alias in statement.names:
                found = self._alias(alias, statement)
                if found is None:
                    continue
                if alias.asname is not None:
                    self._replace(found.root)
                else:
                    home = self._uses.home(found)
                    groups.setdefault((id(home), found.root.value), []).append(found)
        for aliases in groups.values():
            if any("." in one.dotted for one in aliases):
                self._uses.binders.append(self._uses.home(aliases[0]))
        for aliases in groups.values():
            self._group(aliases)
        return self._out

    # -- imports that keep their bound names -------------------------------------------------------------------

    def _from(self, node: cst.ImportFrom) -> None:
        if node.relative or node.module is None:
            return
        module, root = dotted(node.module)
        if root.value not in ROOTS or root.value in self._own:
            return
        names = [] if isinstance(node.names, cst.ImportStar) else [dotted(alias.name)[0] for alias in node.names]
        unknown = _unknown(module, names)
        if unknown:
            self._leave(root, f"the shim has no {unknown}")
        else:
            self._replace(root)

    def _alias(self, alias: cst.ImportAlias, statement: cst.Import) -> Optional[BareImport]:
        module, root = dotted(alias.name)
        if root.value not in ROOTS or root.value in self._own:
            return None
        unknown = _unknown(module, [])
        if unknown:
            self._leave(root, f"the shim has no {unknown}")
            return None
        return BareImport(alias, statement, root, module)

    # -- imports that bind the root ----------------------------------------------------------------------------

    def _group(self, aliases: list[BareImport]) -> None:
        """All imports of one scope that bind the same name."""
        root = aliases[0].root.value
        if all(alias.dotted == root for alias in aliases):
            for alias in aliases:
                self._replace(alias.root, f"{ROOTS[root]} as {root}")
            return
        uses = self._uses.reads(aliases)
        if isinstance(uses, list):
            for name in [*(alias.root for alias in aliases), *uses]:
                self._replace(name)
            return
        for alias in aliases:
            if alias.dotted == root:
                self._replace(alias.root, f"{ROOTS[root]} as {root}")
                continue
            if self._uses.shim_is_a_variable():
                self._leave(alias.root, f"{uses}, and {SHIM} is a name of the program's own")
                continue
            self._replace(alias.root)
            last = alias.node.name.attr if isinstance(alias.node.name, cst.Attribute) else alias.root
            self._replace(last, f"{last.value}, {ROOTS[root]} as {root}")
            self._out.notes.append(Note(self._start(alias.root), f"the name {root} is kept: {uses}"))

    # -- edits -------------------------------------------------------------------------------------------------

    def _start(self, node: cst.CSTNode) -> int:
        return self._program.start(node)

    def _replace(self, name: cst.Name, new: Optional[str] = None) -> None:
        self._out.edits.append(Edit(self._start(name), name.value, ROOTS[name.value] if new is None else new))

    def _leave(self, node: cst.CSTNode, why: str) -> None:
        self._out.left.append(Note(self._start(node), why))


def _unknown(module: str, names: list[str]) -> str:
    """The first of what is imported that the shim has not; "" if it has all of it."""
    found = reference(module)
    if found is None or found.rest:
        return module
    missing = [name for name in names if name not in MODULES[found.module] and f"{module}.{name}" not in MODULES]
    return f"{module}.{missing[0]}" if missing else ""

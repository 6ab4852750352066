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
from typing import Optional

import libcst as cst

from .changes import Change
from .names import MODULES, ROOTS, SHIM, reference
from .program import Program
from .source import Edit
from .uses import BareImport, Uses


class Rewriter:
    """The edits of one program; what is done in another way than expected, or not done, goes into ``change``.

    Args:
        program: the program.
        change: gets its notes and what is left.
        own: roots that are the tree's own modules here, and not v1.
        taken: names that other files take from this one, so that they have to stay.
    """

    def __init__(self, program: Program, change: Change, own: Collection[str], taken: Collection[str]) -> None:
        self._program = program
        self._change = change
        self._own = own
        self._uses = Uses(program, taken)
        self._edits: list[Edit] = []

    def edits(self) -> list[Edit]:
        """Look at all imports."""
        groups: dict[tuple[int, str], list[BareImport]] = {}
        for node, module, names in self._program.modules:
            root = module.partition(".")[0]
            if root not in ROOTS or root in self._own:
                continue
            unknown = _unknown(module, names)
            if unknown:
                self._change.left.append((self._line(node), f"the shim has no {unknown}"))
            elif isinstance(node, cst.ImportFrom):
                self._replace(_first(node.module))
            elif isinstance(node, cst.ImportAlias) and node.asname is not None:
                self._replace(_first(node.name))
            elif isinstance(node, cst.ImportAlias):
                found = BareImport(node, self._program.parents[node], _first(node.name), module)
                groups.setdefault((id(self._uses.home(found)), root), []).append(found)
        for aliases in groups.values():
            if any("." in one.dotted for one in aliases):
                self._uses.binders.append(self._uses.home(aliases[0]))
        for aliases in groups.values():
            self._group(aliases)
        return self._edits

    def _group(self, aliases: list[BareImport]) -> None:
        """All imports of one scope that bind the same name."""
        root = aliases[0].root.value
        uses = self._uses.reads(aliases) if any(alias.dotted != root for alias in aliases) else ""
        if isinstance(uses, list):
            for name in [*(alias.root for alias in aliases), *uses]:
                self._replace(name)
            return
        for alias in aliases:
            if alias.dotted == root:
                self._replace(alias.root, f"{ROOTS[root]} as {root}")
                continue
            line = self._line(alias.root)
            if self._uses.shim_is_a_variable():
                self._change.left.append((line, f"{uses}, and {SHIM} is a name of the program's own"))
                continue
            self._replace(alias.root)
            last = alias.node.name.attr if isinstance(alias.node.name, cst.Attribute) else alias.root
            self._replace(last, f"{last.value}, {ROOTS[root]} as {root}")
            self._change.notes.append((line, f"the name {root} is kept: {uses}"))

    def _line(self, node: cst.CSTNode) -> int:
        return self._program.source.place(self._program.start(node)).line

    def _replace(self, name: cst.Name, new: Optional[str] = None) -> None:
        self._edits.append(Edit(self._program.start(name), name.value, ROOTS[name.value] if new is None else new))


def _first(node: Optional[cst.CSTNode]) -> cst.Name:
    """The first part of a dotted name."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return cst.ensure_type(node, cst.Name)


def _unknown(module: str, names: list[str]) -> str:
    """The first of what is imported that the shim has not; "" if it has all of it."""
    found = reference(module)
    if found is None or found.rest:
        return module
    known = {"*", *MODULES[found.module]}
    missing = [name for name in names if name not in known and f"{module}.{name}" not in MODULES]
    return f"{module}.{missing[0]}" if missing else ""

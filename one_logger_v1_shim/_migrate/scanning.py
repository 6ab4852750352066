"""``scan``: every use of v1 in source trees, and whether each works as it stands."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from . import judging
from .files import PINS, YAML, Found, Problem, Unreadable, find, read
from .findings import (
    CALL,
    CONSTRUCTION,
    ERROR,
    FILE,
    IMPORT,
    OK,
    PIN,
    STRING,
    SUBCLASS,
    WARNING,
    Finding,
    Verdict,
    worst,
)  # fmt: skip
from .literals import Config, config_of
from .names import EXTRAS, MODULES, ROOTS, is_swapped, reference
from .notebook import Notebook, source_of
from .own import OwnModules
from .pins import is_pin_file, pins_in_command, pins_of
from .reading import Instance, Reading, read_python
from .scopes import Scope
from .source import decoded
from .strings import strings_of
from .yaml_strings import yaml_strings

_CONFIGS = ("config", "callback_config")


def scan(paths: Sequence[Path]) -> list[Finding]:
    """All uses of v1 below ``paths``, by file and line; files that can not be looked at are among them."""
    findings: list[Finding] = []
    guesses: list[Finding] = []
    own = OwnModules(paths)
    for found in find(paths, is_pin_file):
        if isinstance(found, Problem):
            findings.append(_problem(found))
            continue
        try:
            data = read(found)
            if data is not None:
                sure, by_name = _file(found, data, own)
                findings += sure
                guesses += by_name
        except Unreadable as error:
            findings.append(_problem(Problem(found.path, error.reason, error.line)))
        except RecursionError:
            findings.append(_problem(Problem(found.path, "too deeply nested")))
    # A name alone proves nothing: it counts in a tree that uses v1.
    if any(one.kind in (IMPORT, STRING) for one in findings):
        findings += guesses
    return sorted(set(findings), key=lambda one: (one.file, one.line, one.kind, one.what))


def _problem(problem: Problem) -> Finding:
    return Finding(str(problem.path), problem.line, FILE, ERROR, "not looked at", problem.reason)


def _file(found: Found, data: bytes, own: OwnModules) -> tuple[list[Finding], list[Finding]]:
    path = str(found.path)
    if found.kind == PINS:
        pins = pins_of(found.path, decoded(data, "utf-8"))
        return [_pin(path, line, what) for line, what in pins], []
    if found.kind == YAML:
        uses = yaml_strings(decoded(data, "utf-8"))
        return [Finding(path, one.line, STRING, OK, one.text, "swap --strings") for one in uses], []
    source = source_of(found, data)
    more: list[Finding] = []
    if isinstance(source, Notebook):
        more = [_problem(one) for one in source.problems]
        more += [_pin(path, line, pin) for line, text in source.magics for pin in pins_in_command(text)]
    uses_of = _Uses(read_python(source), own)
    uses_of.look()
    return more + uses_of.findings, uses_of.guesses


def _pin(path: str, line: int, what: str) -> Finding:
    return Finding(path, line, PIN, WARNING, what, "v1's own distribution: replace it by one-logger-v1-shim")


class _Uses:
    """The findings of one Python file. ``guesses``: calls on objects that only their names make v1's."""

    def __init__(self, reading: Reading, own: OwnModules) -> None:
        self.reading = reading
        self.own = own
        self.findings: list[Finding] = []
        self.guesses: list[Finding] = []
        self._own_roots = {
            root: found for root in ROOTS if (found := own.provider(reading.source.path, root)) is not None
        }

    def look(self) -> None:
        """Fill the lists."""
        for node, _ in self.reading.imports:
            self._import(node)
        for use in strings_of(self.reading):
            self._string(use.line, use.text, use.names.dotted if use.names else None, use.left)
        for definition, scope in self.reading.classes:
            self._subclass(definition, scope)
        for call, scope in self.reading.calls:
            self._call(call, scope)

    def _add(self, line: int, kind: str, what: str, verdict: Verdict, certain: bool = True) -> None:
        place = self.reading.source.place(line)
        if not certain and verdict.level == ERROR:
            verdict = Verdict(WARNING, f"{verdict.why} (if this is v1's object, as its name says)")
        finding = Finding(str(self.reading.source.path), place.line, kind, verdict.level, what, verdict.why, place.cell)
        (self.findings if certain else self.guesses).append(finding)

    # -- imports and strings -----------------------------------------------------------------------------------

    def _import(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                what = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                self._imported(getattr(alias, "lineno", node.lineno), what, alias.name, [])
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [alias.name for alias in node.names]
            self._imported(node.lineno, f"from {node.module} import {', '.join(names)}", node.module, names)

    def _imported(self, line: int, what: str, module: str, names: list[str]) -> None:
        found = reference(module)
        if found is None:
            return
        root = module.partition(".")[0]
        if root in self._own_roots:
            self._add(line, IMPORT, what, Verdict(OK, f"not v1: the tree's own {self._own_roots[root]}"))
            return
        if found.rest:
            self._add(line, IMPORT, what, Verdict(ERROR, f"ModuleNotFoundError: the shim has no {found.dotted}"))
            return
        verdicts = [Verdict(OK, "the shim already")] if is_swapped(module) else []
        if found.module in EXTRAS:
            verdicts.append(Verdict(OK, f"needs the extra {EXTRAS[found.module]!r}"))
        unknown = [name for name in names if not _has(found.module, name)]
        if names == ["*"]:
            verdicts.append(Verdict(OK, "a star import: brings the shim's other names too"))
        elif unknown and not is_swapped(module):
            verdicts.append(Verdict(ERROR, f"ImportError: {found.module} had no {', '.join(unknown)}"))
        self._add(line, IMPORT, what, worst(*verdicts))

    def _string(self, line: int, text: str, dotted: Optional[str], left: str) -> None:
        found = reference(dotted) if dotted is not None else None
        if found is not None and found.dotted.partition(".")[0] in self._own_roots:
            return
        if found is not None and not found.known:
            self._add(line, STRING, text, Verdict(ERROR, f"the shim has no {found.dotted}"))
            return
        self._add(line, STRING, text, Verdict(OK, f"swap leaves it: {left}" if left else "swap --strings"))

    # -- constructions, subclasses, calls ----------------------------------------------------------------------

    def _subclass(self, node: ast.ClassDef, scope: Scope) -> None:
        for base in node.bases:
            found = self.reading.refers(base, scope)
            if found is not None and found.thing:
                private = [
                    one.name for one in node.body
                    if isinstance(one, ast.FunctionDef) and one.name.startswith("_") and not one.name.startswith("__")
                    and one.name not in _SEAMS
                ]  # fmt: skip
                why = f"if {', '.join(private)} overrides v1's own: the shim does not call it" if private else ""
                level = WARNING if private else OK
                self._add(node.lineno, SUBCLASS, f"class {node.name}({found.dotted})", Verdict(level, why))

    def _call(self, call: ast.Call, scope: Scope) -> None:
        found = self.reading.refers(call.func, scope)
        if found is not None:
            if found.thing and found.dotted.partition(".")[0] not in self._own_roots:
                self._construction(call, scope, found.thing)
            elif not found.known and not self._is_own(found.module):
                self._add(call.lineno, CALL, _short(call), Verdict(ERROR, f"the shim has no {found.dotted}"))
            return
        if isinstance(call.func, ast.Attribute):
            self._method(call, call.func, scope)

    def _is_own(self, module: str) -> bool:
        return module.partition(".")[0] in self._own_roots

    def _construction(self, call: ast.Call, scope: Scope, thing: str) -> None:
        fits, given = judging.arguments(thing, call)
        node = next((given[name] for name in _CONFIGS if name in given), None)
        verdicts = [fits]
        if node is not None and fits.level == OK:
            config = config_of(self.reading, node, scope)
            is_none = isinstance(node, ast.Constant) and node.value is None
            if not is_none:
                verdicts.append(judging.core_config(config) if thing == "OneLogger" else judging.utils_config(config))
        kind = CONSTRUCTION if thing.rpartition(".")[2][:1].isupper() else CALL
        self._add(call.lineno, kind, _short(call), worst(*verdicts))

    def _method(self, call: ast.Call, function: ast.Attribute, scope: Scope) -> None:
        instances = self.reading.instances(function.value, scope)
        certain = bool(instances)
        if not instances and self.reading.looks_like_v1(function.value, scope):
            instances = [Instance("OneLogger"), Instance("OneLoggerUtils")]
        verdicts = [self._judged(call, function.attr, one, certain) for one in instances]
        known = [one for one in verdicts if one is not None]
        if known:
            self._add(call.lineno, CALL, _short(call), known[0], certain)

    def _judged(self, call: ast.Call, name: str, instance: Instance, certain: bool) -> Optional[Verdict]:
        if instance.thing == "OneLogger":
            return judging.core_call(call, name, certain)
        config = self._config(instance)
        if instance.thing == "OneLoggerUtils":
            return judging.utils_call(call, name, config, certain)
        return judging.event_call(call, name, config) if instance.thing.endswith("TimeEventCallback") else None

    def _config(self, instance: Instance) -> Optional[Config]:
        """The configuration that the object was made with."""
        if instance.made is None or instance.scope is None:
            return None
        found = self.reading.refers(instance.made.func, instance.scope)
        if found is None or not found.thing:
            return None
        _, given = judging.arguments(found.thing, instance.made)
        node = next((given[name] for name in _CONFIGS if name in given), None)
        return config_of(self.reading, node, instance.scope)


#: private methods that the shim calls, too
_SEAMS = ("_set_one_logger",)


def _has(module: str, name: str) -> bool:
    return name in MODULES[module] or f"{module}.{name}" in MODULES


def _short(call: ast.Call) -> str:
    """The call with what tells it from others; a long configuration is left out."""
    arguments = [ast.unparse(one) for one in call.args]
    arguments += [
        f"{one.arg}={ast.unparse(one.value)}" if one.arg else f"**{ast.unparse(one.value)}" for one in call.keywords
    ]
    inside = ", ".join(arguments)
    return f"{ast.unparse(call.func)}({inside if len(inside) <= 60 else inside[:57] + '...'})"

"""``scan``: every use of v1 in source trees, and whether each works as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional, Union

import libcst as cst

from . import judging
from .config import Config
from .configs import Configs
from .files import PINS, SCRIPT, YAML, Found, Problem, Unreadable, find, read
from .findings import (
    CALL,
    CONSTRUCTION,
    COPY,
    ERROR,
    FILE,
    IMPORT,
    NOT_JUDGED,
    OK,
    PIN,
    STRING,
    SUBCLASS,
    WARNING,
    Finding,
    Verdict,
    worst,
)  # fmt: skip
from .names import EXTRAS, MODULES, ROOTS, is_swapped, reference
from .notebook import Notebook, source_of
from .own import OwnModules
from .pins import entry_points_in, is_pin_file, is_project, is_script, pins_of, programs_in
from .program import Instance, Program
from .source import decoded
from .strings import StringUse, strings_of
from .tree import accessed, plain
from .wire import copied
from .yaml_strings import yaml_strings

# what a single program needs (PEP 723), as a pyproject.toml has it
_INLINE = re.compile(r"^# /// script\n((?:#.*\n)+?)# ///$", re.MULTILINE)
_CALLBACK = re.compile(r"callback|hook", re.IGNORECASE)
# functions that take a class and make none of its objects
_ASKS = {
    "isinstance", "issubclass", "cast", "TypeVar", "NewType", "super", "getattr", "hasattr", "setattr", "type", "print",
    "repr", "str", "id", "hash", "object", "Mock", "MagicMock", "create_autospec",
}  # fmt: skip
_V2 = "v2: it stays as it is"


def scan(paths: Sequence[Path]) -> list[Finding]:
    """All uses of v1 below ``paths``, by file and line; files that cannot be looked at are among them."""
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
    if any(one.kind in (IMPORT, STRING) and one.why != _V2 for one in findings):
        findings += guesses
    return sorted(set(findings), key=lambda one: (one.file, one.line, one.kind, one.what))


def _problem(problem: Problem) -> Finding:
    return Finding(str(problem.path), problem.line, FILE, ERROR, "not looked at", problem.reason)


def _file(found: Found, data: bytes, own: OwnModules) -> tuple[list[Finding], list[Finding]]:
    path = str(found.path)
    if found.kind in (PINS, SCRIPT):
        text = decoded(data, "utf-8")
        return list(_in_script(path, found.path, text, found.kind == SCRIPT)), []
    source = source_of(found, data)
    if found.kind == YAML:
        uses = yaml_strings(source.text)
        return [Finding(path, source.place(one.start).line, STRING, OK, one.text, "swap --strings") for one in uses], []
    more: list[Finding] = []
    if isinstance(source, Notebook):
        more = [_problem(one) for one in source.problems]
        for name, places, text in source.others:
            for one in _in_script(path, Path(name), text, False):
                more.append(replace(one, line=places[min(one.line, len(places)) - 1]))
    for match in _INLINE.finditer(source.text):
        before = "\n" * (source.place(match.start(1)).line - 1)
        text = before + re.sub("^# ?", "", match[1], flags=re.MULTILINE)
        more += _in_script(path, Path("pyproject.toml"), text, False)
    uses_of = _Uses(Program(source), own)
    uses_of.look()
    return more + uses_of.findings, uses_of.guesses


def _in_script(path: str, name: Path, text: str, by_first_line: bool) -> Iterator[Finding]:
    """What a script, a requirement file or a project file asks for or runs; ``name`` says which it is."""
    for line, what in pins_of(name, text, by_first_line) if by_first_line or is_pin_file(name) else ():
        yield Finding(path, line, PIN, WARNING, what, "v1's own distribution: replace it by one-logger-v1-shim")
    for line, what in entry_points_in(text) if is_project(name) else ():
        yield Finding(path, line, STRING, WARNING, what, "an entry point: swap does not look at it")
    if by_first_line or is_script(name):
        for line, what in programs_in(text):
            yield Finding(path, line, STRING, WARNING, what, "a program in a script: swap does not look at it")


class _Uses:
    """The findings of one Python file. ``guesses``: calls on objects that only their names make v1's."""

    def __init__(self, program: Program, own: OwnModules) -> None:
        self.program = program
        self.findings: list[Finding] = []
        self.guesses: list[Finding] = []
        self._configs = Configs(program)
        self._own_roots = {
            root: found for root in ROOTS if (found := own.provider(program.source.path, root)) is not None
        }

    def look(self) -> None:
        """Fill the lists."""
        for node, module, names in self.program.modules:
            what = f"from {module} import {', '.join(names)}" if names else f"import {self.program.written(node)}"
            self._imported(node, what.rstrip(", "), module, names)
        for use in strings_of(self.program):
            self._string(use)
        for definition in self.program.classes:
            self._subclass(definition)
        for call in self.program.calls:
            self._call(call)
        for name in judging.CALLBACKS & self.program.attributes.keys():
            for attribute in self.program.attributes[name]:
                self._handed_on(attribute)

    def _add(
        self,
        where: Union[cst.CSTNode, int],
        kind: str,
        what: str,
        verdict: Verdict,
        certain: bool = True,
        called: str = "",
    ) -> None:
        start = where if isinstance(where, int) else self.program.start(where)
        place = self.program.source.place(start)
        if not certain and verdict.level == ERROR:
            verdict = Verdict(WARNING, f"{verdict.why} (if this is v1's object, as its name says)")
        path = str(self.program.source.path)
        finding = Finding(path, place.line, kind, verdict.level, what, verdict.why, place.cell, called)
        (self.findings if certain else self.guesses).append(finding)

    # -- imports and strings -----------------------------------------------------------------------------------

    def _imported(self, line: cst.CSTNode, what: str, module: str, names: list[str]) -> None:
        found = reference(module)
        if module.partition(".")[0] == "nv_one_logger":
            self._add(line, IMPORT, what, Verdict(OK, _V2))
        if found is None:
            return
        root = module.partition(".")[0]
        if root in self._own_roots:
            self._add(line, IMPORT, what, Verdict(OK, f"not v1: the tree's own {self._own_roots[root]}"))
            return
        if found.rest:
            verdict = Verdict(ERROR, f"ModuleNotFoundError: the shim has no {found.dotted}")
            self._add(line, IMPORT, what, verdict, called=found.module)
            return
        verdicts = [Verdict(OK, "the shim already")] if is_swapped(module) else []
        if found.module in EXTRAS:
            verdicts.append(Verdict(OK, f"needs the extra {EXTRAS[found.module]!r}"))
        unknown = [name for name in names if not _has(found.module, name)]
        if names == ["*"]:
            verdicts.append(Verdict(OK, "a star import: brings the shim's other names too"))
        elif unknown and not is_swapped(module):
            verdicts.append(Verdict(ERROR, f"ImportError: {found.module} had no {', '.join(unknown)}"))
        self._add(line, IMPORT, what, worst(*verdicts), called=found.module)

    def _string(self, use: StringUse) -> None:
        if use.names is not None and use.names.root in self._own_roots:
            return
        verdict = Verdict(OK, f"swap leaves it: {use.left}" if use.left else "swap --strings")
        if use.names is not None and not use.names.known:
            verdict = Verdict(ERROR, f"the shim has no {use.names.dotted}")
        self._add(use.start, STRING, use.text, verdict)

    # -- constructions, subclasses, calls ----------------------------------------------------------------------

    def _subclass(self, node: cst.ClassDef) -> None:
        version = copied(self.program.source.text) if node.name.value == "OneLoggerUtils" else None
        if version is not None:
            self._add(node, COPY, f"a copy of v1 {version}", Verdict(OK, "the tree's own: it stays as it is"))
        for base in node.bases:
            found = self.program.refers(base.value)
            if found is not None and found.thing:
                methods = [one.name.value for one in node.body.body if isinstance(one, cst.FunctionDef)]
                private = [one for one in methods if one[:1] == "_" and one[:2] != "__" and one not in _SEAMS]
                why = f"if {', '.join(private)} overrides v1's own: the shim does not call it" if private else ""
                level = WARNING if private else OK
                self._add(node, SUBCLASS, f"class {node.name.value}({found.dotted})", Verdict(level, why))

    def _call(self, call: cst.Call) -> None:
        if plain(call.func).rpartition(".")[2] not in _ASKS:
            for argument in call.args:
                self._class_handed_on(argument.value)
        found = self.program.refers(call.func)
        if found is not None:
            is_own = found.root in self._own_roots
            if found.thing and not is_own:
                self._construction(call, found.thing)
            elif not found.known and not is_own:
                self._add(call, CALL, self._short(call), Verdict(ERROR, f"the shim has no {found.dotted}"))
            return
        called = accessed(call.func)
        if called is not None:
            self._method(call, *called)
        elif plain(call.func) == "getattr" and len(call.args) > 1:
            self._by_name(call)

    def _by_name(self, call: cst.Call) -> None:
        """``getattr(callback, name)``: what is called is known if the name is written out."""
        if accessed(call) is not None:
            self._handed_on(call)
            return
        on = call.args[0].value
        certain = bool(self.program.instances(on))
        if certain or self.program.looks_like_v1(on) or _CALLBACK.search(plain(on)):
            why = "the callback's name is known at run time only: such calls are not followed"
            self._add(call, CALL, self._short(call), Verdict(NOT_JUDGED, why), certain)

    def _handed_on(self, node: cst.BaseExpression) -> None:
        """``start = callback.on_app_start``, ``partial(callback.on_app_start)``: the call is made elsewhere."""
        on, name = accessed(node) or (node, "")
        outer = self.program.parents[node]
        if name not in judging.CALLBACKS or (isinstance(outer, cst.Call) and outer.func is node):
            return
        certain = any(one.thing == "OneLoggerUtils" for one in self.program.instances(on))
        if self.program.is_read(node) and (certain or self.program.looks_like_v1(on)):
            verdict = Verdict(NOT_JUDGED, "a callback that is handed on: such calls are not followed")
            self._add(node, CALL, self.program.written(node), verdict, certain, name)

    def _class_handed_on(self, node: cst.BaseExpression) -> None:
        """``partial(OneLoggerUtils, config)``, ``field(default_factory=OneLogger)``."""
        found = self.program.refers(node) if isinstance(node, (cst.Name, cst.Attribute)) else None
        if found is not None and found.thing and found.rest[0][:1].isupper() and found.root not in self._own_roots:
            verdict = Verdict(NOT_JUDGED, "a class that is handed on: with what it is made is not followed")
            self._add(node, CONSTRUCTION, self.program.written(node), verdict, called=found.thing)

    def _construction(self, call: cst.Call, thing: str) -> None:
        fits, node = self._configuration(call, thing)
        verdicts = [fits]
        if node is not None and fits.level == OK and plain(node) != "None":
            judge = judging.core_config if thing == "OneLogger" else judging.utils_config
            verdicts.append(judge(self._configs.of(node)))
        kind = CONSTRUCTION if thing.rpartition(".")[2][:1].isupper() else CALL
        self._add(call, kind, self._short(call), worst(*verdicts), called=thing)

    def _configuration(self, call: cst.Call, thing: str) -> tuple[Verdict, Optional[cst.BaseExpression]]:
        """Whether a construction's arguments fit, and the configuration among them."""
        fits, given = judging.arguments(thing, call)
        return fits, given.get("config", given.get("callback_config"))

    def _method(self, call: cst.Call, on: cst.BaseExpression, name: str) -> None:
        instances = self.program.instances(on)
        certain = bool(instances)
        if not instances and self.program.looks_like_v1(on):
            instances = [Instance("OneLogger"), Instance("OneLoggerUtils")]
        sure = certain and self.program.is_surely_v1s(on)
        verdicts = [
            self._judged(call, name, one, sure and name not in self.program.set_attributes) for one in instances
        ]
        known = [one for one in verdicts if one is not None]
        if known:
            self._add(call, CALL, self._short(call), known[0], certain, name)

    def _judged(self, call: cst.Call, name: str, instance: Instance, certain: bool) -> Optional[Verdict]:
        if instance.thing == "OneLogger":
            return judging.core_call(call, name, certain)
        config = self._config(instance)
        if instance.thing == "OneLoggerUtils":
            return judging.utils_call(call, name, config, certain)
        return judging.event_call(call, name, config) if instance.thing.endswith("TimeEventCallback") else None

    def _config(self, instance: Instance) -> Optional[Config]:
        """The configuration that the object was made with."""
        found = self.program.refers(instance.made.func) if instance.made is not None else None
        if instance.made is None or found is None or not found.thing:
            return None
        _, node = self._configuration(instance.made, found.thing)
        return self._configs.of(node) if node is not None else None

    def _short(self, call: cst.Call) -> str:
        """The call with what tells it from others; a long configuration is left out."""
        function = self.program.written(call.func)
        inside = ", ".join(self.program.written(one) for one in call.args[:20]).rstrip(", ")
        return f"{function}({inside if len(inside) <= 60 else inside[:57] + '...'})"


#: private methods that the shim calls, too
_SEAMS = ("_set_one_logger",)


def _has(module: str, name: str) -> bool:
    return name in MODULES[module] or f"{module}.{name}" in MODULES

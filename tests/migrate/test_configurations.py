"""``scan``: a configuration's dictionary is followed as Python runs it, or it is not judged."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import CONFIG

from .trees import Commands, plant


def _source(config: dict[str, object]) -> str:
    return "{" + ", ".join(f"{key!r}: {value!r}" for key, value in config.items()) + "}"


FULL = _source(CONFIG)
SHORT = _source({key: value for key, value in CONFIG.items() if key != "world_size"})
WRONG = _source({**CONFIG, "x": 1})
METADATA = _source({**CONFIG, "metadata": {"world_size": 1}})

MISSING = "missing key 'world_size'"
UNKNOWN = "unknown key 'x'"
NOT = "not judged"

PROGRAMS = {
    # what is set after the literal
    "set": ("c = {short}\nc['world_size'] = 1\nU(c)", "ok", ""),
    "set, unknown": ("c = {full}\nc['x'] = 1\nU(c)", "error", UNKNOWN),
    "set in two steps": ("c = {{}}\nc.update({short})\nc['world_size'] = 1\nU(c)", "ok", ""),
    "set with an annotation": ("c: dict = {short}\nc['world_size']: int = 1\nU(c)", "ok", ""),
    "setdefault": ("c = {short}\nc.setdefault('world_size', 1)\nU(c)", "ok", ""),
    "setdefault of what is there": ("c = {full}\nc.setdefault('world_size', 'many')\nU(c)", "ok", ""),
    "setdefault, unknown": ("c = {full}\nc.setdefault('x', 1)\nU(c)", "error", UNKNOWN),
    "|=": ("c = {short}\nc |= {{'world_size': 1}}\nU(c)", "ok", ""),
    "|=, unknown": ("c = {full}\nc |= dict(x=1)\nU(c)", "error", UNKNOWN),
    "|= of what nobody knows": ("c = {full}\nc |= load()\nU(c)", NOT, ""),
    "update with keywords": ("c = {short}\nc.update(world_size=1)\nU(c)", "ok", ""),
    "update with a variable": ("d = {{'world_size': 1}}\nc = {short}\nc.update(d)\nU(c)", "ok", ""),
    "update with **": ("d = {{'x': 1}}\nc = {full}\nc.update(**d)\nU(c)", "error", UNKNOWN),
    "a key that is no literal": ("c = {short}\nc[key()] = 1\nU(c)", NOT, ""),
    "several targets": ("c = {short}\na = c['world_size'] = 1\nU(c)", "ok", ""),
    "a tuple of targets": ("c = {short}\nc['world_size'], b = 1, 2\nU(c)", "ok", ""),
    # what is taken away
    "pop of a required key": ("c = {full}\nc.pop('world_size')\nU(c)", "error", MISSING),
    "pop of an unknown key": ("c = {wrong}\nc.pop('x', None)\nU(c)", "ok", ""),
    "del of a required key": ("c = {full}\ndel c['world_size']\nU(c)", "error", MISSING),
    "del of an unknown key": ("c = {wrong}\ndel c['x']\nU(c)", "ok", ""),
    "del of two": ("c = {wrong}\ndel c['x'], c['world_size']\nU(c)", "error", MISSING),
    "popitem": ("c = {full}\nc.popitem()\nU(c)", NOT, ""),
    "clear": ("c = {wrong}\nc.clear()\nU(c)", "ok", "logs nothing"),
    "pop of some": ("c = {full}\nfor k in keys: c.pop(k)\nU(c)", NOT, ""),
    # when
    "after the construction": ("c = {full}\nU(c)\nc['x'] = 1", "ok", ""),
    "a required key after the construction": ("c = {short}\nU(c)\nc['world_size'] = 1", "error", MISSING),
    "after it, in a loop": ("c = {full}\nfor i in y:\n    U(c)\n    c['x'] = 1", NOT, ""),
    "made in the loop": ("for i in y:\n    c = {full}\n    U(c)\n    c['x'] = 1", "ok", ""),
    "in a branch": ("c = {short}\nif y: c['world_size'] = 1\nU(c)", NOT, "'world_size'"),
    "in both branches": ("c = {short}\nif y: c['world_size'] = 1\nelse: c['world_size'] = 2\nU(c)", NOT, ""),
    "in the branch of the construction": ("c = {short}\nif y:\n    c['world_size'] = 1\n    U(c)", "ok", ""),
    "in a try": ("c = {short}\ntry: c['world_size'] = f()\nexcept E: pass\nU(c)", NOT, ""),
    "in a finally": ("c = {short}\ntry: pass\nfinally: c['world_size'] = f()\nU(c)", "ok", ""),
    "in a with": ("c = {short}\nwith y: c['world_size'] = f()\nU(c)", "ok", ""),
    "by a condition": ("c = {short}\ny and c.update(world_size=1)\nU(c)", NOT, ""),
    "by a comprehension": ("c = {short}\n[c.update({{k: 1}}) for k in y]\nU(c)", NOT, ""),
    "unknown, in a branch": ("c = {full}\nif y: c['x'] = 1\nU(c)", NOT, "'x'"),
    # other names
    "an alias": ("c = {short}\nd = c\nd['world_size'] = 1\nU(c)", "ok", ""),
    "the other way round": ("c = {short}\nd = c\nc['world_size'] = 1\nU(d)", "ok", ""),
    "an alias, unknown": ("c = {full}\nd = c\nd['x'] = 1\nU(c)", "error", UNKNOWN),
    "an alias of before": ("c = {wrong}\nd = c\nc = {full}\nd['y'] = 1\nU(c)", "ok", ""),
    "a copy": ("c = {full}\nd = dict(c)\nd['x'] = 1\nU(c)", "ok", ""),
    "a copy, used": ("c = {full}\nd = c.copy()\nd['x'] = 1\nU(d)", "error", UNKNOWN),
    "copy.deepcopy": ("import copy\nc = {full}\nd = copy.deepcopy(c)\nc['x'] = 1\nU(d)", "ok", ""),
    "a name that is bound anew": ("c = {wrong}\nc = {full}\nU(c)", "ok", ""),
    "bound again in a branch": ("c = {wrong}\nif y: c = {full}\nU(c)", NOT, ""),
    "made of itself": ("c = {short}\nc = {{**c, 'world_size': 1}}\nU(c)", "ok", ""),
    "a loop's variable": ("c = {full}\nfor d in (c, e): d['x'] = 1\nU(c)", NOT, ""),
    "in another container": ("c = {full}\nself.all.append(c)\nself.all[0]['x'] = 1\nU(c)", NOT, ""),
    "a walrus": ("U(c := {wrong})", NOT, ""),
    "a bound method": ("c = {short}\nf = c.update\nf(world_size=1)\nU(c)", NOT, ""),
    # helpers
    "a helper": ("def h(d): d['world_size'] = 1\nc = {short}\nh(c)\nU(c)", "ok", ""),
    "a helper, unknown": ("def h(n, d): d.update(x=n)\nc = {full}\nh(1, d=c)\nU(c)", "error", UNKNOWN),
    "a helper that may": ("def h(d):\n    if y: d['world_size'] = 1\nc = {short}\nh(c)\nU(c)", NOT, ""),
    "a helper of a helper": (
        "def g(d): d['world_size'] = 1\ndef h(d): g(d)\nc = {short}\nh(c)\nU(c)", "ok", "",
    ),
    "a helper that only reads": ("def h(d): print(d['a'], len(d))\nc = {full}\nh(c)\nU(c)", "ok", ""),
    "a helper after the construction": ("def h(d): d['x'] = 1\nc = {full}\nU(c)\nh(c)", "ok", ""),
    "somebody else's helper": ("c = {short}\nfill(c)\nU(c)", NOT, ""),
    "somebody else's, unknown": ("c = {wrong}\nfill(c)\nU(c)", NOT, ""),
    "print and log": ("c = {full}\nprint(c)\nlogging.info('%s', c)\nU(c)", "ok", ""),
    "a helper that makes it": ("def h():\n    c = {short}\n    c['world_size'] = 1\n    return c\nU(h())", "ok", ""),
    "made, then changed": ("def h(): return {short}\nc = h()\nc['world_size'] = 1\nU(c)", "ok", ""),
    "a helper that calls itself": ("def h(d): h(d)\nc = {full}\nh(c)\nU(c)", NOT, ""),
    # attributes
    "self.cfg": (
        "class A:\n    def __init__(self):\n        self.cfg = {short}\n        self.cfg['world_size'] = 1\n"
        "        self.u = U(self.cfg)", "ok", "",
    ),
    "self.cfg, in another method": (
        "class A:\n    def __init__(self):\n        self.cfg = {short}\n        self.cfg['world_size'] = 1\n"
        "    def start(self):\n        self.u = U(self.cfg)", "ok", "",
    ),
    "self.cfg, changed in another method": (
        "class A:\n    def __init__(self):\n        self.cfg = {short}\n    def f(self): self.cfg['world_size'] = 1\n"
        "    def start(self):\n        self.u = U(self.cfg)", NOT, "",
    ),
    "self.cfg, unknown": (
        "class A:\n    def __init__(self):\n        self.cfg = {full}\n        self.cfg |= {{'x': 1}}\n"
        "        self.u = U(self.cfg)", "error", UNKNOWN,
    ),
    "self.cfg, after the construction": (
        "class A:\n    def __init__(self):\n        self.cfg = {full}\n        self.u = U(self.cfg)\n"
        "        self.cfg['x'] = 1", "ok", "",
    ),
    "self.cfg, as another name": (
        "class A:\n    def __init__(self):\n        c = {short}\n        self.cfg = c\n        c['world_size'] = 1\n"
        "        self.u = U(self.cfg)", "ok", "",
    ),
    "a method that fills it": (
        "class A:\n    def fill(self, d): d['world_size'] = 1\n    def __init__(self):\n        self.cfg = {short}\n"
        "        self.fill(self.cfg)\n        self.u = U(self.cfg)", "ok", "",
    ),
    "an attribute of two": (
        "class A:\n    def f(self): self.c = {full}\n    def g(self): self.c = {wrong}\n    def h(self): U(self.c)",
        NOT, "",
    ),
    # globals
    "a global": ("C = {short}\nC['world_size'] = 1\ndef f():\n    U(C)", "ok", ""),
    "a global, by another function": ("C = {full}\ndef g(): C['x'] = 1\ndef f():\n    U(C)", NOT, ""),
    "a global, after the call": ("C = {full}\ndef f():\n    U(C)\nf()\nC['x'] = 1", NOT, ""),
    "a global, by a function before it": ("def g(): C['x'] = 1\nC = {full}\ndef f():\n    U(C)", NOT, ""),
    "a parameter": ("def f(c):\n    c['world_size'] = 1\n    U(c)", NOT, ""),
    # reached by another way
    "dict.update": ("c = {short}\ndict.update(c, world_size=1)\nU(c)", NOT, ""),
    "with suppress": ("c = {short}\nwith contextlib.suppress(E): c['world_size'] = f()\nU(c)", NOT, ""),
    "suppress as a name": (
        "from contextlib import suppress as s\nc = {short}\nwith s(E): c['world_size'] = f()\nU(c)", NOT, "",
    ),
    "a loop's target": ("c = {short}\nfor c['world_size'] in y: pass\nU(c)", NOT, ""),
    "one of two by a condition": ("c = {short}\nd = c if y else {{}}\nd['world_size'] = 1\nU(c)", NOT, ""),
    "a decorated function": ("@lru_cache\ndef h(): return {short}\nh()['world_size'] = 1\nU(h())", NOT, ""),
    "a static method": (
        "class A:\n    @staticmethod\n    def h(): return {full}\n    def f(self): U(self.h())", "ok", "",
    ),
    "a function that returns it": ("C = {short}\ndef h(): return C\nh()['world_size'] = 1\nU(C)", NOT, ""),
    "a function that returns what it gets": (
        "def h(d): return d\nc = {short}\nd = h(c)\nd['world_size'] = 1\nU(c)", NOT, "",
    ),
    "a function whose result nobody takes": (
        "def h(d):\n    d['world_size'] = 1\n    return d\nc = {short}\nh(c)\nU(c)", "ok", "",
    ),
    "a helper that may end before": (
        "def h(d):\n    if y: return\n    d['world_size'] = 1\nc = {short}\nh(c)\nU(c)", NOT, "",
    ),
    "a helper that changes a copy": (
        "def h(d):\n    d = dict(d)\n    d['world_size'] = 1\nc = {short}\nh(c)\nU(c)", NOT, "",
    ),
    "a property": (
        "class A:\n    @property\n    def c(self): return self._c\n    def f(self):\n        self._c = {short}\n"
        "        self.c['world_size'] = 1\n        U(self._c)", NOT, "",
    ),
    "setattr": ("a.c = {full}\nsetattr(a, 'c', {short})\nU(a.c)", NOT, ""),
    "setattr of names that only the program knows": (
        "a.c = {short}\nfor k, v in kw.items(): setattr(a, k, v)\nU(a.c)", NOT, "",
    ),
    "setattr of another attribute": ("a.c = {full}\nsetattr(a, 'd', 1)\nU(a.c)", "ok", ""),
    "__dict__": ("a.c = {short}\na.__dict__.update(kw)\nU(a.c)", NOT, ""),
    "another object's attribute": ("a.c = {short}\nb.c['world_size'] = 1\nU(a.c)", NOT, ""),
    "exec": ("c = {short}\nexec(text)\nU(c)", NOT, ""),
    "globals": ("c = {short}\nglobals()['c']['world_size'] = 1\nU(c)", NOT, ""),
    "exec, by another name": ("e = exec\nc = {short}\ne(text)\nU(c)", NOT, ""),
    "builtins.exec": ("import builtins\nc = {short}\nbuiltins.exec(text)\nU(c)", NOT, ""),
    "eval of another object": ("c = {full}\nmodel.eval()\nf(eval=1)\nU(c)", "ok", ""),
    "vars": ("c = {full}\nvars()['c'] = {short}\nU(c)", NOT, ""),
    "a frame": ("c = {full}\nsys._getframe().f_globals['c'] = {short}\nU(c)", NOT, ""),
    "sys.modules": ("c = {full}\nsetattr(sys.modules[__name__], 'c', {short})\nU(c)", NOT, ""),
    "sys.modules.get": ("c = {full}\nm = sys.modules.get(__name__)\nm.c = {short}\nU(c)", NOT, ""),
    "its own name in a log": ("c = {full}\nlog = logging.getLogger(__name__)\nU(c)", "ok", ""),
    "__main__": ("import __main__ as m\nc = {full}\nm.c = {short}\nU(c)", NOT, ""),
    "an object's vars": ("a.c = {full}\nvars(a)['c'] = {short}\nU(a.c)", NOT, ""),
    "an object's vars, read": ("a.c = {full}\nprint(vars(b), vars(b)['c'])\nU(a.c)", "ok", ""),
    # attributes
    "a class's and an object's": ("class A:\n    c = {full}\na = A()\na.c = {short}\nU(A.c)", NOT, ""),
    "an object's, with a class's default": (
        "class A:\n    c = None\n    d: dict\n    def f(self):\n        self.c = {full}\n        U(self.c)", "ok", "",
    ),
    "deleted, so that it is the class's": (
        "class A:\n    c = {short}\na = A()\na.c = {full}\ndel a.c\nU(a.c)", NOT, "",
    ),
    "a loop's target that is an attribute": ("a.c = {full}\nfor a.c in y: pass\nU(a.c)", NOT, ""),
    "an object that is made anew": ("a = N()\na.c = {full}\na = N({short})\nU(a.c)", NOT, ""),
    # the order in which Python runs it
    "a walrus that is changed": ("(c := {short})['world_size'] = 1\nU(c)", NOT, ""),
    "a walrus in a comprehension": ("c = {full}\n[(c := {short}) for _ in y]\nU(c)", NOT, ""),
    "an annotation alone": ("c: dict = {full}\nc['x']: int\nU(c)", "ok", ""),
    "a finally after the return": (
        "def h():\n    c = {full}\n    try: return c\n    finally: c['x'] = 1\nU(h())", NOT, "",
    ),
    "a condition behind": ("c = {full}\nU(c) if not c.update(x=1) else 0", NOT, ""),
    "a condition, a change later": ("c = {full}\nu = U(c) if y else None\nc['x'] = 1", "ok", ""),
    "a lambda that is called later": ("c = {full}\nf = lambda: U(c)\nc['x'] = 1\nf()", NOT, ""),
    "a comprehension's source": ("c = {full}\n[U(c) for _ in [c.update(x=1)]]", NOT, ""),
    "a condition of elif": ("c = {full}\nif y: pass\nelif c.pop('world_size'): pass\nU(c)", NOT, "'world_size'"),
    "taken out and put back": ("c = {full}\nc['world_size'] = c.pop('world_size')\nU(c)", "ok", ""),
    # a class that somebody else calls
    "partial": ("f = functools.partial(U, {short})\nf()", NOT, "handed on"),
    "a factory": ("d = field(default_factory=U)", NOT, "handed on"),
    "asked about": ("c = {full}\nu = U(c)\nassert isinstance(u, U)", "ok", ""),
    # the inside of a value
    "metadata, mended": ("c = {metadata}\ndel c['metadata']['world_size']\nU(c)", "ok", ""),
    "metadata, by another name": ("c = {metadata}\nm = c['metadata']\nm.clear()\nU(c)", "ok", ""),
    "metadata, by get": ("c = {metadata}\nc.get('metadata').clear()\nU(c)", "ok", ""),
    "metadata, read": ("c = {metadata}\nprint(c['metadata'])\nU(c)", "error", "Metadata overlap"),
}  # fmt: skip


def judged(text: str, tmp_path: Path, commands: Commands) -> tuple[str, str]:
    """What ``scan`` says of the construction."""
    program = "from one_logger_utils import OneLoggerUtils as U\n" + text
    compile(program, "p", "exec")
    path = plant(tmp_path, {"p.py": program}) / "p.py"
    (found,) = [one for one in commands.scan(path) if one["kind"] == "construction"]
    return found["level"], found["why"]


@pytest.mark.parametrize(("text", "level", "why"), PROGRAMS.values(), ids=list(PROGRAMS))
def test_followed_or_not_judged(text: str, level: str, why: str, tmp_path: Path, commands: Commands) -> None:
    found = judged(text.format(full=FULL, short=SHORT, wrong=WRONG, metadata=METADATA), tmp_path, commands)
    assert found[0] == level, found
    assert why in found[1]
    assert bool(found[1]) == (level != "ok" or bool(why))


CORE = {
    "known": ("c = {'project': 'p'}\nc['async'] = True\nO(c)", "ok"),
    "set, unknown": ("c = {'project': 'p'}\nc['tag'] = True\nO(c)", "warning"),
    "mended": ("c = {'project': 'p', 'tag': 1}\ndel c['tag']\nO(c)", "ok"),
    "not written out": ("O(load())", "not judged"),
    "a bad project, mended": ("c = {'project': 'a/b'}\nc['project'] = 'a'\nO(c)", "ok"),
}


@pytest.mark.parametrize(("text", "level"), CORE.values(), ids=list(CORE))
def test_the_core(text: str, level: str, tmp_path: Path, commands: Commands) -> None:
    path = plant(tmp_path, {"p.py": "from one_logger import OneLogger as O\n" + text}) / "p.py"
    assert [one["level"] for one in commands.scan(path) if one["kind"] == "construction"] == [level]


def test_not_judged_is_no_failure(tmp_path: Path, commands: Commands) -> None:
    plant(tmp_path, {"p.py": "from one_logger import OneLogger as O\nO(load())\n"})
    result = commands("scan", tmp_path)
    assert result.code == 0
    assert result.out.splitlines()[-1] == "2 uses in 1 file: 1 ok, 1 not judged"


HOSTILE = {
    "update of itself": "c = {'a': 1}\n" + "c.update(c)\n" * 60 + "U(c)\n",
    "many updates of itself": "c = {'a': 1}\n" + "c.update(c)\n" * 250 + "U(c)\n",
    "unions of itself": "c = {'a': 1}\n" + "c = c | c\n" * 60 + "U(c)\n",
    "set and read": "c = {'a': 1}\n" + "c = c\n" * 3000 + "U(c)\n",
    "set and read for ever": "c = {'a': 1}\n" + "c = c\n" * 30_000 + "U(c)\n",
    "imported in each function": "def f():\n import one_logger.core\n one_logger.core\n" * 300,
    "unpacked twice": "c0 = {}\n" + "".join(f"c{n} = {{**c{n - 1}, **c{n - 1}}}\n" for n in range(1, 80)) + "U(c79)\n",
    "helpers that call each other twice": "".join(
        f"def f{n}(d):\n    f{n + 1}(d)\n    f{n + 1}(d)\n" for n in range(40)
    ) + "c = {}\nf0(c)\nU(c)\n",
    "an object that may be itself": "u = U(c)\n" + "u = u or g(u)\n" * 150 + "u.on_app_start()\n",
    "names of names": "a0 = U\n" + "".join(f"a{n} = a{n - 1}\n" for n in range(1, 500)) + "a499({})\n",
    "many names of a dictionary": "c = {}\n" + "".join(f"d{n} = c\nd{n}['x'] = 1\n" for n in range(300)) + "U(c)\n",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_bounded(text: str, tmp_path: Path, commands: Commands) -> None:
    plant(
        tmp_path, {"p.py": "from one_logger_utils import OneLoggerUtils as U\n" + text, "q.py": "import one_logger\n"}
    )
    began = time.process_time()
    found = commands.scan(tmp_path)
    assert time.process_time() - began < 20
    assert "q.py" in str(found)


READ_ONLY = [
    "print", "len", "str", "repr", "dict", "list", "tuple", "set", "sorted", "isinstance", "type", "bool", "id", "any",
    "all", "iter", "enumerate", "hash", "format", "callable", "zip", "copy.copy", "copy.deepcopy", "json.dumps",
    "json.dump", "pprint.pprint", "pprint", "pformat", "pprint.pformat", "yaml.dump", "yaml.safe_dump", "log.debug",
    "log.info", "log.warning", "log.error", "log.critical", "log.exception",
]  # fmt: skip
EXPRESSIONS = [
    "c.get('x')", "c.__contains__('x')", "c.__getitem__('x')", "c.keys()", "c.values()", "c.items()", "c.copy()",
    "c['app_tag']", "c==d", "d==c", "-c", "f'{c}'", "c+d", "x[c]", "{**c}",
]  # fmt: skip
STATEMENTS = (
    "for k in c: pass\nif c: pass\nassert c\nwhile c: break\nx = [k for k in c if c]\nnot c\ndef f(): return c\n"
)


def test_what_only_reads_a_configuration(tmp_path: Path, commands: Commands) -> None:
    calls = "".join(f"{name}(c)\n" for name in READ_ONLY) + "\n".join(EXPRESSIONS) + "\n" + STATEMENTS
    assert judged(f"c = {FULL}\n{calls}U(c)", tmp_path, commands) == ("ok", "")


@pytest.mark.parametrize("name", ["unknown", "json.load", "c.unknown", "copy.other", "log.unknown", "c.__ior__"])
def test_what_nobody_knows_may_change_it(name: str, tmp_path: Path, commands: Commands) -> None:
    assert judged(f"c = {FULL}\n{name}(c)\nU(c)", tmp_path, commands)[0] == NOT

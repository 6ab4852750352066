"""Programs nobody wrote: v1 imported in every form and place, names of its modules used for other things, and rows."""

from __future__ import annotations

import textwrap
from typing import Any

from hypothesis import strategies as st

#: an import, and the expression that is v1's core class after it
CORE = [
    ("from one_logger import OneLogger", "OneLogger"),
    ("from one_logger.core import OneLogger as OL", "OL"),
    ("import one_logger", "one_logger.OneLogger"),
    ("import one_logger.core", "one_logger.core.OneLogger"),
    ("import one_logger.core, one_logger.rankpulse", "one_logger.core.OneLogger"),
    ("import one_logger\nimport one_logger.rankpulse", "one_logger.OneLogger"),
    ("import one_logger as ol", "ol.OneLogger"),
    ("import one_logger.core as c", "c.OneLogger"),
    ("from one_logger import core", "core.OneLogger"),
    ("from one_logger import (\n    core as c,  # one_logger\n)", "c.OneLogger"),
    ("import importlib\nm = importlib.import_module('one_logger.core')", "m.OneLogger"),
    ("import importlib\nm = importlib.import_module('one_logger')", 'getattr(m, "OneLogger")'),
    ("m = __import__('one_logger.core')", "m.core.OneLogger"),
    ("import sys, one_logger", 'sys.modules["one_logger"].OneLogger'),
]

#: the same for ``OneLoggerUtils``
UTILS = [
    ("from one_logger_utils import OneLoggerUtils", "OneLoggerUtils"),
    ("from one_logger_utils.core import OneLoggerUtils as U", "U"),
    ("import one_logger_utils", "one_logger_utils.OneLoggerUtils"),
    ("import one_logger_utils.core", "one_logger_utils.core.OneLoggerUtils"),
    ("import one_logger_utils.core as u, os", "u.OneLoggerUtils"),
    ("import one_logger.core, one_logger_utils.core", "one_logger_utils.core.OneLoggerUtils"),
    ("import importlib\nn = importlib.import_module('one_logger_utils')", "n.OneLoggerUtils"),
    ("n = __import__('one_logger_utils.core', fromlist=['x'])", "n.OneLoggerUtils"),
]

#: where the import stands; {0} is it, {1} what follows it
PLACES = [
    "{0}\n{1}",
    "try:\n{0:4}\nexcept ImportError:\n    one_logger = one_logger_utils = None\n{1}",
    "if True:\n{0:4}\nelse:\n    one_logger = None\n{1}",
    "def job():\n{0:4}\n    def inner():\n{1:8}\n    return inner()\njob()",
    "def job(one_logger=1, one_logger_utils=2):\n{0:4}\n{1:4}\njob()",
    "class Job:\n{0:4}\n{1:4}",
    "async def job():\n{0:4}\n{1:4}\ntry: job().send(None)\nexcept StopIteration: pass",
    "for _ in range(2):\n{0:4}\n{1:4}",
    "global_import = 1\ndef load():\n    global one_logger, one_logger_utils\n{0:4}\n{1:4}\nload()",
]

#: other lives of the names, before or after the import
DECOYS = [
    "def get(one_logger): return one_logger",
    "box = type('Box', (), {'one_logger': 3, 'core': 4})(); box.one_logger += 1",
    "numbers = [one_logger for one_logger in range(3)]",
    "f = lambda one_logger, *, one_logger_utils=5: (one_logger, one_logger_utils)\nf(one_logger=1)",
    "def local():\n    one_logger = 7\n    return [one_logger + one for one in range(2)]\nlocal()",
    "text = 'one_logger is required'",
    "'''one_logger.core'''  # import one_logger",
]

#: more uses of the names, which may be bound here or not: the same happens in both programs
FOLLOWS = [
    "one_logger = one_logger.core.OneLogger({'project': 'q'})\none_logger.log_metrics({'n': 1})",
    "if not one_logger: one_logger = None\none_logger.core.OneLogger({'project': 'q'})",
    "def later():\n    made = one_logger.OneLogger({'project': 'z'})\n    import one_logger_utils.core\n"
    "    return made\nlater()",
    "def later():\n    import one_logger.core\n    return one_logger_utils.core.OneLoggerUtils(CONFIG)\nlater()",
    "def later():\n    one_logger.OneLogger({'project': 'z'})\n    one_logger = 1\nlater()",
    "def shadow(one_logger=one_logger.core):\n    return one_logger.__name__\nprint(shadow())",
    "print([one_logger for one_logger in [one_logger.core.__name__]])",
    "print(f'{one_logger.core.__name__:>30}', one_logger_utils.__name__)",
    "print(Job.one_logger.core.__name__)",
    "class Other:\n    one_logger = one_logger.core\nprint(Other.one_logger.__name__)",
    "for one_logger in [one_logger.core]: print(one_logger.__name__)",
    "(one_logger := one_logger.core)\nprint(one_logger.__name__)",
    "del one_logger\none_logger.core",
    "import one_logger_utils\nprint(one_logger_utils.core.VERSION)",
]

_GUARD = "try:\n{0:4}\nexcept (NameError, AttributeError, TypeError) as error: print(type(error).__name__)"

#: what may happen to the name at the end of the program
ENDS = ["", "", "one_logger = 1\n", "for one_logger in (): pass\n", "key = {'one_logger': 1}['one_logger']\n"]

_CALLBACKS = [
    "on_app_start()", "on_app_end()", "on_model_init_start()", "on_model_init_end()",
    "on_train_start(train_iterations_start=0)", "on_train_batch_start()", "on_train_batch_end()", "on_train_end()",
    "on_save_checkpoint_start(global_step=1)", "on_save_checkpoint_end(global_step=1)", "on_validation_start()",
    "on_nothing()",
]  # fmt: skip


class _Indented(str):
    def __format__(self, spec: str) -> str:
        return textwrap.indent(self, " " * int(spec or 0))


@st.composite
def core_blocks(draw: Any) -> tuple[str, str]:
    """An import of the core, and a use of it."""
    statement, name = draw(st.sampled_from(CORE))
    rows = draw(st.lists(st.integers(0, 9), min_size=1, max_size=3))
    lines = [f"logger = {name}({{'project': 'p'}})"]
    lines += [f"logger.log_metrics({{'n': {row}, 'module': {name}.__module__}})" for row in rows]
    lines += [f"print(f'{{{name}.__name__}}')"] * draw(st.integers(0, 1))
    return statement, "\n".join(lines)


@st.composite
def utils_blocks(draw: Any) -> tuple[str, str]:
    """An import of ``OneLoggerUtils``, and a job."""
    statement, name = draw(st.sampled_from(UTILS))
    calls = draw(st.lists(st.sampled_from(_CALLBACKS), max_size=6))
    return statement, "\n".join([f"u = {name}(CONFIG)", *(f"u.{call}" for call in calls)])


@st.composite
def programs(draw: Any) -> str:
    """A whole program; ``CONFIG`` is given to it."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        parts += draw(st.lists(st.sampled_from(DECOYS), max_size=2))
        statement, use = draw(st.one_of(core_blocks(), utils_blocks()))
        place = draw(st.sampled_from(PLACES))
        parts.append(place.format(_Indented(statement), _Indented(use)))
        for follow in draw(st.lists(st.sampled_from(FOLLOWS), max_size=2)):
            parts.append(_GUARD.format(_Indented(follow)))
    parts.append(draw(st.sampled_from(ENDS)))
    return "\n".join(parts) + draw(st.sampled_from(["\n", "", "\n\n# one_logger\n"]))

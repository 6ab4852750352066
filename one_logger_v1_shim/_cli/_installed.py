"""What is installed for an interpreter, asked in a process of its own: an import is slow, may fail in any way, and sets
things up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from subprocess import DEVNULL, PIPE

from .._journal.environment import without_working_directory
from .._requirements import Requirement

DISTRIBUTION = "one-logger-v1-shim"

_START = 10.0  # seconds for an interpreter to begin
_LIMIT = 60.0  # seconds more for its imports; packages on a slow network file system
_ENDS = "ends the interpreter when it is imported"

# One line of JSON for each package, before and after its import: one that ends the interpreter is known by its name.
# Old Pythons have to be able to read it.
_ASK = """
import os, sys
out = os.fdopen(os.dup(1), "w")
def say(line):
    out.write("\\n" + line + "\\n")  # a sitecustomize may have printed half a line
    out.flush()
say('["python", "%d.%d.%d"]' % sys.version_info[:3])
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
sys.path[:] = [entry for entry in sys.path if entry]  # -c puts the working directory there
if sys.version_info >= (3, 9):
    import importlib, importlib.metadata as metadata, json
    def version(name):
        try:
            return str(metadata.version(name) or "")
        except Exception:
            return ""
    def tell(name, what):
        say(json.dumps([name, what]))
    tell("one-logger-v1-shim", version("one-logger-v1-shim"))
    for name, module in json.loads(sys.argv[1]).items():
        installed = version(name)
        said = installed or "it"
        tell(name, said + " ends the interpreter when it is imported")
        try:
            found = importlib.import_module(module)
            if installed or getattr(found, "__file__", None):
                tell(name, installed or "0 (no version is known)")
            else:  # a folder of that name, W&B's own run folder for example
                tell(name, "not installed (%s is something else)" % list(found.__path__)[0])
        except BaseException as error:
            if isinstance(error, ModuleNotFoundError) and not installed:
                tell(name, "not installed")
            else:
                lines = str(error).strip().splitlines()[:1]
                tell(name, "%s cannot be imported (%s)" % (said, ": ".join([type(error).__name__] + lines)[:300]))
"""


def ask(python: str, flags: list[str], needed: Sequence[Requirement], environ: Mapping[str, str]) -> dict[str, str]:
    """Version by name, Python's too, or why a package can't be used. ``""``: why the interpreter does not answer."""
    command = [python, *flags, "-c", _ASK, json.dumps({one.name: one.module for one in needed})]
    environ = without_working_directory(environ)
    try:
        process = subprocess.Popen(command, env=environ, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except (OSError, ValueError) as error:
        return {"": f"cannot be started ({getattr(error, 'strerror', None) or error})"}
    with process:
        found, late = _answer(process)
        process.kill()
    if "python" not in found:
        return {"": f"does not answer within {_START:g} s" if late else "is no Python that works"}
    if late:
        return {name: said.replace(_ENDS, f"cannot be imported within {_LIMIT:g} s") for name, said in found.items()}
    ended = next((name for name, said in found.items() if said.endswith(_ENDS)), None)
    if ended is not None:  # the others are still to be asked
        rest = needed[[one.name for one in needed].index(ended) + 1 :]
        found.update({**(ask(python, flags, rest, environ) if rest else {}), ended: found[ended]})
    return found


def is_usable(told: str) -> bool:
    """Whether that, of :func:`ask`, is a version."""
    return " " not in told or told.startswith("0 (")


def _answer(process: subprocess.Popen[bytes]) -> tuple[dict[str, str], bool]:
    """What it has said, and whether it is still at work when its time is over."""
    found: dict[str, str] = {}
    for limit in (_START, _LIMIT):
        try:
            return _heard(process.communicate(timeout=limit)[0]), False
        except subprocess.TimeoutExpired as slow:
            found = _heard(slow.output or b"")
        if not found:
            break
    return found, True


def _heard(said: bytes) -> dict[str, str]:
    found = {}
    for line in said.decode("utf-8", "replace").splitlines():
        try:
            name, what = json.loads(line)
        except (TypeError, ValueError):
            continue
        found[str(name)] = str(what)
    return found

"""What is installed where it is needed, in the job's process and in the worker's, and which process v2 is told in.

Packages are imported in a process of its own: an import is slow, may fail in any way, and sets things up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .._journal.destination import RunSpec
from .._journal.environment import environment, without_working_directory
from .._journal.files import quoted
from .._journal.interpreter import VARIABLE, Interpreter, find
from .._journal.words import PATH
from .._requirements import REQUIREMENTS, Requirement, release
from .._version import VERSION
from ._findings import ERROR, OK, WARNING, Finding

# The worker asks wandb for its features, down to this version, which a plain installation does not bring.
_LEAST = {"wandb": "0.17.7"}

_ASK_LIMIT = 60.0  # seconds; packages on a slow network file system
_START = 10.0  # seconds for an interpreter to begin
_DISTRIBUTION = "one-logger-v1-shim"

_ENDS = "ends the interpreter when it is imported"

# One line of JSON for each package, before and after its import: one that ends the interpreter is known by its name.
# Old Pythons have to be able to read it.
_ASK = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]  # -c puts the working directory there
import json, os
out = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
def say(name, what):
    out.write("\\n" + json.dumps([name, what]) + "\\n")  # a sitecustomize may have printed half a line
    out.flush()
say("python", "%d.%d.%d" % sys.version_info[:3])
if sys.version_info >= (3, 9):
    import importlib, importlib.metadata as metadata
    def version(name):
        try:
            return str(metadata.version(name) or "")
        except Exception:
            return ""
    say("one-logger-v1-shim", version("one-logger-v1-shim"))
    for name, module in json.loads(sys.argv[1]).items():
        installed = version(name)
        said = installed or "it"
        say(name, said + " ends the interpreter when it is imported")
        try:
            found = importlib.import_module(module)
            if installed or getattr(found, "__file__", None):
                say(name, installed or "0 (no version is known)")
            else:  # a folder of that name, W&B's own run folder for example
                say(name, "not installed (%s is something else)" % list(found.__path__)[0])
        except BaseException as error:
            if isinstance(error, ModuleNotFoundError) and not installed:
                say(name, "not installed")
            else:
                lines = str(error).strip().splitlines()[:1]
                say(name, "%s cannot be imported (%s)" % (said, ": ".join([type(error).__name__] + lines)[:300]))
"""


def versions() -> Iterator[Finding]:
    """Python, this package, and what the job's process itself needs."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(OK, "python", f"{python} ({sys.executable})")
    yield Finding(OK, _DISTRIBUTION, f"{VERSION} ({Path(__file__).resolve().parent.parent})")
    here = ask(sys.executable, [], [one for one in REQUIREMENTS if not one.worker], dict(os.environ))
    for one in REQUIREMENTS:
        if not one.worker:
            found = _judged(one, here)
            if "not installed" in found.detail:
                # the job's environment may stay as it is
                found = Finding(OK, one.name, "not installed: only jobs with a framework module need it", found.advice)
            yield found


def worker() -> Iterator[Finding]:
    """The interpreter of the worker, and what it has."""
    interpreter = find(os.environ)
    if interpreter is None:
        advice = f"set {VARIABLE} to a Python that has wandb"
        yield Finding(ERROR, "worker", "no Python interpreter can be found for it; rows go to the journal only", advice)
        return
    needed = [one for one in REQUIREMENTS if one.worker]
    found = ask_worker(interpreter, needed)
    trouble = _unfit(interpreter, found)
    detail = f"runs on {interpreter.path} ({interpreter.origin})"
    if trouble:
        advice = f"python -m one_logger_v1_shim isolate, or set {VARIABLE}"
        yield Finding(ERROR, "worker", f"{detail}, which {trouble}; rows go to the journal only", advice)
        return
    yield Finding(OK, "worker", f"{detail}, Python {found['python']}")
    for one in needed:
        yield _judged(one, found, interpreter.path if interpreter.isolated else "")


def _unfit(interpreter: Interpreter, found: dict[str, str]) -> Optional[str]:
    """Why the worker can't run there at all."""
    if "" in found:
        return found[""]
    if release(found["python"]) < (3, 9):
        return f"is Python {found['python']}; expected 3.9"
    other = found.get(_DISTRIBUTION, "")
    if interpreter.isolated and other not in ("", VERSION):
        return f"has {_DISTRIBUTION} {other}; expected {VERSION}, or none"
    return None


def _judged(requirement: Requirement, found: dict[str, str], path: str = "") -> Finding:
    """One dependency, in the process that needs it."""
    name, where = requirement.name, f" in {path}" if path else ""
    told = found.get(name, found.get("", "cannot be asked"))
    # Without wandb no row reaches W&B; without the others rows do.
    level = ERROR if name == "wandb" else WARNING
    install = f"{quoted(path or 'python')} -m pip install '{requirement.specifier}'"
    advice = f"{install}, or python -m one_logger_v1_shim isolate" if requirement.worker else install
    if " " in told and not told.startswith("0 ("):
        return Finding(level, name, f"{told}{where}", advice)
    if not requirement._replace(least=_LEAST.get(name, requirement.least)).fits(told):
        return Finding(level, name, f"{told}{where}, expected {requirement.specifier}", advice)
    return Finding(OK, name, f"{told}{where}")


def ask_worker(interpreter: Interpreter, needed: list[Requirement]) -> dict[str, str]:
    """As :func:`ask`, in the environment that the worker would have."""
    environ = environment(RunSpec(chosen={}, default={}), interpreter)
    if not interpreter.isolated:
        environ["PYTHONPATH"] = os.pathsep.join(json.loads(environ.pop(PATH, "[]")))
        return ask(interpreter.path, [], needed, environ)
    found = ask(interpreter.path, ["-I"], needed, environ)
    if "" in found and "LD_LIBRARY_PATH" in os.environ:  # the job tries it, too
        with_libraries = environment(RunSpec(chosen={}, default={}), interpreter, libraries=True)
        found = ask(interpreter.path, ["-I"], needed, with_libraries)
    return found


def ask(python: str, flags: list[str], needed: list[Requirement], environ: dict[str, str]) -> dict[str, str]:
    """Version by name, Python's too, or why a package can't be used. ``""``: why the interpreter does not answer."""
    modules = json.dumps({one.name: one.module for one in needed})
    why = _hangs(python, flags, environ)
    if why:
        return {"": why}
    try:
        done = subprocess.run(
            [python, *flags, "-c", _ASK, modules],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=without_working_directory(environ),
            timeout=_ASK_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        found = _heard(error.stdout or b"")
        if "python" not in found:
            return {"": f"does not answer within {_ASK_LIMIT:g} s"}
        late = f"cannot be imported within {_ASK_LIMIT:g} s"
        return {name: said.replace(_ENDS, late) for name, said in found.items()}
    except (OSError, ValueError) as error:
        return {"": f"cannot be started ({getattr(error, 'strerror', None) or error})"}
    found = _heard(done.stdout)
    if "python" not in found:
        return {"": "is no Python that works"}
    ended = next((name for name, said in found.items() if said.endswith(_ENDS)), None)
    if ended is not None:  # the others are still to be asked
        rest = needed[[one.name for one in needed].index(ended) + 1 :]
        found.update({**(ask(python, flags, rest, environ) if rest else {}), ended: found[ended]})
    return found


def _hangs(python: str, flags: list[str], environ: dict[str, str]) -> str:
    """Why nothing can be asked of the interpreter; ``""``: it begins."""
    command = [python, *flags, "-c", "import os; os._exit(0)"]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, timeout=_START, check=False)
    except subprocess.TimeoutExpired:
        return f"does not answer within {_START:g} s"
    except (OSError, ValueError):
        return ""  # the question itself will say so
    return ""


def _heard(said: bytes) -> dict[str, str]:
    found = {}
    for line in said.decode("utf-8", "replace").splitlines():
        try:
            name, what = json.loads(line)
        except (TypeError, ValueError):
            continue
        found[str(name)] = str(what)
    return found

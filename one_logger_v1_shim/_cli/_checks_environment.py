"""What is installed, which rank this is, who answers to v1's names, and which v2 exporters are in force."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

from .._job.environment import PATH, environment
from .._job.forwarding import decide
from .._job.interpreter import VARIABLE, Interpreter, find
from .._journal.destination import RunSpec
from .._requirements import REQUIREMENTS, Requirement
from .._variables import switch
from .._version import VERSION
from ._findings import ERROR, OK, WARNING, Finding

_V1_NAMES = {"one_logger": "one_logger_v1_shim", "one_logger_utils": "one_logger_v1_shim.utils"}
_RANK = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "SLURM_JOB_ID", "SLURM_PROCID", "SLURM_NTASKS")
_EXPORTER_GROUP = "nv_one_logger.exporter_configs"
_EXPORTER_FILES = tuple(f"one_logger_exporters_config.{kind}" for kind in ("yaml", "yml", "json"))


def versions() -> Iterator[Finding]:
    """Python, this package, and what it needs in the job's process and in the worker's."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(OK, "python", f"{python} ({sys.executable})")
    yield Finding(OK, "one-logger-v1-shim", f"{VERSION} ({Path(__file__).resolve().parent.parent})")
    interpreter = find(os.environ)
    if interpreter is None:
        advice = f"set {VARIABLE} to a Python that has wandb"
        yield Finding(ERROR, "worker", "no Python interpreter can be found for it; rows go to the journal only", advice)
    else:
        yield Finding(OK, "worker", f"runs on {interpreter.path} ({interpreter.origin})")
    asked = ask_worker(interpreter) if interpreter is not None else {}
    for requirement in REQUIREMENTS:
        here = {} if requirement.worker else ask_here()
        yield _version(requirement, asked if requirement.worker else here, interpreter)
    process, why = decide()
    yield Finding(OK, "v2 hears v1's calls", f"in the {process}'s process: {why}")


def _version(requirement: Requirement, found: dict[str, str], interpreter: Optional[Interpreter]) -> Finding:
    """One dependency, in the process that needs it."""
    name = requirement.name
    told = found.get(name, found.get("", "can not be asked"))
    isolated = requirement.worker and interpreter is not None and interpreter.isolated
    where = f" in {interpreter.path}" if isolated and interpreter is not None else ""
    # Without wandb no row reaches W&B; without the others rows do.
    level = ERROR if name == "wandb" else WARNING
    advice = f"python -m pip install '{requirement.specifier}', or python -m one_logger_v1_shim isolate"
    if not told[:1].isdigit():
        return Finding(level, name, f"{told}{where}", advice)
    if _release(told) < _release(_LEAST.get(name, requirement.least)) or (
        requirement.below is not None and _release(told) >= _release(requirement.below)
    ):
        return Finding(level, name, f"{told}{where}, expected {requirement.specifier}", advice)
    return Finding(OK, name, f"{told}{where}")


# The worker asks wandb for its features, down to this version, which a plain installation does not bring.
_LEAST = {"wandb": "0.17.7"}

_ASK_LIMIT = 60.0  # seconds; packages on a slow network file system
_MODULES = {
    "wandb": "wandb",
    "wrapt": "wrapt",
    "nv-one-logger-core": "nv_one_logger.exporter.export_config_manager",
    "nv-one-logger-training-telemetry": "nv_one_logger.training_telemetry.api.training_telemetry_provider",
    "PyYAML": "yaml",
}
_ASK = """
import contextlib, importlib, importlib.metadata as metadata, io, json
found = {}
for name, module in %r.items():
    try:
        version = metadata.version(name)
    except Exception:
        version = ""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            importlib.import_module(module)
        found[name] = version or "0 (no version is known)"
    except BaseException as error:
        missing = isinstance(error, ModuleNotFoundError) and not version
        found[name] = "not installed" if missing else "%%s can not be imported (%%s: %%s)" %% (
            "version " + version if version else "it", type(error).__name__, str(error).strip().split("\\n")[0][:200])
print(json.dumps(found))
"""


def ask_worker(interpreter: Interpreter) -> dict[str, str]:
    """Version of each dependency where the worker runs, or why it can't be used there; ``""``: why nobody answers."""
    names = {one.name: _MODULES[one.name] for one in REQUIREMENTS if one.worker}
    flags = ["-I"] if interpreter.isolated else []
    environ = environment(RunSpec(chosen={}, default={}), interpreter)
    if not interpreter.isolated:
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [environ.pop(PATH, "")]))
    return _ask([interpreter.path, *flags], names, environ)


def ask_here() -> dict[str, str]:
    """The same for what the job's process needs."""
    names = {one.name: _MODULES[one.name] for one in REQUIREMENTS if not one.worker}
    return _ask([sys.executable], names, dict(os.environ))


def _ask(command: list[str], names: dict[str, str], environ: dict[str, str]) -> dict[str, str]:
    try:
        done = subprocess.run(
            [*command, "-c", _ASK % (names,)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environ,
            timeout=_ASK_LIMIT,
            check=False,
        )
        found: dict[str, str] = json.loads(done.stdout.decode("utf-8", "replace").splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"": f"can not be asked: no answer within {_ASK_LIMIT:g} s"}
    except OSError as error:
        return {"": f"can not be asked: {command[0]} can not be started ({error.strerror})"}
    except (ValueError, IndexError):
        return {"": f"can not be asked: {command[0]} is no Python that works"}
    return found


def _release(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def rank() -> Iterator[Finding]:
    """What the launcher says about this process. Which rank logs is for ``enable_for_current_rank`` to say."""
    told = {name: os.environ[name] for name in _RANK if name in os.environ}
    if not told:
        yield Finding(OK, "rank", "one process: neither RANK nor SLURM variables are set")
        return
    detail = ", ".join(f"{name}={value}" for name, value in told.items())
    for mine, all_of_them in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        numbers = []
        for name in (mine, all_of_them):
            if name in told:
                try:
                    numbers.append(int(told[name]))
                except ValueError:
                    yield Finding(WARNING, "rank", f"{name}={told[name]!r} is no number", f"set or unset {name}")
                    return
        if len(numbers) == 2 and not 0 <= numbers[0] < numbers[1]:
            yield Finding(WARNING, "rank", f"{detail}: {mine} is not below {all_of_them}", "look at the launcher")
            return
    yield Finding(OK, "rank", detail)


def providers() -> Iterator[Finding]:
    """Who provides v1's modules in this environment; nothing is imported to find out."""
    asked = switch(os.environ, "ONE_LOGGER_V1_SHIM")
    hook = next((str(entry) for entry in _site_folders() if (entry / "one_logger_v1_shim.pth").is_file()), None)
    real = []
    for name in _V1_NAMES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None and type(spec.loader).__module__.endswith("._noedit"):
            yield Finding(OK, name, "the shim, in no-edit mode")
        elif spec is not None and spec.origin is not None:
            real.append(name)
            other = "; the no-edit mode stands back" if asked else ""
            yield Finding(
                WARNING if asked else OK,
                name,
                f"the real one, {spec.origin}{other}",
                f"python -m pip uninstall {name} if the shim is wanted" if asked else "",
            )
        elif asked:
            yield Finding(
                WARNING,
                name,
                "nobody, although ONE_LOGGER_V1_SHIM is set: the package's .pth file is not read here",
                "start the job with: python -m one_logger_v1_shim run",
            )
        else:
            yield Finding(OK, name, f"nobody; import {_V1_NAMES[name]}, or set ONE_LOGGER_V1_SHIM=1 for no-edit mode")
    if len(real) == 1:
        other = next(name for name in _V1_NAMES if name not in real)
        yield Finding(WARNING, "v1 modules", f"{real[0]} is the real one, {other} is not", "use both from one package")
    detail = (
        f"in {hook}" if hook else "not installed: ONE_LOGGER_V1_SHIM=1 alone does nothing, `run` works all the same"
    )
    yield Finding(OK, "no-edit hook (.pth)", f"{detail}; ONE_LOGGER_V1_SHIM is {'on' if asked else 'off'}")


def _site_folders() -> list[Path]:
    return [Path(entry) for entry in sys.path if entry.rstrip(os.sep).endswith("-packages")]


def exporters() -> Iterator[Finding]:
    """The exporters that v2 itself adds beside ours; their settings are not shown, they may hold tokens."""
    found = metadata.entry_points()
    group: Any = found.select(group=_EXPORTER_GROUP) if hasattr(found, "select") else found.get(_EXPORTER_GROUP, [])
    for entry in group:
        yield Finding(OK, "v2 exporter", f"{entry.name} = {entry.value} (entry point)")
    path, problem = _exporter_file()
    if problem:
        yield Finding(WARNING, "v2 exporters", problem, "correct or unset ONE_LOGGER_EXPORTER_CONFIG_PATH")
    if path is None:
        yield Finding(OK, "v2 exporters", "no configuration file: only the v1-compatible W&B exporter")
        return
    try:
        listed = _exporters_in(path)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        yield Finding(
            WARNING, "v2 exporters", f"{path} can not be used ({reason}); v2 goes on without it", "correct it"
        )
        return
    for name, enabled in listed:
        state = "" if enabled else ", off"
        if importlib.util.find_spec(name.split(".")[0]) is None:
            yield Finding(
                WARNING, "v2 exporter", f"{name} ({path}{state}) is not installed", "install it, or remove it there"
            )
        else:
            yield Finding(OK, "v2 exporter", f"{name} ({path}{state})")


def _exporter_file() -> tuple[Optional[Path], str]:
    """The file that v2 reads: what the variable names if it exists, else one in the working directory."""
    problem = ""
    named = os.environ.get("ONE_LOGGER_EXPORTER_CONFIG_PATH")
    if named:
        if Path(named).exists():
            return Path(named), ""
        problem = f"ONE_LOGGER_EXPORTER_CONFIG_PATH names {named}, which does not exist; v2 says nothing about it"
    return next((path for path in map(Path, _EXPORTER_FILES) if path.exists()), None), problem


def _exporters_in(path: Path) -> list[tuple[str, bool]]:
    text = path.read_text()
    if path.suffix.lower() == ".json":
        content = json.loads(text)
    elif path.suffix.lower() in (".yaml", ".yml"):
        import yaml

        content = yaml.safe_load(text)
    else:
        raise ValueError(f"expected .yaml, .yml or .json, not {path.suffix!r}")
    if not isinstance(content, dict) or not isinstance(content.get("exporters"), list):
        raise ValueError("expected a mapping with a list 'exporters'")
    return [(str(one["class_name"]), bool(one.get("enabled", True))) for one in content["exporters"]]

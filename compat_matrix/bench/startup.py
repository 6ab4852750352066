"""What the start of an interpreter costs: without the package, with it and the no-edit mode off, and on."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import venv
from pathlib import Path
from typing import Any

from .process import PACKAGE, BenchError, environment
from .table import Row


def _cpu_ms(command: list[str], environ: dict[str, str]) -> float:
    """CPU time: on a busy machine the clock on the wall measures the neighbours."""
    process = subprocess.Popen(command, env=environ)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"{command[0]} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1000


def startup(base: Path, size: Any) -> list[Row]:
    """``python -c pass`` in two environments that differ in the package alone; they take turns."""
    pythons = {name: base / name / "bin" / "python" for name in ("without", "with")}
    for name, python in pythons.items():
        venv.EnvBuilder(symlinks=True).create(base / name)
        (packages,) = (base / name).glob("lib/python*/site-packages")
        if name == "with":
            shutil.copytree(PACKAGE, packages / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(PACKAGE / "_namespace" / f"{PACKAGE.name}.pth", packages)
        else:
            (packages / "other.pth").write_text("import os\n")  # that a .pth file is read is not ours
        subprocess.run([str(python), "-m", "compileall", "-q", str(packages)], check=True)
    kinds = {"without": ("without", ""), "off": ("with", ""), "on": ("with", "1")}
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(10 * size.starts + 1):
        for kind, (name, word) in kinds.items():
            environ = environment(base / name)
            del environ["PYTHONPATH"], environ["PYTHONPYCACHEPREFIX"]
            found[kind].append(_cpu_ms([str(pythons[name]), "-c", "pass"], {**environ, "ONE_LOGGER_V1_SHIM": word}))
    median = {kind: statistics.median(times) for kind, times in found.items()}
    more = {kind: statistics.median(a - b for a, b in zip(found[kind], found["without"])) for kind in ("off", "on")}
    return [
        Row(
            f"start of an interpreter (`python -c pass`), the no-edit mode {kind}", target,
            f"{median[kind]:.1f} ms", f"{more[kind]:+.2f} ms",
            f"without the package {median['without']:.1f} ms; CPU time", met,
            figures={"ms": median[kind], "more_ms": more[kind], "without_ms": median["without"]},
        )
        for kind, target, met in (
            ("off", "at most 0.3 ms more than without the package", more["off"] <= 0.3),
            ("on", "at most 3 ms more", more["on"] <= 3),
        )
    ]  # fmt: skip

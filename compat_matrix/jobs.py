"""What a cell runs: every recorded job and every program, with what it must leave in W&B."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from .compare import Event, ExpectedRun, events_of

HOME = Path(__file__).resolve().parent
GOLDENS = HOME / "goldens"
PROGRAMS = HOME / "programs"

#: of a job's environment: its rows are those of another v1 than 1.0.2
WIRE = "ONE_LOGGER_V1_WIRE"

#: where v1's packages live in the shim
SHIM = {"one_logger": "one_logger_v1_shim", "one_logger_utils": "one_logger_v1_shim.utils"}
_V1_IMPORT = re.compile(r"^(\s*(?:from|import)\s+)one_logger(_utils)?\b", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One recorded job or one program."""

    #: "golden/quickstart", "program/megatron", "program/megatron@readme" (as the README runs it, real clock)
    name: str
    path: Path
    runs: tuple[ExpectedRun, ...]
    #: goldens: per call the type of exception that v1 raised, None if none
    raises: tuple[Optional[str], ...] = ()
    needs: tuple[str, ...] = ()
    clock: str = "virtual"
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    #: the program's own configuration names this W&B server; ours stays out of it
    server: str = ""

    @property
    def is_golden(self) -> bool:
        """Whether it is a recorded job."""
        return self.name.startswith("golden/")


def golden(path: Path, whole: bool = False) -> Job:
    """A recorded job from its file. ``whole``: it will run in its own environment, so that the bookkeeping is known."""
    job = json.loads(path.read_text(encoding="utf-8"))
    emits: list[Any] = []
    times: list[int] = []
    at = 0.0
    for number, expect in enumerate(job["expect"]):
        at = job["steps"][number - 1]["at"] if number else 0.0
        emits += expect["emits"]
        times += [round((job["t0"] + at) * 1000)] * len(expect["emits"])
    config = job["config"]
    core = job.get("target") == "OneLogger"
    events = tuple(events_of(emits, times, []))
    run = ExpectedRun(
        project=config.get("project" if core else "one_logger_project", ""),
        name=config.get("name" if core else "one_logger_run_name"),
        events=events,
        first_row=job.get("first_row") if whole else None,
        rows=tuple(job["rows"]) if whole and "rows" in job else None,
    )
    raises = tuple(expect.get("raises") for expect in job["expect"])
    # a job whose construction failed left no run; one that failed after its first rows did
    environment = job.get("environment", {})
    return Job(f"golden/{path.stem}", path, (run,) if events else (), raises, environment=environment)


def program(folder: Path) -> Job:
    """A program from its folder."""
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    runs = tuple(
        ExpectedRun(run["project"], run["name"], tuple(Event(*event) for event in run["events"]))
        for run in expected["runs"]
    )
    return Job(
        f"program/{folder.name}",
        folder / "train.py",
        runs,
        needs=tuple(expected.get("needs", ())),
        clock=expected.get("clock", "virtual"),
        arguments=tuple(expected.get("args", ())),
        environment=expected.get("env", {}),
        exit_code=expected.get("exit", 0),
        server=expected.get("server", ""),
    )


def by_the_readme(job: Job) -> Job:
    """The same program as a user starts it: by the README's command, by the real clock."""
    return Job(**{**job.__dict__, "name": f"{job.name}@readme", "clock": "real"})


def all_jobs() -> list[Job]:
    """Everything, the slow ones first so that no core idles at the end."""
    programs = [program(path.parent) for path in sorted(PROGRAMS.glob("*/expected.json"))]
    real = [by_the_readme(job) for job in programs if job.name in ("program/megatron", "program/longlive")]
    programs.sort(key=lambda job: not job.needs)
    return [*programs, *real, *(golden(path, whole=True) for path in sorted(GOLDENS.glob("*.json")))]


def swap_imports(source: str, own: Collection[str] = ()) -> str:
    """The user's one edit: v1's import paths become the shim's. ``own``: modules that the program brings itself."""

    def swapped(match: re.Match[str]) -> str:
        v1 = "one_logger" + (match[2] or "")
        return match[0] if v1 in own else match[1] + SHIM[v1]

    return _V1_IMPORT.sub(swapped, source)


def swapped_copy(script: Path, into: Path) -> Path:
    """The program with its imports swapped, and the modules beside it."""
    own = {path.stem for path in script.parent.glob("*.py")}
    into.mkdir()
    for path in script.parent.glob("*.py"):
        (into / path.name).write_text(swap_imports(path.read_text(encoding="utf-8"), own), encoding="utf-8")
    return into / script.name

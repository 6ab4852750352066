"""The rows of the benchmark that take a fresh process for each figure: import, construction, ``finish()``."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .lanes import CONFIG
from .process import HangingServer, Lane, timed
from .table import Row

_TIMED = """
import json, time
begin, cpu = time.perf_counter(), time.process_time()
{code}
print(json.dumps({{"ms": (time.perf_counter() - begin) * 1000, "cpu": (time.process_time() - cpu) * 1000}}))
"""

# All that a disabled rank of a v1 job does: both packages, both classes.
_DISABLED = """
from one_logger_v1_shim import OneLogger
from one_logger_v1_shim.utils import OneLoggerUtils
OneLogger({"enable_one_logger": False})
OneLoggerUtils({"enable_for_current_rank": False})
"""
_IMPORTS = {
    "import": "import one_logger_v1_shim",
    "used": _DISABLED,
    "v2": "from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider",
    "wandb": "import wandb",
}


def imports(base: Path, size: Any) -> list[Row]:
    """What a disabled rank pays for having the shim; compiled modules.

    Judged by CPU time: imports from a warm disk do nothing but compute, and on a busy machine the clock on the wall
    measures the neighbours.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for turn in range(size.starts + 1):
        for name, code in _IMPORTS.items():
            answer = timed(_TIMED.format(code=code), base / name)
            if turn or not size.starts:  # the first one compiles
                found.setdefault(name, []).append(answer)
    cpu = {name: statistics.median(one["cpu"] for one in answers) for name, answers in found.items()}
    wall = {name: statistics.median(one["ms"] for one in answers) for name, answers in found.items()}
    peers = f"importing v2 {cpu['v2']:.0f} ms, wandb {cpu['wandb']:.0f} ms"
    return [
        Row(
            what, "at most 30 ms",
            f"{cpu[name]:.1f} ms", f"{cpu[name] / cpu['v2']:.2f} x v2", peers, cpu[name] <= 30,
            f"CPU time; by the clock {wall[name]:.0f}, {wall['v2']:.0f} and {wall['wandb']:.0f} ms",
            {"cpu_ms": cpu[name], "ms": wall[name], "v2_cpu_ms": cpu["v2"], "wandb_cpu_ms": cpu["wandb"]},
        )
        for name, what in (
            ("import", "`import one_logger_v1_shim`"),
            ("used", "the same, with both classes imported and made, on a disabled rank"),
        )
    ]  # fmt: skip


# How long the worker asks a server that hangs; what the job does until then is what is measured.
_SHORT = {"ONE_LOGGER_V1_CONNECT_TIMEOUT": "1"}

_CONSTRUCTION = f"""
import glob, json, os, time
begin = time.perf_counter()
from one_logger_v1_shim.utils import OneLoggerUtils
utils = OneLoggerUtils({CONFIG!r})
built = time.perf_counter()

def state():
    for path in glob.glob("wandb/one-logger-*/mark.json"):
        return json.load(open(path)).get("state")

early = state()
limit = time.monotonic() + 30
while not state() and time.monotonic() < limit:
    time.sleep(0.02)
up = time.perf_counter()
utils.finish()
print(json.dumps({{"ms": (built - begin) * 1000, "early": early, "up_ms": (up - begin) * 1000}}))
"""

_WANDB = """
import json, time
begin = time.perf_counter()
import wandb
imported = time.perf_counter()
run = wandb.init(project="bench", mode="offline", settings=wandb.Settings(console="off", silent=True))
built = time.perf_counter()
run.finish()
print(json.dumps({"ms": (built - begin) * 1000, "init_ms": (built - imported) * 1000}))
"""


def construction(base: Path, size: Any) -> list[Row]:
    """The first enabled ``OneLoggerUtils`` of a process, its imports included; the same while the server hangs."""
    ours: list[dict[str, Any]] = []
    hanging: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    with HangingServer() as server:
        more = {**server.environment, **_SHORT}
        for turn in range(size.starts + 1):
            # The job's process of the hanging server waits for the worker at its end, which takes its time.
            for collected, name, code, environ in (
                (ours, "ours", _CONSTRUCTION, {}),
                (theirs, "theirs", _WANDB, {}),
                *([(hanging, "hanging", _CONSTRUCTION, more)] if turn <= 3 else []),
            ):
                answer = timed(code, base / f"{name}-{turn}", **environ)  # compiled modules lie in base
                if turn or not size.starts:  # the first one compiles
                    collected.append(answer)
    wandb = statistics.median(one["ms"] for one in theirs)
    init = statistics.median(one["init_ms"] for one in theirs)
    listed = []
    for answers, what in ((ours, "offline"), (hanging, "while the server hangs")):
        built, up = (statistics.median(one[name] for one in answers) for name in ("ms", "up_ms"))
        waited = any(one["early"] for one in answers)
        listed.append(
            Row(
                f"first enabled construction, {what}", "does not wait for wandb to come up; at most 60 ms",
                f"{built:.0f} ms", f"{built / wandb:.2f} x `import wandb` + `wandb.init`",
                f"our W&B run is up {up - built:.0f} ms later; "
                f"`wandb.init` offline {init:.0f} ms, with its import {wandb:.0f} ms",
                not waited and built < up and built <= 60,
                figures={"ms": built, "up_ms": up, "wandb_ms": wandb, "init_ms": init},
            )
        )  # fmt: skip
    return listed


@dataclass
class _Drains:
    """What ``finish()`` right after many rows took, a figure for each time."""

    seconds: list[float] = field(default_factory=list)
    all_seconds: list[float] = field(default_factory=list)  # logging included
    stored: list[int] = field(default_factory=list)
    said: list[bool] = field(default_factory=list)

    def add(self, base: Path, queued: int, limit: float) -> None:
        with Lane("core", base, None, ONE_LOGGER_V1_FINISH_TIMEOUT=str(limit)) as lane:
            lane.do("advance", n=1)
            lane.do("settle")  # wandb is up: what is timed is the drain
            ended = lane.do("ending", n=queued)
            self.seconds.append(ended["s"])
            self.all_seconds.append(ended["all"])
            self.stored.append(int(lane.do("state").get("rows", 0)))
            self.said.append("waiting for W&B" in lane.log())

    @property
    def took(self) -> float:
        return statistics.median(self.seconds)

    def kept(self, queued: int, limit: float) -> bool:
        """Every row, within the limit, and a line where one was due."""
        spoke = all(line or seconds <= 2.2 for line, seconds in zip(self.said, self.seconds))
        return self.took <= limit and spoke and all(rows == queued + 1 for rows in self.stored)


def finish(base: Path, size: Any) -> list[Row]:
    """``finish()`` right after many rows; and with a time limit that is too short, while the server hangs."""
    limit, short = 30.0, 2.0
    ours, theirs = _Drains(), _Drains()
    for _ in range(max(1, size.starts // 3)):
        ours.add(base, size.queued, limit)
        with Lane("wandb", base) as lane:
            direct = lane.do("ending", n=size.queued)
        theirs.seconds.append(direct["s"])
        # wandb takes the rows while they are logged, in the job's time: only both together compare
        theirs.all_seconds.append(direct["all"])
    all_ours, all_theirs = (statistics.median(one.all_seconds) for one in (ours, theirs))
    least = min(ours.stored)
    with HangingServer() as server:
        more = {**server.environment, **_SHORT, "ONE_LOGGER_V1_FINISH_TIMEOUT": str(short)}
        with Lane("core", base, None, **more) as lane:
            bounded = lane.do("ending", n=size.queued)["s"]
            begin = time.monotonic()
        left = time.monotonic() - begin
    return [
        Row(
            f"`finish()` with {size.queued:,} rows queued",
            f"bounded by the drain, a line if over 2 s, never over the limit ({limit:.0f} s)",
            f"{ours.took:.1f} s", f"{all_ours / all_theirs:.2f} x `wandb.Run`, logging included",
            f"`wandb.Run.finish` after as many rows {theirs.took:.1f} s; logging included, ours {all_ours:.1f} s "
            f"and wandb {all_theirs:.1f} s",
            ours.kept(size.queued, limit),
            f"{size.queued / ours.took:,.0f} rows/s, {'all' if least > size.queued else least} rows taken, "
            f"{'a line was said' if any(ours.said) else 'no line was due'}",
            {
                "s": ours.took, "wandb_s": theirs.took, "all_s": all_ours, "wandb_all_s": all_theirs,
                "stored": ours.stored,
            },
        ),
        Row(
            f"the same, server hanging, limit {short:.0f} s", f"at most {short + 0.5} s",
            f"{bounded:.2f} s", f"{bounded / short:.2f} x the limit", "", bounded <= short + 0.5,
            f"the worker finished by itself {left:.1f} s later, offline",
            {"s": bounded, "left_s": left},
        ),
    ]  # fmt: skip

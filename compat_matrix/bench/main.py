"""``python -m compat_matrix bench``: what the shim costs a job, beside what v2 and wandb cost it.

A benchmark, not a test: every row of the table is measured in this run together with its peers, who take turns in
processes of their own; figures are medians over turns, ratios medians of the ratios of each turn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from . import starts, startup
from . import table as table_of
from .otlp import otlp
from .process import BenchError, HangingServer, Lane, together
from .table import Row, us


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    turns: int
    pairs: int  # in a turn
    warm: int  # iterations before the young lanes count
    iterations: int  # that make a lane old
    rows: int  # that make a lane with rows old
    v2_rows: int  # v2's own callbacks get slower with each: theirs are fewer
    memory_after: int
    calls: int  # of log_metrics in a turn
    starts: int  # fresh processes of each kind
    queued: int  # rows before finish()


SIZES = {
    "full": Size(15, 2000, 1000, 1_000_000, 100_000, 5_000, 10_000, 2000, 9, 10_000),
    "quick": Size(9, 2000, 1000, 200_000, 20_000, 2_000, 10_000, 1000, 5, 10_000),
    # does it run? The figures mean nothing.
    "tiny": Size(1, 20, 20, 200, 50, 20, 50, 20, 0, 50),
}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios, turn by turn."""
    return statistics.median(one / other for one, other in zip(ours, theirs))


def turns(lanes: Sequence[Lane], size: Size, measure: Callable[[Lane], Any]) -> dict[Lane, list[Any]]:
    """What ``measure`` finds for each lane in each turn.

    What a lane has queued is drained on the other core before the next lane is measured.
    """
    found: dict[Lane, list[Any]] = {lane: [] for lane in lanes}
    for _ in range(size.turns):
        for lane in lanes:
            found[lane].append(measure(lane))
            if lane.settles:
                lane.do("settle")
    return found


def callbacks(base: Path, size: Size) -> list[Row]:
    """The pair of batch callbacks: without a row due, and with one due every iteration; young and old."""
    row_due = {"every": 1}
    with ExitStack() as stack:

        def lane(kind: str, options: Optional[dict[str, Any]] = None) -> Lane:
            return stack.enter_context(Lane(kind, base, options))

        empty, v2, v2_rows, v2_old = lane("empty"), lane("v2"), lane("v2", row_due), lane("v2", row_due)
        young, old = lane("shim"), lane("shim")
        rows_young, rows_old = lane("shim", row_due), lane("shim", row_due)
        ours = (young, old, rows_young, rows_old)
        together((old, "advance", {"n": size.iterations}), (rows_old, "advance", {"n": size.rows}))
        reached = v2_old.do("advance", n=size.v2_rows, limit=20)
        v2_at = us(v2_old.do("turn", n=20))
        for one in (v2, young, rows_young):
            one.do("advance", n=size.warm)
        together(*((one, "settle", {}) for one in ours))
        found = turns(
            (empty, v2, v2_rows, *ours), size, lambda one: one.do("turn", n=20 if one is v2_rows else size.pairs)
        )
    median = {one: statistics.median(times) for one, times in found.items()}

    def ratio(one: Lane, other: Lane) -> float:
        return ratios(found[one], found[other])

    to_v2, aged = ratio(young, v2), ratio(old, young)
    row_to_v2, row_aged = ratio(rows_young, v2), ratio(rows_old, rows_young)
    direct = median[v2]
    start, at = "`on_train_batch_start` + `_end`, enabled, ", f"iteration {size.warm:,}"
    return [
        Row(
            f"{start}no row due, from {at}", "at most 0.12 x v2's own pair",
            us(median[young]), f"{to_v2:.2f} x v2",
            f"v2 direct {us(direct)}; empty method calls {us(median[empty])}", to_v2 <= 0.12,
            figures={"us": median[young], "ratio": to_v2, "v2_us": direct, "empty_us": median[empty]},
        ),
        Row(
            f"the same from iteration {size.iterations:,}", f"within 1.2 x of {at}",
            us(median[old]), f"{aged:.2f} x {at}", f"at {at} {us(median[young])}", aged <= 1.2,
            figures={"us": median[old], "ratio": aged},
        ),
        Row(
            "the pair with a row due every iteration, async", "at most 0.35 x v2's own pair without a row",
            us(median[rows_young]), f"{row_to_v2:.2f} x v2's pair without",
            f"v2 direct {us(median[v2_rows])} in its first {20 * size.turns} rows, {v2_at} after {reached:,}, "
            f"{us(direct)} without a row",
            row_to_v2 <= 0.35,
            figures={
                "us": median[rows_young], "ratio": row_to_v2, "v2_us": median[v2_rows], "v2_rows": reached,
            },
        ),
        Row(
            f"the same after {size.rows:,} rows", "flat: within 1.2 x of the first rows",
            us(median[rows_old]), f"{row_aged:.2f} x row {size.warm:,}",
            f"at row {size.warm:,} {us(median[rows_young])}", row_aged <= 1.2,
            figures={"us": median[rows_old], "ratio": row_aged},
        ),
    ]  # fmt: skip


def memory(base: Path, size: Size) -> list[Row]:
    """What a long job's telemetry keeps, and what its processes take."""
    every = max(1, size.iterations // size.rows)
    given = {"every": every}
    with Lane("shim", base, given) as shim, Lane("v2", base, given) as v2:
        ours, theirs = together(
            (shim, "memory", {"n": size.iterations, "after": size.memory_after}),
            (v2, "memory", {"n": size.iterations, "after": min(2000, size.memory_after), "limit": 20}),
        )
        shim.do("settle")
        taken = shim.do("processes")
    grown, v2_rows = ours["mib"], theirs["units"] / every
    return [
        Row(
            f"memory over {size.iterations:,} iterations and {size.rows:,} rows",
            f"RSS growth under 16 MiB after the first {size.memory_after:,}",
            f"{grown:.1f} MiB", f"{grown / size.rows * 1024:.2f} KiB a row",
            f"v2 direct {theirs['mib']:.1f} MiB over {v2_rows:,.0f} rows, where it was stopped",
            grown < 16,
            figures={"mib": grown, "v2_mib": theirs["mib"], "v2_rows": v2_rows},
        ),
        Row(
            "the processes after it: memory, CPU time in all", "",
            ", ".join(f"{kind} {one['mib']:.0f} MiB, {one['cpu_s']:.0f} s" for kind, one in taken.items()), "",
            "`worker` holds v2; `wandb`: wandb's own process",
            figures={"processes": taken},
        ),
    ]  # fmt: skip


def disabled(base: Path, size: Size) -> list[Row]:
    """A rank that is not enabled."""
    off = {"enabled": False}
    with Lane("empty", base) as empty, Lane("v2", base, off) as v2, Lane("shim", base, off) as shim:
        found = turns((empty, v2, shim), size, lambda lane: lane.do("turn", n=size.pairs) / 2)
    nothing, direct, ours = (statistics.median(times) for times in found.values())
    return [
        Row(
            "a disabled rank, one callback", "at most 0.5 us",
            us(ours), f"{ratios(found[shim], found[v2]):.3f} x v2 disabled",
            f"v2 disabled {us(direct)}; an empty method call {us(nothing)}", ours <= 0.5,
            figures={"us": ours, "v2_us": direct, "empty_us": nothing},
        )
    ]  # fmt: skip


def rows(base: Path, size: Size) -> list[Row]:
    """``OneLogger.log_metrics`` beside ``wandb.Run.log``; also while the server hangs."""
    with ExitStack() as stack:
        server = stack.enter_context(HangingServer())
        theirs = stack.enter_context(Lane("wandb", base))
        ours = stack.enter_context(Lane("core", base))
        hanging = stack.enter_context(Lane("core", base, None, settles=False, **server.environment))
        lanes = (theirs, ours, hanging)
        for lane in lanes:
            lane.do("advance", n=size.warm)
        for lane in (theirs, ours):
            lane.do("settle")
        found = turns(lanes, size, lambda lane: lane.do("each", n=size.calls))
    middle = {lane: [one["median"] for one in found[lane]] for lane in lanes}
    worst = {lane: statistics.median(one["p999"] for one in found[lane]) for lane in lanes}
    every = {lane: statistics.median(one["every_p999"] for one in found[lane]) for lane in lanes}
    median = {lane: statistics.median(middle[lane]) for lane in lanes}
    wandb = f"`wandb.Run.log` {us(median[theirs])}, p99.9 {us(worst[theirs])}"
    listed = []
    for lane, what in ((ours, "async, journal on"), (hanging, "while the server hangs")):
        ratio = ratios(middle[lane], middle[theirs])
        listed += [
            Row(
                f"`OneLogger.log_metrics` of 14 numbers, {what}", "at most 0.11 x `wandb.Run.log`",
                us(median[lane]), f"{ratio:.2f} x `wandb.Run.log`", wandb, ratio <= 0.11,
                figures={"us": median[lane], "ratio": ratio, "wandb_us": median[theirs]},
            ),
            Row(
                f"the same, 99.9th percentile, {what}", "under 1 ms",
                us(worst[lane]), f"{worst[lane] / worst[theirs]:.2f} x `wandb.Run.log`",
                wandb, worst[lane] < 1000,
                f"without calls that lost their core to another process; with them {us(every[lane])}, "
                f"wandb {us(every[theirs])}",
                {"us": worst[lane], "wandb_us": worst[theirs], "every_us": every[lane]},
            ),
        ]  # fmt: skip
    return listed


PARTS: dict[str, Callable[[Path, Any], list[Row]]] = {
    "callbacks": callbacks,
    "memory": memory,
    "disabled": disabled,
    "rows": rows,
    "startup": startup.startup,
    "import": starts.imports,
    "construction": starts.construction,
    "finish": starts.finish,
    "otlp": otlp,
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """0: everything was measured. 1: something could not be. What a figure is has no influence."""
    parser = argparse.ArgumentParser(prog="python -m compat_matrix bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--quick", action="store_const", dest="size", const="quick", default="full", help="fewer turns, shorter jobs"
    )
    parser.add_argument("--size", choices=SIZES, default="full", help=argparse.SUPPRESS)
    parser.add_argument("--only", metavar="PART", action="append", choices=list(PARTS), help=f"one of {list(PARTS)}")
    parser.add_argument("--markdown", action="store_true", help="print the table as the README shows it, at the end")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures there")
    options = parser.parse_args(arguments)
    facts = table_of.machine()
    print(f"{table_of.described(facts)}\n", flush=True)
    table: list[Row] = []
    complete = True
    with ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="one-logger-bench-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)  # a process that was killed may still write there
        for name in options.only or PARTS:
            base = Path(folder) / name
            base.mkdir()
            try:
                found = PARTS[name](base, SIZES[options.size])
            except (BenchError, OSError) as error:
                complete = False
                found = [Row(name, "", note=str(error))]
            table += found
            for row in found:
                print(table_of.text(row), flush=True)
    judged = [row for row in table if row.target or not row.measured]
    print(f"\n{sum(bool(row.met) for row in judged)} of {len(judged)} met")
    if options.markdown:
        print(f"\n{table_of.markdown(table, facts)}")
    if options.json:
        options.json.write_text(json.dumps(table_of.as_json(table, facts), indent=1) + "\n")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())

"""``python -m compat_matrix bench``: what the shim costs a job, beside what v2 and wandb cost it.

A benchmark, not a test: every row of the table is measured in this run together with its peers, who take turns in
processes of their own; figures are medians over turns, ratios medians of the ratios of each turn.
"""

from __future__ import annotations

import argparse
import json
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
from .process import BenchError, HangingServer, Lane, isolated_mode, together
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
    modes: tuple[dict[str, str], ...] = ({}, isolated_mode(base))
    with ExitStack() as stack:

        def lane(kind: str, options: Optional[dict[str, Any]] = None, settles: bool = True, **more: str) -> Lane:
            return stack.enter_context(Lane(kind, base, options, settles, **more))

        empty, v2, v2_rows, v2_old = lane("empty"), lane("v2"), lane("v2", row_due), lane("v2", row_due)
        # in the job nothing waits after a pair without a row
        young, old = lane("shim", settles=False), lane("shim", settles=False)
        young_isolated, old_isolated = lane("shim", **modes[1]), lane("shim", **modes[1])
        rows_young, rows_young_isolated = (lane("shim", row_due, **mode) for mode in modes)
        rows_old, rows_old_isolated = (lane("shim", row_due, **mode) for mode in modes)
        ours = (young, young_isolated, old, old_isolated, rows_young, rows_young_isolated, rows_old, rows_old_isolated)
        for a, b in ((old, rows_old), (old_isolated, rows_old_isolated)):
            together((a, "advance", {"n": size.iterations}), (b, "advance", {"n": size.rows}))
        reached = v2_old.do("advance", n=size.v2_rows, limit=20)
        v2_at = us(v2_old.do("turn", n=20))
        for one in (v2, young, young_isolated, rows_young, rows_young_isolated):
            one.do("advance", n=size.warm)
        together(*((one, "settle", {}) for one in ours))
        found = turns(
            (empty, v2, v2_rows, *ours), size, lambda one: one.do("turn", n=20 if one is v2_rows else size.pairs)
        )
    median = {one: statistics.median(times) for one, times in found.items()}

    def ratio(one: Lane, other: Lane) -> float:
        return ratios(found[one], found[other])

    to_v2, to_v2_isolated = ratio(young, v2), ratio(young_isolated, v2)
    aged, aged_isolated = ratio(old, young), ratio(old_isolated, young_isolated)
    to_pair, row_to_v2_isolated = ratio(rows_young, young), ratio(rows_young_isolated, v2)
    row_aged, row_aged_isolated = ratio(rows_old, rows_young), ratio(rows_old_isolated, rows_young_isolated)
    direct = median[v2]
    v2_rows_text = (
        f"v2 direct {us(median[v2_rows])} in its first {20 * size.turns} rows, {v2_at} after {reached:,}, "
        f"{us(direct)} without a row"
    )
    start, at = "`on_train_batch_start` + `_end`, enabled, ", f"iteration {size.warm:,}"
    return [
        Row(
            f"{start}no row due, from {at}", "at most 0.8 x v2's own pair, isolated 0.12 x",
            us(median[young]), f"{to_v2:.2f} x v2", f"{us(median[young_isolated])}, {to_v2_isolated:.2f} x v2",
            f"v2 direct {us(direct)}; empty method calls {us(median[empty])}", to_v2 <= 0.8 and to_v2_isolated <= 0.12,
            figures={
                "us": median[young], "ratio": to_v2, "v2_us": direct, "empty_us": median[empty],
                "isolated_us": median[young_isolated], "isolated_ratio": to_v2_isolated,
            },
        ),
        Row(
            f"the same from iteration {size.iterations:,}", f"within 1.2 x of {at}",
            us(median[old]), f"{aged:.2f} x {at}", f"{us(median[old_isolated])}, {aged_isolated:.2f} x",
            f"at {at} {us(median[young])}, isolated {us(median[young_isolated])}", aged <= 1.2 and aged_isolated <= 1.2,
            figures={
                "us": median[old], "ratio": aged,
                "isolated_us": median[old_isolated], "isolated_ratio": aged_isolated,
            },
        ),
        Row(
            "the pair with a row due every iteration, async",
            "at most 2 x the pair without a row; isolated at most 0.35 x v2's pair without",
            us(median[rows_young]), f"{to_pair:.2f} x the pair without a row, {ratio(rows_young, v2):.2f} x v2's",
            f"{us(median[rows_young_isolated])}, {row_to_v2_isolated:.2f} x v2's pair without",
            v2_rows_text, to_pair <= 2 and row_to_v2_isolated <= 0.35,
            figures={
                "us": median[rows_young], "ratio": to_pair, "v2_us": median[v2_rows], "v2_rows": reached,
                "isolated_us": median[rows_young_isolated], "isolated_ratio": row_to_v2_isolated,
            },
        ),
        Row(
            f"the same after {size.rows:,} rows", "flat: within 1.2 x of the first rows",
            us(median[rows_old]), f"{row_aged:.2f} x row {size.warm:,}",
            f"{us(median[rows_old_isolated])}, {row_aged_isolated:.2f} x",
            f"at row {size.warm:,} {us(median[rows_young])}, isolated {us(median[rows_young_isolated])}",
            row_aged <= 1.2 and row_aged_isolated <= 1.2,
            figures={
                "us": median[rows_old], "ratio": row_aged,
                "isolated_us": median[rows_old_isolated], "isolated_ratio": row_aged_isolated,
            },
        ),
    ]  # fmt: skip


def memory(base: Path, size: Size) -> list[Row]:
    """What a long job's telemetry keeps, and what its processes take."""
    every = max(1, size.iterations // size.rows)
    given = {"every": every}
    with (
        Lane("shim", base, given) as shim,
        Lane("shim", base, given, **isolated_mode(base)) as apart,
        Lane("v2", base, given) as v2,
    ):
        long = {"n": size.iterations, "after": size.memory_after}
        ours, theirs = together(
            (shim, "memory", long),
            (v2, "memory", {"n": size.iterations, "after": min(2000, size.memory_after), "limit": 20}),
        )
        ours_isolated = apart.do("memory", **long)
        together((shim, "settle", {}), (apart, "settle", {}))
        taken = [one.do("processes") for one in (shim, apart)]
    grown, grown_isolated, v2_rows = ours["mib"], ours_isolated["mib"], theirs["units"] / every

    def described(processes: dict[str, dict[str, float]]) -> str:
        return ", ".join(f"{kind} {one['mib']:.0f} MiB, {one['cpu_s']:.0f} s" for kind, one in processes.items())

    return [
        Row(
            f"memory over {size.iterations:,} iterations and {size.rows:,} rows",
            f"RSS growth under 16 MiB after the first {size.memory_after:,}",
            f"{grown:.1f} MiB", f"{grown / size.rows * 1024:.2f} KiB a row", f"{grown_isolated:.1f} MiB",
            f"v2 direct {theirs['mib']:.1f} MiB over {v2_rows:,.0f} rows, where it was stopped",
            grown < 16 and grown_isolated < 16,
            figures={"mib": grown, "isolated_mib": grown_isolated, "v2_mib": theirs["mib"], "v2_rows": v2_rows},
        ),
        Row(
            "the processes after it: memory, CPU time in all", "",
            described(taken[0]), "", described(taken[1]),
            "`wandb`: its own process; isolated, v2 is in the worker",
            figures={"processes": taken[0], "isolated_processes": taken[1]},
        ),
    ]  # fmt: skip


def disabled(base: Path, size: Size) -> list[Row]:
    """A rank that is not enabled."""
    off = {"enabled": False}
    with (
        Lane("empty", base) as empty,
        Lane("v2", base, off) as v2,
        Lane("shim", base, off) as shim,
        Lane("shim", base, off, **isolated_mode(base)) as apart,
    ):
        found = turns((empty, v2, shim, apart), size, lambda lane: lane.do("turn", n=size.pairs) / 2)
    nothing, direct, ours, ours_isolated = (statistics.median(times) for times in found.values())
    return [
        Row(
            "a disabled rank, one callback", "at most 0.5 us",
            us(ours), f"{ratios(found[shim], found[v2]):.3f} x v2 disabled", us(ours_isolated),
            f"v2 disabled {us(direct)}; an empty method call {us(nothing)}", ours <= 0.5 and ours_isolated <= 0.5,
            figures={"us": ours, "isolated_us": ours_isolated, "v2_us": direct, "empty_us": nothing},
        )
    ]  # fmt: skip


def rows(base: Path, size: Size) -> list[Row]:
    """``OneLogger.log_metrics`` beside ``wandb.Run.log``; also while the server hangs."""
    modes: tuple[dict[str, str], ...] = ({}, isolated_mode(base))
    with ExitStack() as stack:
        server = stack.enter_context(HangingServer())
        theirs = stack.enter_context(Lane("wandb", base))
        ours, isolated = (stack.enter_context(Lane("core", base, None, **mode)) for mode in modes)
        hanging, hanging_isolated = (
            stack.enter_context(Lane("core", base, None, settles=False, **server.environment, **mode)) for mode in modes
        )
        lanes = (theirs, ours, isolated, hanging, hanging_isolated)
        for lane in lanes:
            lane.do("advance", n=size.warm)
        for lane in (theirs, ours, isolated):
            lane.do("settle")
        found = turns(lanes, size, lambda lane: lane.do("each", n=size.calls))
    middle = {lane: [one["median"] for one in found[lane]] for lane in lanes}
    worst = {lane: statistics.median(one["p999"] for one in found[lane]) for lane in lanes}
    every = {lane: statistics.median(one["every_p999"] for one in found[lane]) for lane in lanes}
    median = {lane: statistics.median(middle[lane]) for lane in lanes}
    wandb = f"`wandb.Run.log` {us(median[theirs])}, p99.9 {us(worst[theirs])}"
    listed = []
    for lane, apart, what in (
        (ours, isolated, "async, journal on"),
        (hanging, hanging_isolated, "while the server hangs"),
    ):
        ratio, ratio_apart = (ratios(middle[one], middle[theirs]) for one in (lane, apart))
        listed += [
            Row(
                f"`OneLogger.log_metrics` of 14 numbers, {what}", "at most 0.4 x `wandb.Run.log`",
                us(median[lane]), f"{ratio:.2f} x `wandb.Run.log`", f"{us(median[apart])}, {ratio_apart:.2f} x",
                wandb, ratio <= 0.4 and ratio_apart <= 0.4,
                figures={
                    "us": median[lane], "ratio": ratio, "wandb_us": median[theirs],
                    "isolated_us": median[apart], "isolated_ratio": ratio_apart,
                },
            ),
            Row(
                f"the same, 99.9th percentile, {what}", "under 1 ms",
                us(worst[lane]), f"{worst[lane] / worst[theirs]:.2f} x `wandb.Run.log`", us(worst[apart]),
                wandb, worst[lane] < 1000 and worst[apart] < 1000,
                f"without calls that lost their core to another process; with them {us(every[lane])}, "
                f"isolated {us(every[apart])}, wandb {us(every[theirs])}",
                {
                    "us": worst[lane], "wandb_us": worst[theirs], "every_us": every[lane],
                    "isolated_us": worst[apart], "isolated_every_us": every[apart],
                },
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
    with tempfile.TemporaryDirectory(prefix="one-logger-bench-", ignore_cleanup_errors=True) as folder:
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

"""The table of goodput by day or week, and its options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Optional

from .._goodput import definitions as d
from .._goodput.document import parts_in_ms
from .._goodput.periods import DAY, WEEK, Period, periods
from .._goodput.training import Training
from . import _format as f
from ._losses import hours
from ._model import Section

_DROP = (7, 1, 5, 4)


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--since``, ``--until``, ``--per`` and ``--tz``."""
    parser.add_argument("--since", metavar="TIME", help="only trainings that lived after this")
    parser.add_argument("--until", metavar="TIME", help="only trainings that began before this")
    parser.add_argument("--per", choices=(DAY, WEEK), help="goodput of each day, or of each week from Monday on, too")
    parser.add_argument(
        "--tz",
        metavar="ZONE",
        type=_zone,
        default=timezone.utc,
        help="whose midnight ends a day, and what --since and --until mean: Europe/Berlin, local (default: UTC)",
    )


def take_times(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """Make ``since`` and ``until`` us since the epoch, once the time zone is known; exits where one is no time."""
    for name in ("since", "until"):
        text = getattr(chosen, name)
        if text is not None:
            try:
                setattr(chosen, name, _time(text, chosen.tz))
            except (ValueError, OverflowError):
                parser.error(f"argument --{name}: {text!r} is no time: expected 2026-11-28 or 2026-11-28T18:30")
    if None not in (chosen.since, chosen.until) and chosen.until <= chosen.since:
        parser.error("argument --until: expected a time after --since")


def _time(text: str, zone: tzinfo) -> int:
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp() * 1_000_000)


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return timezone.utc
    if name == "local":
        return _Local()
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise argparse.ArgumentTypeError(f"{name!r} is no time zone of this system: expected Europe/Berlin") from error


class _Local(tzinfo):
    """The time zone of this machine (``TZ``), summer time included."""

    def utcoffset(self, when: Optional[datetime]) -> timedelta:
        at = (when or datetime.now()).replace(tzinfo=None)
        return at.astimezone().utcoffset() or timedelta()

    def dst(self, when: Optional[datetime]) -> timedelta:
        return timedelta()

    def tzname(self, when: Optional[datetime]) -> str:
        return "local time"

    def fromutc(self, when: datetime) -> datetime:
        local = when.replace(tzinfo=timezone.utc).astimezone()
        return local.replace(tzinfo=self)


def chosen_periods(trainings: Sequence[Training], chosen: argparse.Namespace) -> Optional[list[Period]]:
    """Those that were asked for; of a time that ``--since`` and ``--until`` leave out none is shown."""
    if chosen.per is None:
        return None
    return [
        one
        for one in periods(trainings, chosen.per, chosen.tz)
        if (chosen.since is None or one.end > chosen.since) and (chosen.until is None or one.begin < chosen.until)
    ]


def section(some: list[Period], per: str, zone: tzinfo) -> Section:
    """One line for each, and their sum."""
    name = "UTC" if zone is timezone.utc else str(getattr(zone, "key", "local time"))
    head = ["day" if per == DAY else "week from", "trainings", "time", "goodput", "lost work", "between attempts",
            "GPU-hours", "kept", "lost"]  # fmt: skip
    rows = [_line(str(one.first), str(one.trainings), [one]) for one in some]
    title, table = f"Goodput per {per} ({f.clean(name, 60)})", [head, *rows, _line("all", "", some)]
    return Section(title, table=table, drop=_DROP, total=True)


def _line(name: str, trainings: str, some: list[Period]) -> list[str]:
    def part(key: str) -> str:
        us = sum(one.parts[key] for one in some)
        return f.duration(us / 1e6) if us else "-"

    wall = sum(one.wall for one in some)
    known = any(one.known for one in some)
    costs = (sum(one.paid for one in some), sum(one.kept for one in some), sum(one.lost for one in some))
    return [
        name,
        trainings,
        f.duration(wall / 1e6),
        f.percent(sum(one.parts[d.PRODUCTIVE] for one in some) / wall) if wall else "-",
        part(d.LOST_WORK),
        part(d.BETWEEN),
        *(hours(cost if known else None) for cost in costs),
    ]


def as_json(some: list[Period]) -> list[dict[str, Any]]:
    """For ``--json``; see ``docs/goodput.md``."""
    return [
        {
            "first": str(one.first),
            "begin_ms": one.begin / 1000,
            "end_ms": one.end / 1000,
            "trainings": one.trainings,
            "wall_ms": one.wall / 1000,
            "parts": parts_in_ms(one.parts),
            "goodput": one.parts[d.PRODUCTIVE] / one.wall if one.wall else None,
            "gpu_hours_paid": one.paid if one.known else None,
            "gpu_hours_kept": one.kept if one.known else None,
            "gpu_hours_open": one.open if one.known else None,
            "gpu_hours_lost": one.lost if one.known else None,
        }
        for one in some
    ]

"""``show``: a run as people want to see it, in the terminal or as a page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._goodput.training import add_up
from .._journal.destination import told
from .._journal.files import recover_command
from . import _format as f
from ._attempts import Attempts
from ._collect import Collector
from ._left import look
from ._model import Report, Section
from ._online import add_places, default_place, fetched, project
from ._places import NoRunError, find, open_run
from ._progress import progress
from ._report import report as make_report
from ._sources import Run
from ._timeline import timeline


def main(arguments: Sequence[str]) -> int:
    """Show one run; returns 0, or 2 when there is none or the page can't be made."""
    parser = argparse.ArgumentParser(
        prog="python -m one_logger_v1_shim show", description="Shows a run: phases, progress, throughput, checkpoints."
    )
    add_places(parser, many=False)
    parser.add_argument("--html", metavar="FILE", help="write one self-contained page with charts instead")
    chosen = parser.parse_args(list(arguments))
    path = chosen.places or default_place()
    try:
        report = read(path, with_charts=chosen.html is not None)
    except NoRunError as error:
        return _refused(str(error))
    except OSError as error:
        return _refused(f"{path} cannot be read ({error.strerror})")
    if chosen.html is None:
        from ._text import write

        try:
            write(report, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return _page(report, Path(chosen.html))


def read(path: Path, with_charts: bool = False) -> Report:
    """The report of the run at ``path``, or of the newest one in it; ``with_charts``: with its time line, too.

    Raises:
        NoRunError: there is none.
        OSError: it can't be read.
    """
    run, others = _found(path)
    collector, attempts = Collector(), Attempts()
    with progress("reading", run.size) as run.progress:
        for row in run.rows():
            collector.take(row)
            if with_charts:
                attempts.take(row)
    collector.settle()
    if not run.journal and not collector.rows and run.notes:
        raise NoRunError(run.notes[0])
    about = run.about
    if others:
        run.notes.append(f"{len(others)} older runs are here, too, the latest of them {others[-1]}")
    tags = told(about, "tags")
    config = about.get("config")
    report = make_report(
        collector,
        _header(run, collector),
        config if isinstance(config, dict) else {},
        tags if isinstance(tags, list) else [],
        run.notes,
    )
    found = attempts.found(run) if with_charts else []
    if found:
        report.sections.insert(1, Section("What happened when", charts=timeline(add_up(found))))
    return report


def _found(path: Path) -> tuple[Run, list[Path]]:
    named = project(path)
    if named is None:
        where, others = find(path)
        return open_run(where), others
    notes: list[str] = []
    (run,) = fetched(named, notes, newest=True)
    run.notes += notes
    return run, []


def _header(run: Run, collector: Collector) -> Section:
    about, mark = run.about, run.about.get("mark") or {}
    section = Section("Run")
    for label, name in (("project", "project"), ("run name", "run_name"), ("id", "id"), ("entity", "entity")):
        value = told(about, name)
        section.add(label, None if value is None else f.value(value))
    created = f.number(about.get("created"))
    section.add("created", None if created is None else f.instant(created * 1000))
    section.add("state", _state(run, mark, collector.rows + run.damaged))
    section.add("rows", _rows(run, mark, collector.rows))
    url = mark.get("url") or about.get("url")
    if url:
        section.add("W&B", f.value(url))
    if mark.get("dir"):
        section.add("run folder", f.value(mark["dir"]))
    if mark.get("notice"):
        section.add("notice", f.clean(mark["notice"], 500))
    section.add("read from", f.clean(run.path, 500))
    if about.get("v2"):
        section.add("v2", f.value(_v2(about, mark)))
    version = about.get("version")
    section.add("shim version", None if version is None else f.value(version))
    return section


def _v2(about: dict[str, Any], mark: dict[str, Any]) -> str:
    """Where v2 hears v1's calls, and how far it is."""
    if about["v2"] != "worker":
        return "hears v1's calls in the job's process" if about["v2"] == "job" else "hears nothing"
    heard = {"": "not yet", "played": "all of them", "unplayed": "not all of them"}.get(mark.get("v2") or "")
    return f"hears v1's calls in the worker's process ({heard or mark['v2']}), on {about.get('python')}"


def _state(run: Run, mark: dict[str, Any], rows: int) -> str:
    ended = "" if run.exit_code is None else f" (exit code {run.exit_code})"
    if run.state is not None:
        return f"{f.value(run.state)}, as W&B says"
    if not run.journal:
        return f"finished{ended}" if ended else "not finished"
    left = look(run.path, rows=rows)
    said = f.value(mark.get("state") or "no word from the W&B process")
    if left.finished:
        return f"finished{ended}" if ended else "finished by the W&B process; the job ended without finish()"
    if left.busy or left.damaged:
        return f"{f.clean(left.busy or left.damaged)} ({said}){ended}"
    return f"not finished ({said}){ended}; see: {f.clean(recover_command(run.path, dry_run=True), 500)}"


def _rows(run: Run, mark: dict[str, Any], rows: int) -> str:
    taken = f.number(mark.get("rows"))
    if not run.journal or taken is None:
        return f.count(float(rows))
    return f"{f.count(float(rows))}, of which W&B has taken {f.count(taken)}"


def _page(report: Report, path: Path) -> int:
    from ._html import page, save

    try:
        save(page(report), path)
    except (OSError, ValueError) as error:
        return _refused(f"{path} cannot be written ({getattr(error, 'strerror', None) or error})")
    print(f"{f.clean(path, 1000)}: {len(report.charts)} charts")
    return 0


def _refused(message: str) -> int:
    print(f"one_logger_v1_shim show: {f.clean(message, 1000)}", file=sys.stderr)
    return 2

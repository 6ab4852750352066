"""``python -m compat_matrix documents``: write the tables of ``docs/`` from the code; ``--check``: only compare."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Optional

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GOLDENS = ROOT / "compat_matrix" / "goldens"
_MOST = 40  # characters of an example
_WHOLE = 100  # cells; fewer are no whole grid


def metrics() -> str:
    """Name, unit, callbacks, versions of v1, v2's source, OpenTelemetry's kind and unit, an example of each metric."""
    from one_logger_v1_shim._otlp.names import instrument
    from one_logger_v1_shim._v1 import metrics as m

    sources, examples = _sources(), dict(_examples())
    lines = ["| metric | unit | sent by | v1 | v2 | OpenTelemetry | example |", "|---|---|---|---|---|---|---|"]
    for name, unit in m.UNITS.items():
        example = examples.get(name)
        shown = "" if example is None else f"`{json.dumps(example, ensure_ascii=False)[:_MOST]}`"
        known = instrument(name)
        otel = f"{known.kind}, `{known.unit}`" if known is not None else "attribute"
        about = f"{_listed(m.SENT[name])} | {_versions(name)} | {sources.get(name, '')} | {otel}"
        lines.append(f"| `{name}` | {unit} | {about} | {shown} |")
    return "\n".join(lines)


def _listed(calls: Sequence[str]) -> str:
    return ", ".join(f"`{one}`" if " " not in one else one for one in calls)


def _versions(name: str) -> str:
    """Which versions of v1 have a metric, and what is otherwise in one of them."""
    from one_logger_v1_shim._v1 import metrics as m
    from one_logger_v1_shim._v1.wires import WIRES

    if name in m.ONLY:
        return m.ONLY[name]
    others = []
    for wire in WIRES:
        told = [m.unit(name, wire)] if m.unit(name, wire) != m.UNITS[name] else []
        calls, usual = m.sent(name, wire), m.SENT[name]
        more, less = [one for one in calls if one not in usual], [one for one in usual if one not in calls]
        told += [f"by {_listed(more)}"] if more else []
        told += [f"not by {_listed(less)}"] if less else []
        others += [f"{wire}: {', '.join(told)}"] if told else []
    return "; ".join(["all", *others])


def _sources() -> dict[str, str]:
    """From which span or event of v2 a metric comes, for programs that call v2 alone."""
    from one_logger_v1_shim._v2 import translation as t

    found: dict[str, str] = {}
    for span, (start, stop) in t.SPANS.items():
        found[start], found[stop] = f"start of span `{span.value}`", f"end of span `{span.value}`"
    tables = [(f"span `{span.value}`", fields) for span, fields in t.SPAN_FIELDS.items()]
    tables += [(f"event `{event.value}`", fields) for event, fields in t.EVENTS.items()]
    tables += [("event `save_checkpoint_success`", t.FIRST_SUCCESS), ("event `save_checkpoint_success`", t.PRODUCTIVE)]
    for where, fields in tables:
        for metric, attribute, _ in fields:
            found.setdefault(metric, f"{where}: `{attribute}`")
    return found


def _examples() -> Iterator[tuple[str, Any]]:
    """A value of each metric that a recorded job has; the first in the order of their names."""
    for path in sorted(GOLDENS.glob("*.json"), reverse=True):
        job = json.loads(path.read_text(encoding="utf-8"))
        for row in job.get("rows", ()):  # with what v1's core added
            yield from row.items()
        for step in job["expect"]:
            for kind, *content in step["emits"]:
                if kind == "log_metrics":
                    yield from content[0].items()


def variables() -> str:
    """Name, default and meaning of each environment variable."""
    from one_logger_v1_shim._variables import VARIABLES

    lines = ["| variable | kind | default | effect |", "|---|---|---|---|"]
    for one in VARIABLES.values():
        lines.append(f"| `{one.name}` | {one.kind} | {f'`{one.default}`' if one.default else ''} | {one.meaning} |")
    return "\n".join(lines)


def calls() -> str:
    """What each call of v1 becomes in a program that uses v2 itself."""
    from one_logger_v1_shim._migrate.leaving import table

    return table()


def messages() -> str:
    """What the package says: each text, what happened and what it costs, what to do."""
    from compat_matrix import said

    return said.page()


def shown() -> str:
    """What `show` prints of a recorded job."""
    from one_logger_v1_shim._cli import show

    job = json.loads((GOLDENS / "quickstart.json").read_text(encoding="utf-8"))
    rows = [content[0] for step in job["expect"] for kind, *content in step["emits"] if kind == "log_metrics"]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "wandb" / "one-logger-20231114_221320-abcd1234"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"id": "abcd1234", "created": job["t0"]}), encoding="utf-8")
        lines = ["#from 0", *map(json.dumps, rows), "#finish 0", ""]
        (folder / "rows-000001.jsonl").write_text("\n".join(lines), encoding="utf-8")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            show.main([str(folder)])
    text = printed.getvalue()
    return "```text\n" + text[text.index("Phases") : text.index("Validation")].rstrip() + "\n```"


def last_run() -> Optional[str]:
    """The figures of the last run of the whole grid; None: the last report is of no whole grid, or there is none."""
    from compat_matrix.reporting.terminal import REPORT

    path = REPORT / "results.json"
    if not path.is_file():
        return None
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8")) if isinstance(cell, dict)]
    if len(cells) < _WHOLE:
        return None
    jobs = [job for cell in cells for job in cell["results"]]
    count = Counter(job["status"] for job in jobs)
    rows = sum(job["rows"] for job in jobs if job["status"] == "passed")
    green = sum(cell["status"] == "passed" for cell in cells)
    ran = [re.search(r"\bpy3\.(\d+)", cell["name"]) for cell in cells if cell["status"] == "passed"]
    pythons = [f"3.{minor}" for minor in sorted({int(one[1]) for one in ran if one})]
    day = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).date()
    return textwrap.fill(
        f"The last whole run ended on {day} (CPython {', '.join(pythons)}): {green} of {len(cells)} cells green, "
        f"{count['passed']:,} jobs equal to v1 with {rows:,} rows, "
        f"{count['failed']} different, {count['known']} of a known difference, {count['not run']} not run "
        "(the report says why for each).",
        width=120,
    )


TABLES: dict[str, tuple[str, Callable[[], Optional[str]]]] = {
    "dictionary.md": ("metrics", metrics),
    "leaving.md": ("calls", calls),
    "variables.md": ("variables", variables),
    "messages.md": ("messages", messages),
    "index.md": ("show", shown),
    "commands.md": ("show", shown),
    "../README.md": ("show", shown),
    "../compat_matrix/README.md": ("last run", last_run),
}


def written(file: str) -> tuple[str, str]:
    """A document as it is, and as the code says it should be."""
    text = (DOCS / file).read_text(encoding="utf-8")
    name, table = TABLES[file]
    content = table()
    if content is None:
        return text, text
    pattern = rf"(<!-- table: {name} -->\n).*?(<!-- end of table -->)"
    wanted = re.sub(pattern, lambda found: f"{found[1]}\n{content}\n\n{found[2]}", text, flags=re.DOTALL)
    return text, wanted


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """0: the documents are as the code says; 1: with ``--check``, one was not."""
    parser = argparse.ArgumentParser(prog="python -m compat_matrix documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a document differs")
    options = parser.parse_args(arguments)
    different = False
    for file in TABLES:
        text, wanted = written(file)
        if text == wanted:
            continue
        different = True
        print(
            f"{(DOCS / file).resolve().relative_to(ROOT)} {'differs from the code' if options.check else 'is written'}"
        )
        if not options.check:
            (DOCS / file).write_text(wanted, encoding="utf-8")
    return int(options.check and different)

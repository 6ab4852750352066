"""``python -m compat_matrix mutants [ROOM | FILE ...]``: does a test notice if one place of the code is changed?"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from .operators import Mutant, is_python, mutants
from .tests import ROOT, Control, Copy, Map, warm_up

LISTED = ROOT / "tests" / "survivors.toml"
_LIMIT = 60  # seconds of CPU time for the fast tests of one mutant
_WHOLE_LIMIT = 600.0

_JOB = (
    "tests/job", "tests/journal", "tests/api/test_core.py", "tests/test_defaults.py", "tests/testing/test_blocks.py",
    "tests/v2/test_appends.py", "tests/v2/test_rows_first.py",
)  # fmt: skip
_DELIVERY = (
    "tests/delivery/test_values.py", "tests/delivery/test_exit_codes.py", "tests/delivery/test_interrupted.py",
    "tests/delivery/test_job_ends.py",
)  # fmt: skip


class Room(NamedTuple):
    """Files that belong together: their fast tests, and what is run if these do not notice: tests with processes."""

    folder: str
    fast: tuple[str, ...]
    whole: tuple[str, ...] = ()


ROOMS = {
    "_job": Room("one_logger_v1_shim/_job", _JOB, _DELIVERY),
    "_journal": Room(
        "one_logger_v1_shim/_journal", _JOB, (*_DELIVERY, "tests/delivery/test_disk.py"),
    ),
    "_worker": Room(
        "one_logger_v1_shim/_worker", ("tests/worker", "tests/journal/test_parts.py"),
        (*_DELIVERY, "tests/delivery/test_server.py", "tests/delivery/test_settings.py"),
    ),
    "_goodput": Room(
        "one_logger_v1_shim/_goodput",
        ("tests/goodput", "tests/cli/test_goodput.py", "tests/cli/test_goodput_more.py"),
        ("tests/cli/test_goodput.py", "tests/goodput/test_requeued.py"),
    ),
    "_migrate": Room("one_logger_v1_shim/_migrate", ("tests/migrate",)),
    "verify": Room("compat_matrix/verify", ("tests/matrix",)),
}  # fmt: skip


class Tried(NamedTuple):
    """A mutant and what became of it: "noticed", "noticed by processes" or "lives"."""

    file: str
    mutant: Mutant
    end: str

    def text(self) -> str:
        """Where, and the line before and after."""
        data = (ROOT / self.file).read_bytes()
        lines = [one[self.mutant.lines.start - 1 :] for one in (_lines(data), _lines(self.mutant.apply(data)))]
        before, after = next(((a, b) for a, b in zip(*lines) if a != b), (lines[0][0], ""))
        return f"{self.file}:{self.mutant.lines.start}\n    - {before.strip()}\n    + {after.strip()}"


def main(arguments: Sequence[str]) -> int:
    """0: at least the wanted share was noticed, and what lives is listed; 1: not; 2: bad arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m compat_matrix mutants",
        description="Changes one place of the code at a time, in a copy, and runs the tests that run this place.",
        epilog=f"rooms: {', '.join(ROOMS)}. What lives and has a reason stands in tests/survivors.toml. "
        "Needs coverage (pip install coverage).",
    )
    parser.add_argument("what", nargs="*", metavar="ROOM|FILE", help="a room, or a file of one (default: all rooms)")
    parser.add_argument(
        "--sample", type=int, default=24, metavar="N", help="of each room, at random (default: 24; 0: all)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another sample (default: 0)")
    parser.add_argument("--fast", action="store_true", help="only the fast tests, none that start processes")
    parser.add_argument("--map", type=Path, metavar="FILE", help="keep here which tests run which lines; read if there")
    options = parser.parse_args(list(arguments))
    if importlib.util.find_spec("coverage") is None:
        print("mutants: coverage is not installed: pip install coverage", file=sys.stderr)
        return 2
    try:
        chosen = [_chosen(one) for one in options.what or ROOMS]
    except ValueError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    warm_up()
    with tempfile.TemporaryDirectory(prefix="compat_matrix-mutants-") as folder, Copy(Path(folder)) as copy:
        try:
            return max([_room(copy, name, files, options) for name, files in chosen])
        except ValueError as error:
            print(f"mutants: {error}", file=sys.stderr)
            return 2


def _room(copy: Copy, name: str, files: Sequence[str], options: argparse.Namespace) -> int:
    room = ROOMS[name]
    started = time.monotonic()
    known = _map(copy, room, options.map)
    sample = [
        (file, mutant, _tests(known, file, mutant)) for file, mutant in _sample(files, options.sample, options.seed)
    ]
    control = Control(copy, {test for *_, tests in sample for test in tests})
    ends = [_try(control, room, *one, whole=not options.fast) for one in sample]
    for test in control.failed:
        print(f"does not count, it fails on the unchanged code: {test}")
    return _tell(name, ends, time.monotonic() - started)


def _chosen(what: str) -> tuple[str, list[str]]:
    """The room and the files that an argument names."""
    for name, room in ROOMS.items():
        files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / room.folder).glob("*.py"))
        if what == name or what.rstrip("/") == room.folder:
            return name, files
        if what in files:
            return name, [what]
    raise ValueError(f"{what!r} is neither a room nor a file of one; rooms: {', '.join(ROOMS)}")


def _sample(files: Iterable[str], number: int, seed: int) -> Iterator[tuple[str, Mutant]]:
    texts = {file: (ROOT / file).read_bytes() for file in files}
    every = [(file, mutant) for file, text in texts.items() for mutant in mutants(text)]
    random.Random(seed).shuffle(every)
    for file, mutant in every:
        if is_python(mutant.apply(texts[file])):
            yield file, mutant
            number -= 1
            if number == 0:
                return


def _map(copy: Copy, room: Room, kept: Optional[Path]) -> Map:
    every: dict[str, Map] = json.loads(kept.read_text(encoding="utf-8")) if kept is not None and kept.exists() else {}
    if room.folder not in every:
        every[room.folder] = copy.map(room.fast, [room.folder])
        if kept is not None:
            kept.write_text(json.dumps(every), encoding="utf-8")
    return every[room.folder]


def _tests(known: Map, file: str, mutant: Mutant) -> list[str]:
    """The fast tests that run the place of a mutant."""
    if mutant.at_import:  # no test runs it: who imports the file does
        return _mixed({test for one in known.values() for names in one.values() for test in names})
    return _mixed({test for line in mutant.lines for test in known.get(file, {}).get(str(line), ())})


def _try(control: Control, room: Room, file: str, mutant: Mutant, tests: Sequence[str], whole: bool) -> Tried:
    data = mutant.apply((ROOT / file).read_bytes())
    copy, tests = control.copy, control.sound(tests)
    with copy.changed(file, data):
        lives = not tests or copy.passes(tests, _LIMIT)
    end = "noticed"
    if lives:
        asked = control.sound_whole(room.whole, _WHOLE_LIMIT) if whole else []
        with copy.changed(file, data):
            # twice: a test that starts processes may fail because the machine is busy
            noticed = any(not any(copy.passes_whole([one], _WHOLE_LIMIT) for _ in range(2)) for one in asked)
        end = "noticed by processes" if noticed else "lives" if tests or asked else "lives, not reached"
    tried = Tried(file, mutant, end)
    if end != "noticed":
        print(f"{end}: {tried.text()}", flush=True)
    elif sys.stderr.isatty():
        print(f"noticed: {file}:{mutant.lines.start}", file=sys.stderr)
    return tried


def _mixed(tests: Iterable[str]) -> list[str]:
    """One of each test function, then the second of each: the first that notices ends the run."""
    found: list[tuple[int, str]] = []
    count: Counter[str] = Counter()
    for test in sorted(tests):
        function = test.partition("[")[0]
        found.append((count[function], test))
        count[function] += 1
    return [test for _, test in sorted(found)]


def _tell(name: str, ends: Sequence[Tried], seconds: float) -> int:
    known = _listed()
    alive = [one for one in ends if one.end.startswith("lives")]
    listed = [one for one in alive if known[(one.file, *_change(one))]]
    count = Counter(one.end for one in ends)
    noticed = count["noticed"] + count["noticed by processes"]
    share = noticed / len(ends) if ends else 1.0
    print(
        f"{name}: {noticed} of {len(ends)} mutants noticed ({share:.0%}; {count['noticed by processes']} by tests that "
        f"start processes), {len(listed)} listed with a reason, {len(alive) - len(listed)} not; {seconds:.0f} s",
        flush=True,
    )
    return int(share < 0.9 or len(listed) < len(alive))


def _lines(data: bytes) -> list[str]:
    return data.decode().splitlines()


def _change(tried: Tried) -> tuple[str, str]:
    _, before, after = tried.text().splitlines()
    return before.strip()[2:], after.strip()[2:]


def _listed() -> Counter[tuple[str, str, str]]:
    import tomllib

    entries = tomllib.loads(LISTED.read_text(encoding="utf-8")).get("survivor", []) if LISTED.exists() else []
    return Counter((one["file"], one["line"], one["mutant"]) for one in entries)

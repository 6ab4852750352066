"""``verify OLD NEW``: nothing is said of two runs of one job, in whatever form; what is lost is said as it is."""

from __future__ import annotations

import copy
import csv
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.compare import BOOKKEEPING
from compat_matrix.verify import changes
from compat_matrix.verify.check_life import check
from compat_matrix.verify.command import main
from compat_matrix.verify.compared import compare
from compat_matrix.verify.findings import only_in
from compat_matrix.verify.history import history
from compat_matrix.verify.page import of_two

Rows = list[dict[str, Any]]
ROOT = Path(__file__).resolve().parents[2]
GOOD = Path(__file__).resolve().parent / "exports" / "good.jsonl"
OWN = ("_step", "_timestamp", "_runtime")


def good() -> Rows:
    return [json.loads(line) for line in GOOD.read_text(encoding="utf-8").splitlines()]


def write(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def verify(capsys: pytest.CaptureFixture[str], *sources: Path) -> tuple[int, str]:
    """Exit code and the verdict, without the names of the files."""
    code = main([str(source) for source in sources])
    out = capsys.readouterr()
    text = (out.out or out.err).splitlines()[0]
    for name, source in zip(("OLD", "NEW"), sources):
        text = text.replace(str(source), name)
    return code, text


def test_a_history_against_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(capsys, GOOD, GOOD) == (
        0,
        "A dashboard built on OLD works on OLD: each of its 79 metrics is there, in the same rows, with the same "
        "values, and with plausible times.",
    )


def without(*names: str) -> Callable[[Rows], Rows]:
    return lambda rows: [
        {name: value for name, value in row.items() if name not in names}
        for row in rows
        if not row.keys() - BOOKKEEPING - set(OWN) <= set(names) or not row.keys() - BOOKKEEPING - set(OWN)
    ]


def everywhere(name: str, change: Callable[[Any], Any]) -> Callable[[Rows], Rows]:
    return lambda rows: [{**row, name: change(row[name])} if name in row else row for row in rows]


def each_total(change: Callable[[Any], Any], ending: str = "_time_total") -> Callable[[Rows], Rows]:
    return lambda rows: [
        {name: change(value) if name.endswith(ending) else value for name, value in row.items()} for row in rows
    ]


def renamed(name: str, other: str) -> Callable[[Rows], Rows]:
    return lambda rows: [{(other if one == name else one): value for one, value in row.items()} for row in rows]


def per_interval(rows: Rows) -> Rows:
    before = 0.0
    for row in rows:
        if "train_iterations_time_total" in row:
            total = row["train_iterations_time_total"]
            row["train_iterations_time_total"], before = total - before, total
    return rows


def without_a_progress_row(rows: Rows) -> Rows:
    at = [number for number, row in enumerate(rows) if "train_iterations" in row]
    return rows[: at[1]] + rows[at[1] + 1 :]


def tags_beside_others(rows: Rows) -> Rows:
    return [{**rows[0], **rows[1]}, *rows[2:]]


BOOKKEPT = tuple(sorted({name for row in good() for name in row} & BOOKKEEPING))
VALIDATION = tuple(f"validation_iterations_time_{what}" for what in ("total", "msecs_avg", "msecs_min"))

CHANGES: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "NaN in each total": (each_total(lambda _: math.nan), "does not work"),
    "infinite": (each_total(lambda _: math.inf), "does not work"),
    "totals in ms": (each_total(lambda value: value * 1000), "does not work"),
    "totals of the interval": (per_interval, "does not work"),
    "bookkeeping gone": (
        without(*BOOKKEPT),
        f"does not work on NEW as it is: {len(BOOKKEPT)} metrics of 79 are missing: alloc_hosts, app_first_log_time",
    ),
    "job_start_time in s": (everywhere("job_start_time", lambda value: value // 1000), "1 metric is"),
    "limit_run in ms": (everywhere("limit_run", lambda value: value * 1000), "1 metric is"),
    "app_last_log_time a text": (everywhere("app_last_log_time", str), "1 metric is"),
    "throughput in FLOP": (everywhere("train_throughput_per_gpu", lambda value: value * 1e12), "does not work"),
    "its maximum": (everywhere("train_throughput_per_gpu_max", lambda value: value * 1000), "does not work"),
    "a minimum of 0": (everywhere("train_iterations_time_msecs_min", lambda _: 0.0), "shows another picture"),
    "productive times halved": (each_total(lambda value: value / 2, "_total_productive"), "does not work"),
    "averages that do not fit": (everywhere("train_iterations_time_msecs_avg", lambda one: one * 1.5), "does not work"),
    "one sample in ten million": (everywhere("train_samples_target", lambda value: value + 1), "1 value differs"),
    "counts as floats": (everywhere("train_iterations", float), "1 metric is not what v1 sends"),
    "a progress row": (
        without_a_progress_row, "works on NEW, but shows another picture: 1 row of 31 is missing, first row",
    ),
    "a metric of the job's own in each row": (
        lambda rows: [{**row, "loss": 1.0} for row in rows],
        "does not work on NEW as it is: 1 metric that v1 is not known to have: loss; ",
    ),
    "another name for an average": (
        renamed("train_iterations_time_msecs_avg", "mine"),
        "as it is: 1 metric of 79 is missing: train_iterations_time_msecs_avg; 1 metric that v1 is not known to have: "
        "mine.",
    ),
    "bookkeeping in each row": (
        lambda rows: [{**row, "jobid": "1"} if "jobid" not in row else row for row in rows],
        "1 metric is not what v1 sends, or of another kind: jobid.",
    ),
    "its version in each row": (
        lambda rows: [{**row, "one_logger_version": "1"} for row in rows],
        "1 metric is not what v1 sends, or of another kind: one_logger_version.",
    ),
    "tags and the constructor's in one row": (tags_beside_others, "1 metric is not what v1 sends"),
    "two phases": (
        without("app_train_loop_finish_time", "app_finish_time"),
        "does not work on NEW as it is: 2 metrics of 79 are missing: app_finish_time, app_train_loop_finish_time; ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_lost_is_said_as_it_is(what: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    change, said = CHANGES[what]
    code, text = verify(capsys, GOOD, write(tmp_path / "new.jsonl", change(good())))
    assert code == 1
    assert said in text


def test_validation_rows_that_are_gone_are_three_metrics(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = changes.recorded()["golden/validation_rounds"]
    old = write(tmp_path / "old.jsonl", rows)
    new = write(tmp_path / "new.jsonl", [row for row in rows if VALIDATION[0] not in row])
    code, text = verify(capsys, old, new)
    assert code == 1
    assert (
        f"does not work on NEW as it is: 3 metrics of 58 are missing: {', '.join(sorted(VALIDATION))}; 2 rows" in text
    )


def test_many_rows_are_aligned_as_few_are(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = changes.recorded()["golden/quickstart"]
    at = max(number for number, row in enumerate(rows) if "train_iterations" in row) + 1
    more: Rows = [{f"loss{number % 3}": number, "app_last_log_time": rows[at - 1]["app_last_log_time"]}
                  for number in range(6000)]  # fmt: skip
    old = rows[:at] + more + rows[at:]
    new = [row for row in old if not any(name.startswith("app_model_init") for name in row)]
    code, text = verify(capsys, write(tmp_path / "old.jsonl", old), write(tmp_path / "new.jsonl", new))
    assert code == 1
    assert "as it is: 2 metrics of" in text
    assert f"2 rows of {len(old)} are missing" in text


# -- forms ------------------------------------------------------------------------------------------------------------


def table(rows: Rows, nothing: Any) -> Rows:
    """As pandas has them: every row has every column, and ints of columns with holes are floats."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    full = {name for name in names if all(name in row for row in rows)}
    return [{name: _in_a_table(row[name], name in full) if name in row else nothing for name in names} for row in rows]


def _in_a_table(value: Any, full: bool) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and not full else value


def as_csv(path: Path, rows: Rows, numbered: bool) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*([""] if numbered else []), *rows[0]])
        for number, row in enumerate(rows):
            writer.writerow([*([number] if numbered else []), *("" if one is None else one for one in row.values())])
    return path


FORMS: dict[str, Callable[[Path, Rows], Path]] = {
    "lines": lambda folder, rows: write(folder / "a.jsonl", rows),
    "an array": lambda folder, rows: _text(folder / "a.json", json.dumps(rows, indent=1)),
    "to_json(lines=True)": lambda folder, rows: write(folder / "b.jsonl", table(rows, None)),
    "to_dict('records')": lambda folder, rows: _text(folder / "b.json", json.dumps(table(rows, math.nan))),
    "to_json()": lambda folder, rows: _text(folder / "c.json", json.dumps(_columns(table(rows, None)))),
    "to_json(indent)": lambda folder, rows: _text(folder / "c.json", json.dumps(_columns(table(rows, None)), indent=2)),
    "csv": lambda folder, rows: as_csv(folder / "a.csv", table(rows, None), False),
    "to_csv()": lambda folder, rows: as_csv(folder / "b.csv", table(rows, None), True),
}


def _text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _columns(rows: Rows) -> dict[str, Any]:
    return {name: {str(number): row[name] for number, row in enumerate(rows)} for name in rows[0]}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_history(form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, rows in changes.recorded().items():
        plain, other = write(tmp_path / "plain.jsonl", rows), FORMS[form](tmp_path, rows)
        assert [verify(capsys, *sources)[0] for sources in ((other,), (plain, other))] == [0, 0], name


#: in what other shapes ``to_json(orient=...)`` and ``to_dict`` give a table
ORIENTS: dict[str, Callable[[Rows], Any]] = {
    "split": lambda rows: {"columns": list(rows[0]), "index": [0], "data": [list(row.values()) for row in rows]},
    "table": lambda rows: {"schema": {}, "data": [{"index": number, **row} for number, row in enumerate(rows)]},
    "index": lambda rows: {str(number): row for number, row in enumerate(rows)},
    "list": lambda rows: {name: [row[name] for row in rows] for name in rows[0]},
}


@pytest.mark.parametrize("orient", ORIENTS)
def test_a_table_in_another_orientation(orient: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = _text(tmp_path / "other.json", json.dumps(ORIENTS[orient](table(good(), None))))
    assert [verify(capsys, *sources)[0] for sources in ((other,), (GOOD, other), (other, GOOD))] == [0, 0, 0]


@pytest.mark.parametrize("nothing", ["NaN", "nan", "NA", "<NA>", "None", "null", "NULL", "N/A"])
def test_a_cell_that_says_nothing(nothing: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = as_csv(tmp_path / "other.csv", table(good(), nothing), True)
    assert [verify(capsys, *sources)[0] for sources in ((other,), (GOOD, other), (other, GOOD))] == [0, 0, 0]
    text = other.read_text(encoding="utf-8")
    other.write_text(text.replace("True", "TRUE").replace("False", "FALSE"), encoding="utf-8")  # a spreadsheet
    assert verify(capsys, GOOD, other)[0] == 0


def test_a_cluster_that_is_called_na(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = good()
    rows[0]["cluster"] = "NA"
    other = as_csv(tmp_path / "other.csv", table(rows, None), False)
    assert verify(capsys, write(tmp_path / "old.jsonl", rows), other)[0] == 0


@pytest.mark.parametrize("text", ['{"data": [1]}', '{"data": [[1]], "columns": [{}]}', "{", '{"a": []}', '{"0": 1}'])
def test_json_that_is_no_table(text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert verify(capsys, _text(tmp_path / "other.json", text))[0] == 2


#: a list of the job's own, and what pandas writes to CSV after Parquet
SPELLED: tuple[tuple[Any, str], ...] = (
    ([1, 2, 3], "[1 2 3]"),
    ([1.5, 2.0], "[1.5 2. ]"),
    ([0.123456789, 1.0], "[0.12345679 1.        ]"),
    ([[1, 2], [3, 4]], "[array([1, 2]) array([3, 4])]"),
    ([True, False], "[ True False]"),
    ([None, 1], "[nan  1.]"),
    ({"a": [1, 2], "b": "it's"}, """{'a': array([1, 2]), 'b': "it's"}"""),
    (list(range(2000)), "[   0    1    2 ... 1997 1998 1999]"),
    ("4711", "4711"),
)


@pytest.mark.parametrize(("value", "text"), SPELLED, ids=lambda one: str(one)[:20])
def test_a_list_as_numpy_spells_it(value: Any, text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def with_it(own: Any) -> Rows:
        rows = copy.deepcopy(changes.recorded()["golden/quickstart"])
        rows[-1]["mine"] = own
        return rows

    plain = write(tmp_path / "plain.jsonl", with_it(value))
    spelled = as_csv(tmp_path / "spelled.csv", table(with_it(text), None), True)
    other = as_csv(tmp_path / "other.csv", table(with_it(text.replace("1", "7")), None), True)
    assert [verify(capsys, plain, spelled)[0], verify(capsys, spelled, plain)[0]] == [0, 0]
    assert [verify(capsys, plain, other)[0], verify(capsys, other, plain)[0]] == [1, 1] or "1" not in text
    assert verify(capsys, plain, write(tmp_path / "a_text.jsonl", with_it(text)))[0] == int(value != text)


def test_a_table_without_holes_that_became_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A killed job has one row: pandas reads its texts from CSV as numbers, and its lists as texts."""
    row = {**changes.recorded()["golden/quickstart"][0], "jobid": "4711", "app_tag": ["a"], "app_tag_count": 1}
    row["app_tag_id"] = ["0cc175b9c0f1b6a831c399e269772661"]
    of_a_table = {**row, "jobid": 4711, "app_tag": "['a']", "app_tag_id": str(row["app_tag_id"])}
    plain = write(tmp_path / "plain.jsonl", [row])
    for rows in ([of_a_table], [{**row, "jobid": 4711}], [{**row, "app_tag": of_a_table["app_tag"]}]):
        other = write(tmp_path / "other.jsonl", rows)
        assert verify(capsys, plain)[0] == verify(capsys, other)[0] == 0
        assert [verify(capsys, plain, other)[0], verify(capsys, other, plain)[0]] == [0, 0]
    assert verify(capsys, write(tmp_path / "other.jsonl", [of_a_table, {"jobid": 4711}]))[0] == 1


# -- what must not be accused -----------------------------------------------------------------------------------------


def test_half_a_sample_and_no_start_of_the_application(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """verl divides, and calls ``on_app_end`` alone."""
    rows = copy.deepcopy(changes.recorded()["program/verl"])
    rows[1]["micro_batch_size"] = 0.5
    assert verify(capsys, write(tmp_path / "verl.jsonl", rows))[0] == 0


def test_configurations_of_which_some_keys_are_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """BioNeMo's configuration has all keys always."""
    rows = copy.deepcopy(changes.recorded()["golden/quickstart"])
    for name in ("summary_data_schema_version", "app_run_type", "micro_batch_size", "train_samples_target"):
        rows[1][name] = None
    assert verify(capsys, write(tmp_path / "bionemo.jsonl", rows))[0] == 0
    assert verify(capsys, write(tmp_path / "pandas.jsonl", table(rows, None)))[0] == 0


# -- numbers that are none, and what is too deep ----------------------------------------------------------------------


@pytest.mark.parametrize("value", ["NaN", "1e400", "-1e400", "1" + "0" * 400, "[" * 5000 + "]" * 5000, '"\\ud800"'])
def test_odd_values_are_findings(value: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = GOOD.read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if "save_checkpoint_sync_time_total" in line)
    row = json.loads(lines[at])
    row["save_checkpoint_sync_time_total"] = "@"
    lines[at] = json.dumps(row).replace('"@"', value)
    path = _text(tmp_path / "new.jsonl", "\n".join(lines))
    code, _ = verify(capsys, path)
    assert code == 1
    assert verify(capsys, GOOD, path)[0] == 1
    assert verify(capsys, path, GOOD)[0] == 1


# -- in every recorded job ---------------------------------------------------------------------------------------------


def verdict(old: Rows, new: Rows) -> str:
    before, after = history("OLD", old), history("NEW", new)
    of_old = check(before)
    return of_two(before, after, compare(before, after), of_old, only_in(check(after), of_old)).verdict


@pytest.mark.ci
def test_a_row_that_is_gone_is_a_row() -> None:
    for name, rows in changes.recorded().items():
        for at in range(1, len(rows), 2):
            new = rows[:at] + rows[at + 1 :]
            gone = {name for row in rows for name in row} - {name for row in new for name in row}
            said = verdict(rows, new)
            assert ("does not work" in said) == bool(gone), (name, at)
            assert "1 row of" in said or "app_tag" in rows[at], (name, at)
            assert "not what v1 sends" not in said, (name, at)


@pytest.mark.ci
def test_a_kind_of_row_that_is_gone_is_its_metrics() -> None:
    for name, rows in changes.recorded().items():
        for kind in {frozenset(row) - BOOKKEEPING for row in rows[1:] if "app_tag" not in row}:
            new = [row for row in rows if frozenset(row) - BOOKKEEPING != kind]
            gone = {name for row in rows for name in row} - {name for row in new for name in row}
            said = verdict(rows, new)
            assert (f"{len(gone)} metric" in said) if gone else ("does not work" not in said), (name, kind)
            assert "not what v1 sends" not in said, (name, kind)


# -- verify itself ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_notices_nearly_every_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert changes.main(["--changes", "300"]) == 0
    assert "of 300 changes noticed" in capsys.readouterr().out


@pytest.mark.slow
def test_who_reads_the_first_line_only_sees_no_traceback() -> None:
    command = f"{sys.executable} -m compat_matrix verify {GOOD} {GOOD} | true"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""

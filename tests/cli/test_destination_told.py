"""Where a run goes is told in one way: by a journal, by W&B's file of the run, by ``show``, ``goodput``, ``export``."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim._cli import _attempts, _places, export, goodput, show
from one_logger_v1_shim._journal.destination import RunSpec, settled, told
from tests.cli.journals import job_rows, journal
from tests.delivery import jobs

NAMES = ("entity", "project", "run_name", "tags")

JOB = """
one = OneLogger(json.load(open("config.json")))
for row in json.load(open("rows.json")):
    one.log_metrics(row)
one.finish()
"""

# configuration, environment, the user's settings file -> what W&B has
SITUATIONS: dict[str, tuple[dict[str, Any], dict[str, str], str, tuple[Any, ...]]] = {
    "nobody says anything": ({}, {}, "", ("hwinf_dcm", "e2e-tracking", None, ["e2e_metrics_enabled"])),
    "environment": (
        {},
        {"WANDB_ENTITY": "team", "WANDB_PROJECT": "mine", "WANDB_NAME": "night", "WANDB_TAGS": "a,b"},
        "",
        ("team", "mine", "night", ["a", "b"]),
    ),
    "settings file": (
        {},
        {},
        "entity = theirs\nproject = shared\nrun_name = day\n",
        ("theirs", "shared", "day", ["e2e_metrics_enabled"]),
    ),
    "environment over file": (
        {},
        {"WANDB_ENTITY": "", "WANDB_PROJECT": "mine"},
        "entity = theirs\nproject = shared\n",
        (None, "mine", None, ["e2e_metrics_enabled"]),
    ),
    "configuration over both": (
        {"project": "chosen", "name": "job"},
        {"WANDB_PROJECT": "mine", "WANDB_NAME": "night"},
        "project = shared\n",
        ("hwinf_dcm", "chosen", "job", ["e2e_metrics_enabled"]),
    ),
}


@pytest.fixture(scope="module")
def homes(warm: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each situation."""
    base = tmp_path_factory.mktemp("told")
    found, running = {}, []
    for number, (name, (config, environ, file, _)) in enumerate(SITUATIONS.items()):
        home = found[name] = base / str(number)
        home.mkdir()
        (home / "config.json").write_text(json.dumps(config))
        (home / "rows.json").write_text(json.dumps(job_rows()))
        if file:
            (home / ".config" / "wandb").mkdir(parents=True)
            (home / ".config" / "wandb" / "settings").write_text(f"[default]\n{file}")
        running.append(jobs.Job(JOB, home, dict(environ), command=[warm, "job.py"]))
    for job in running:
        result = job.end()
        assert result.code == 0, result.err
        jobs.until(lambda home=result.home: jobs.mark(home).get("state") == "finished", "the worker has ended")
    return found


def of_file(home: Path) -> dict[str, Any]:
    """What W&B's own file says."""
    (path,) = home.glob("wandb/*/*.wandb")
    run = _places.open_run(path)
    assert len(list(run.rows())) == len(job_rows())
    return {name: run.about.get(name) or None for name in NAMES}


@pytest.mark.everywhere
@pytest.mark.slow
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_journal_tells_what_wandb_has(name: str, homes: Mapping[str, Path], tmp_path: Path) -> None:
    expected = dict(zip(NAMES, SITUATIONS[name][3]))
    assert of_file(homes[name]) == expected
    (folder,) = jobs.journals(homes[name])
    about = _places.open_run(folder).about
    assert {one: told(about, one) for one in NAMES} == expected
    before = {**about, "mark": {}}  # no worker has come up yet
    assert {one: told(before, one) for one in NAMES} == expected


@pytest.mark.slow
def test_all_who_show_a_run_agree(
    homes: Mapping[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = jobs.journals(homes["environment"])
    (stored,) = homes["environment"].glob("wandb/offline-run-*")
    alone = tmp_path / "alone"
    shutil.copytree(stored, alone / stored.name)
    headers, documents, exported = [], [], []
    for path in (folder, alone):
        header = show.read(path).sections[0]
        told_there = {line.label: line.value for line in header.lines}
        headers.append([told_there[one] for one in ("project", "run name", "entity")])
        capsys.readouterr()
        assert goodput.main([str(path), "--json"]) == 0
        (training,) = json.loads(capsys.readouterr().out)["trainings"]
        documents.append({one: training.get(one) for one in ("project", "entity", "run_name")})
        assert export.main([str(path), str(tmp_path / "rows.csv")]) == 0
        with open(tmp_path / "rows.csv", newline="") as file:
            row = next(csv.DictReader(file))
        exported.append([row[f"_{one}"] for one in ("project", "entity", "run_name")])
    assert headers[0] == headers[1] == ["mine", "night", "team"]
    assert documents[0] == documents[1], documents
    assert documents[0]["project"] == "mine"
    assert exported[0] == exported[1] == ["mine", "team", "night"]


def test_the_servers_word_counts(tmp_path: Path) -> None:
    """The account may not write to v1's entity, and the run is the account's own."""
    folder = journal(tmp_path, job_rows(), settled={"WANDB_PROJECT": "mine"}, chosen={})
    about = _places.open_run(folder).about
    assert [told(about, one) for one in NAMES] == ["hwinf_dcm", "mine", None, ["e2e_metrics_enabled"]]
    mark = json.loads((folder / "mark.json").read_text())
    mark["run"] = {"entity": "account", "project": "mine", "run_name": "quiet-sun-1", "tags": ["a", 5], "api_key": "x"}
    (folder / "mark.json").write_text(json.dumps(mark))
    about = _places.open_run(folder).about
    assert [told(about, one) for one in NAMES] == ["account", "mine", "quiet-sun-1", ["a"]]
    (attempt,), _ = _attempts.attempts_of(_places.open_run(folder))
    assert (attempt.value("entity"), attempt.value("run_name")) == ("account", "quiet-sun-1")


@pytest.mark.parametrize("odd", [None, 5, "text", [], {"run": 5}, {"run": []}, {"run": {"entity": None}}])
def test_damaged_words_are_none(odd: Any) -> None:
    """What a file says may be anything."""
    for about in ({"mark": odd}, {"settled": odd}, {"chosen": odd, "default": odd}):
        assert told(about, "entity") is None


def test_settled_is_what_wandb_would_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\nentity = theirs\nbase_url = http://me:word@w\nnotes = n\n")
    environ: dict[str, str] = {"WANDB_CONFIG_DIR": str(tmp_path), "WANDB_NAME": "", "WANDB_API_KEY": "secret"}
    expected = {"WANDB_NAME": "", "WANDB_ENTITY": "theirs", "WANDB_BASE_URL": "http://w"}
    assert settled(environ) == expected
    spec = RunSpec(chosen={}, default={"entity": "hwinf_dcm"})
    arguments: Optional[Any] = spec.arguments(environ)
    assert "entity" not in arguments, "wandb reads it in the file"
    assert spec.arguments(settled(environ)) == {}

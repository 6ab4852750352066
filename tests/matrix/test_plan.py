"""Which cells there are, and what becomes of those that cannot be run."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

from compat_matrix.__main__ import main
from compat_matrix.jobs import all_jobs
from compat_matrix.planner import plan
from compat_matrix.planner.consumers import load as load_consumers
from compat_matrix.planner.selection import jobs_of
from compat_matrix.runner import interpreters
from one_logger_v1_shim._requirements import REQUIREMENTS


def test_every_python_meets_every_wandb_that_it_can_install() -> None:
    axes = plan.load()
    offline = {
        (cell.python, cell.wandb) for cell in plan.grid(axes) if cell.wandb_mode == "offline" and not cell.frameworks
    }
    wanted = {
        (python, wandb)
        for python, (wandb, bound) in itertools.product(axes["python"], axes["wandb"].items())
        if plan.supports(bound, python)
    }
    assert offline == wanted
    assert ("3.9", "0.31.0") not in wanted


def test_the_canary_has_the_newest_of_everything_in_each_mode() -> None:
    axes = plan.load()
    cells = plan.canary(axes)
    assert {(cell.wandb, cell.wrapt) for cell in cells} == {("newest", "newest")}
    assert {cell.python for cell in cells} == set(axes["python"][-2:])
    assert set(axes["canary"]["forced"]) <= {one.name for one in REQUIREMENTS}
    for axis in ("mode", "imports", "wandb_mode"):
        assert {getattr(cell, axis) for cell in cells} == set(axes[axis])


def test_every_pair_of_values_occurs() -> None:
    axes = plan.load()
    seen = set().union(*(cell.pairs() for cell in plan.grid(axes)))
    names = ("wrapt", "mode", "imports", "wandb_mode", "python", "wandb")
    for one, other in itertools.combinations(sorted(names), 2):
        for a, b in itertools.product(axes[one], axes[other]):
            if {one, other} == {"python", "wandb"}:
                python, wandb = (a, b) if one == "python" else (b, a)
                if not plan.supports(axes["wandb"][wandb], python):
                    continue
            assert (one, a, other, b) in seen


def test_cells_have_names_of_their_own_and_share_environments() -> None:
    cells = plan.grid(plan.load())
    assert len({cell.name for cell in cells}) == len(cells)
    plain = [cell for cell in cells if not cell.frameworks]
    assert len({cell.environment for cell in plain}) == len({(cell.python, cell.wandb) for cell in plain})


def test_the_diagonal_has_each_python_the_ends_of_wandb_and_each_value_of_the_other_axes() -> None:
    axes = plan.load()
    cells = plan.diagonal(axes)
    assert {"0.17.7", "newest"} <= {cell.wandb for cell in cells}
    for axis in ("python", "wrapt", "mode", "imports", "wandb_mode"):
        assert {getattr(cell, axis) for cell in cells} == set(axes[axis]), axis
    assert all(plan.supports(axes["wandb"][cell.wandb], cell.python) for cell in cells)


def test_the_diagonal_plays_each_job_with_the_newest_wandb_and_with_an_older_one() -> None:
    axes, jobs = plan.load(), all_jobs()
    names = {job.name for job in jobs}
    played = {cell: [job.name for job in jobs_of(cell, jobs)] for cell in plan.diagonal(axes)}
    *older, newest, online, disabled = played
    assert set(played[newest]) == names
    assert newest.wandb == "newest"
    assert sorted(name for cell in older for name in played[cell]) == sorted(names), "each of them once"
    assert set(axes["quick_online"]) <= set(played[online]) <= {*names, *(f"{name}@sync" for name in names)}
    assert [name for name in played[online] if name.endswith("@sync")] == [
        "program/megatron@sync",
        "golden/quickstart@sync",
    ]
    assert played[disabled]
    # CI has 200 s for them
    consumers = load_consumers()
    isolated = [
        job
        for cell in plan.quick_environments(axes, consumers)
        for job in jobs_of(cell, jobs, consumers[cell.consumer])
    ]
    assert sum(map(len, played.values())) + len(isolated) < 200
    assert all(cell.share == (0, 1) and not cell.only for cell in plan.grid(axes))


def test_a_cell_that_plays_none_of_the_chosen_jobs_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Its environment would be made for nothing, and no job would come in."""
    assert main(["--quick", "--list", "--job", "golden/throughput"]) == 0
    left = set(capsys.readouterr().out.splitlines())
    *older, newest, online, _ = (cell.name for cell in plan.diagonal(plan.load()))
    assert (len(left & {*older}), newest in left, online in left) == (1, True, False)
    assert main(["--quick", "--job", "no such job"]) == 2


@pytest.mark.slow
def test_this_interpreter_is_found_only_if_it_is_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    assert interpreters.find("3.11") is None
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pretender = tmp_path / f"python{here}"
    pretender.write_text("#!/bin/sh\necho pyenv: version not installed >&2\nexit 127\n")
    pretender.chmod(0o755)
    assert interpreters.find(here) is None
    pretender.unlink()
    pretender.symlink_to(sys.executable)
    assert interpreters.find(here) == str(pretender)
    (tmp_path / "python3.99").symlink_to(sys.executable)
    assert interpreters.find("3.99") is None
    known = [(here, str(pretender))] if sys.version_info.releaselevel == "final" else []
    assert list(interpreters.released(["3.99", here])) == known

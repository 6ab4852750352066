"""What ``verify`` says of histories with one thing changed, word for word; the list is drawn as ``changes`` draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compat_matrix.verify import changes, page
from compat_matrix.verify.check_life import check
from compat_matrix.verify.compared import compare
from compat_matrix.verify.findings import only_in
from compat_matrix.verify.history import history
from tests import said

#: not all: what is said here stays the same when a job is recorded or a program is written
JOBS = (
    "app_tag_changes", "callables", "checkpoint_async_in_order", "checkpoint_failed_attempt", "core_megatron_async",
    "core_megatron_sync", "given_timestamps", "init_before_app_start", "metadata_types", "no_app_start", "quickstart",
    "random_1", "random_10", "random_2", "random_9", "resume", "slurm_tags_log_times", "throughput",
    "validation_rounds",
)  # fmt: skip


def _said(change: changes.Change) -> dict[str, Any]:
    """Alone and in a pair; the numbers of rows, names and values are in the texts."""
    old, new = history("OLD", change.before), history("NEW", change.after)
    of_old, of_new = check(old), check(new)
    alone = page.of_one(new, of_new)
    pair = page.of_two(old, new, compare(old, new), of_old, only_in(of_new, of_old))
    return {"alone": alone.text().splitlines()[:8], "pair": pair.text().splitlines()[:10]}


def test_single_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"golden/{name}": changes.recorded()[f"golden/{name}"] for name in JOBS}
    monkeypatch.setattr(changes, "recorded", lambda: known)
    cases = {f"{number} {one.job}: {one.what}": _said(one) for number, one in enumerate(changes.draw(60, 23))}
    said.check(Path(__file__).with_name("said.json"), cases)

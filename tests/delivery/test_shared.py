"""Several ranks log to one run of the user's (W&B's shared mode), and one of them has ours beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.delivery import jobs
from tests.delivery.server import Server
from tests.support import clean_environment

pytestmark = pytest.mark.ci

# As W&B's documents have it: one id, one rank is the primary one, and it alone says that the run is finished.
JOB = """
import wandb
rank = int(sys.argv[1])
settings = wandb.Settings(mode="shared", x_primary=rank == 0, x_label=f"rank{rank}", x_update_finish_state=rank == 0)
theirs = wandb.init(id="sharedrun", project="p", settings=settings)
one = one_logger() if rank == 0 else None
for i in range(5):
    theirs.log({f"rank{rank}": i})
    if one is not None:
        one.log_metrics({"i": i})
theirs.finish()
if one is not None:
    one.finish()
print("done")
"""


class Lines(Server):
    """Keeps each row as it came: the ranks count their steps alone."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[tuple[str, dict[str, Any]]] = []

    def _stream(self, path: str, body: bytes) -> dict[str, Any]:
        before = {step: id(row) for step, row in self.rows.items()}
        answer = super()._stream(path, body)
        new = [row for step, row in self.rows.items() if before.get(step) != id(row)]
        self.came.extend((path.split("/")[-2], row) for row in new)
        return answer


@pytest.mark.everywhere
def test_our_run_is_beside_the_shared_one(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(jobs.BEGIN + JOB)
    server = Lines()
    environ = clean_environment(tmp_path, {"WANDB_SILENT": "true", **server.environment(), **jobs.LIMITS})
    try:
        ranks = [
            subprocess.Popen([sys.executable, "job.py", rank], cwd=tmp_path, env=environ,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for rank in "01"
        ]  # fmt: skip
        said = [rank.communicate(timeout=120) for rank in ranks]
        jobs.gone(tmp_path)
    finally:
        server.stop()
    assert [out for out, _ in said] == ["done\n"] * 2, said
    assert all(line.startswith("waiting for W&B: ") for _, err in said for line in err.splitlines()), said
    found: dict[str, list[tuple[str, int]]] = {}
    for run, row in server.came:
        found.setdefault(run, []).extend((name, row[name]) for name in ("rank0", "rank1", "i") if name in row)
    theirs = sorted(found.pop("sharedrun"))
    assert theirs == [(f"rank{rank}", i) for rank in range(2) for i in range(5)]  # as without ours
    assert list(found.values()) == [[("i", i) for i in range(5)]]

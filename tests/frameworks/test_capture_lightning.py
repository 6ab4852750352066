"""A Lightning job in a test's block: the rows that W&B stores of the same job."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from tests.frameworks import jobs
from tests.frameworks.capturing import captured

HOOK = {"family": "lightning.pytorch", "via": "hook", "user_adds": "before"}
FAILS = {"family": "pytorch_lightning", "via": "hook", "event": [12, "raise"]}
JOBS = [("lightning", HOOK), ("lightning", FAILS)]


@pytest.mark.parametrize(("settings", "error"), [(HOOK, None), (FAILS, "UserError")], ids=["whole", "fails"])
def test_rows_are_those_of_wandbs_file(
    settings: dict[str, Any], error: Any, job: Callable[..., jobs.Result], tmp_path: Path
) -> None:
    found = captured("lightning", tmp_path, **settings)
    assert found.kinds == found.kinds_before == job("lightning", **settings).kinds
    assert len(found.kinds) > 5
    assert (found.error, found.finished) == (error, [True])
    assert [span[:2] for span in found.spans[:2]] == [["application", None], ["training_loop", "application"]]
    assert all(span[2] is not None for span in found.spans)

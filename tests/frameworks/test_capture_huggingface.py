"""A transformers job in a test's block: the rows that W&B stores of the same job. Its last row comes with the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest

from tests.frameworks import jobs
from tests.frameworks.capturing import captured

FAILS = {"event": [12, "raise"]}
JOBS: list[tuple[str, dict[str, Any]]] = [("huggingface", {}), ("huggingface", FAILS)]


@pytest.mark.parametrize(("settings", "error"), [({}, None), (FAILS, "UserError")], ids=["whole", "fails"])
def test_rows_are_those_of_wandbs_file(
    settings: dict[str, Any], error: Any, job: Callable[..., jobs.Result], tmp_path: Path
) -> None:
    found = captured("huggingface", tmp_path, **settings)
    assert found.kinds == job("huggingface", **settings).kinds
    assert found.kinds == [*found.kinds_before, "app_end"], "with the process, or here with the block"
    assert (found.error, found.finished) == (error, [False])
    assert [span[:2] for span in found.spans[:2]] == [["application", None], ["model_initialization", "application"]]
    assert all(span[2] is not None for span in found.spans)

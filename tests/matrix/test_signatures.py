"""The shim takes every call that anybody is known to make; and the check would notice if it did not."""

from __future__ import annotations

from typing import Any

import pytest

from compat_matrix.jobs import GOLDENS
from compat_matrix.signatures import check

FINDINGS = list(check.check())


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: f"{finding.symbol}: {finding.checked}"[:80])
def test_signature(finding: check.Finding) -> None:
    if finding.trouble is None:
        pytest.skip(f"NOT RUN: {finding.why}")
    assert not finding.trouble


def test_every_recorded_job_and_every_callback_was_looked_at() -> None:
    symbols = {finding.symbol for finding in FINDINGS}
    assert {f"goldens/{path.stem}" for path in GOLDENS.glob("*.json")} <= symbols
    assert "one_logger_utils.core.OneLoggerUtils.on_save_checkpoint_success" in symbols
    assert "one_logger.core.OneLogger.get_context_manager" in symbols


def stub(text: str) -> Any:
    names: dict[str, Any] = {}
    exec(text, names)
    return names["f"]


class Later:
    """A later release that broke something."""

    def renamed(self, metric: Any) -> None: ...

    def keyword_only(self, *, metrics: Any) -> None: ...

    def more(self, metrics: Any, step: Any) -> None: ...

    def optional(self, metrics: Any, step: Any = None) -> None: ...

    def default(self, set_barrier: bool = True, **kwargs: Any) -> None: ...

    def strict(self, set_barrier: bool = False) -> None: ...


@pytest.mark.parametrize(
    ("name", "v1", "trouble"),
    [
        ("renamed", "def f(self, metrics): ...", "has no parameter 'metrics'"),
        ("keyword_only", "def f(self, metrics): ...", "'metrics' is keyword-only"),
        ("more", "def f(self, metrics): ...", "needs ['step'], which v1 did not have"),
        ("optional", "def f(self, metrics): ...", ""),
        ("default", "def f(self, set_barrier=False, **kwargs): ...", "'set_barrier' is True by default, v1: False"),
        ("strict", "def f(self, set_barrier=False, **kwargs): ...", "takes no **kwargs"),
        ("gone", "def f(self): ...", "is missing"),
    ],
)
def test_a_later_release_that_differs_is_noticed(name: str, v1: str, trouble: str) -> None:
    found = list(check._function("x", getattr(Later, name, None), stub(v1)))
    assert found[0].trouble == trouble


def test_a_call_that_is_not_accepted_is_noticed() -> None:
    node = stub('def f(self, metrics):\n    """somebody: `one_logger.f({}, step=1)`"""')
    assert "step" in str(list(check._function("x", Later.renamed, node))[1].trouble)

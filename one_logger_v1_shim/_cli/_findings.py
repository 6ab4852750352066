"""What a check of ``doctor`` says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """``level  what: detail -> advice``; an error means that no row will reach W&B as things stand."""

    level: str
    what: str
    detail: str
    advice: str = ""


fine, doubtful, wrong = (partial(Finding, level) for level in (OK, WARNING, ERROR))

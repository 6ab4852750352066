"""What the package needs, and which process needs it. ``doctor`` and ``isolate`` read this table.

``pyproject.toml`` says the same to installers; a test holds the two together.
"""

from __future__ import annotations

from typing import NamedTuple, Optional


class Requirement(NamedTuple):
    """One distribution: ``least`` version, first version that is too new (``below``), and the process that needs it."""

    name: str
    least: str
    below: Optional[str]
    worker: bool

    @property
    def specifier(self) -> str:
        """As an installer takes it."""
        return f"{self.name}>={self.least}" + (f",<{self.below}" if self.below else "")


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("wandb", "0.20.1", None, worker=True),
    # the framework modules in the job's process; the rest of the package does without
    Requirement("wrapt", "1.14", None, worker=False),
    Requirement("nv-one-logger-core", "2.3.1", "3", worker=True),
    Requirement("nv-one-logger-training-telemetry", "2.3.1", "3", worker=True),
    # nv-one-logger-core imports yaml and does not declare it
    Requirement("PyYAML", "6", None, worker=True),
)

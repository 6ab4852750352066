"""What the package needs, and which process needs it. ``doctor`` and ``isolate`` read this table.

``pyproject.toml`` says the same to installers; a test holds the two together. Standard library only.
"""

from __future__ import annotations

from typing import NamedTuple, Optional


class Requirement(NamedTuple):
    """One distribution: ``least`` version, first version that is too new (``below``), ``module``: what is imported.

    ``worker``: the worker's environment needs it. The job's needs all of them, if the worker runs on its interpreter.
    """

    name: str
    module: str
    least: str
    below: Optional[str]
    worker: bool

    @property
    def specifier(self) -> str:
        """As an installer takes it."""
        return f"{self.name}>={self.least}" + (f",<{self.below}" if self.below else "")

    def fits(self, version: str) -> bool:
        """Whether that is a version that we can use."""
        found = release(version)
        return found >= release(self.least) and (self.below is None or found < release(self.below))


def release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version; what comes after them (``rc1``, ``+local``) does not count."""
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


_EXPORTER = "opentelemetry.exporter.otlp.proto"
_PROVIDER = "nv_one_logger.training_telemetry.api.training_telemetry_provider"

REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("wandb", "wandb", "0.20.1", None, worker=True),
    # the framework modules in the job's process; the rest of the package does without
    Requirement("wrapt", "wrapt", "1.14", None, worker=False),
    Requirement("nv-one-logger-core", "nv_one_logger.api.one_logger_provider", "2.3.1", "3", worker=True),
    Requirement("nv-one-logger-training-telemetry", _PROVIDER, "2.3.1", "3", worker=True),
    # nv-one-logger-core imports yaml and does not declare it
    Requirement("PyYAML", "yaml", "6", None, worker=True),
)

#: the extra `otel`: what the worker needs for OTLP. Newer versions of wandb bring the first two.
OTEL: tuple[Requirement, ...] = (
    Requirement("opentelemetry-sdk", "opentelemetry.sdk.trace", "1.20", "2", worker=True),
    Requirement("opentelemetry-exporter-otlp-proto-http", f"{_EXPORTER}.http.trace_exporter", "1.20", "2", worker=True),
    Requirement("opentelemetry-exporter-otlp-proto-grpc", f"{_EXPORTER}.grpc.trace_exporter", "1.20", "2", worker=True),
)

"""What the environment says of OTLP: on or off, what is sent where, what is missing for it. The standard library only.

The variables are OpenTelemetry's own, and its exporters read them themselves; here is only what has to be known before
one is made. Asked in the worker's process, and by ``doctor``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import NamedTuple

from .._journal.secret import without_user
from .._variables import boolean

VARIABLE = "ONE_LOGGER_V1_OTLP"
TRACES, METRICS = "traces", "metrics"
HTTP, GRPC = "http/protobuf", "grpc"

#: protocol -> the package that speaks it, where a collector listens for it
_PACKAGES = {HTTP: "opentelemetry-exporter-otlp-proto-http", GRPC: "opentelemetry-exporter-otlp-proto-grpc"}
_PORTS = {HTTP: "http://localhost:4318", GRPC: "http://localhost:4317"}
_PATHS = {TRACES: "/v1/traces", METRICS: "/v1/metrics"}
_OTEL = "OTEL_EXPORTER_OTLP_"


class Signal(NamedTuple):
    """Traces or metrics: the protocol, and the address without a password, for a log line."""

    name: str
    protocol: str
    endpoint: str

    @property
    def package(self) -> str:
        """What has to be installed for it."""
        return _PACKAGES[self.protocol]

    @property
    def module(self) -> str:
        """Where its exporter is."""
        kind = "trace_exporter" if self.name == TRACES else "metric_exporter"
        return f"opentelemetry.exporter.otlp.proto.{'grpc' if self.protocol == GRPC else 'http'}.{kind}"

    @property
    def installed(self) -> bool:
        """Whether its exporter and the SDK are there; nothing of them is imported but the packages around them."""
        try:
            return all(importlib.util.find_spec(one) for one in ("opentelemetry.sdk.trace", self.module))
        except (ImportError, ValueError, AttributeError):
            return False


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether OTLP is on. Raises ``ValueError``: the variable says neither."""
    found = boolean(environ, VARIABLE)
    if found is None:
        raise ValueError(f"{VARIABLE}={environ[VARIABLE]!r} says neither on (1) nor off (0): OTLP stays off")
    return found and environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"


def signals(environ: Mapping[str, str]) -> list[Signal]:
    """What is to be sent. Raises ``ValueError``: a protocol that Python's exporters do not speak."""
    found = []
    for name in (TRACES, METRICS):
        if environ.get(f"OTEL_{name.upper()}_EXPORTER", "").strip().lower() == "none":
            continue
        own = f"{_OTEL}{name.upper()}_"
        variable = f"{own}PROTOCOL" if environ.get(f"{own}PROTOCOL") else f"{_OTEL}PROTOCOL"
        protocol = environ.get(variable, "").strip().lower() or HTTP
        if protocol not in _PACKAGES:
            raise ValueError(f"{variable}={environ[variable]!r}; expected {HTTP} or {GRPC}")
        endpoint = environ.get(f"{own}ENDPOINT") or environ.get(f"{_OTEL}ENDPOINT") or _PORTS[protocol]
        if protocol == HTTP and not environ.get(f"{own}ENDPOINT"):
            endpoint = endpoint.rstrip("/") + _PATHS[name]
        found.append(Signal(name, protocol, without_user(endpoint)))
    return found


def missing(found: list[Signal]) -> list[str]:
    """The packages that have to be installed for the signals."""
    return list(dict.fromkeys(one.package for one in found if not one.installed))

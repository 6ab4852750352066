"""``doctor``'s line about OTLP, and ``isolate --otel``: what is installed, asked in a real environment."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from one_logger_v1_shim._cli import _environment, isolate
from one_logger_v1_shim._cli._checks_environment import variables
from one_logger_v1_shim._cli._checks_packages import otlp
from one_logger_v1_shim._cli._findings import OK, WARNING, Finding
from one_logger_v1_shim._requirements import OTEL
from tests.support import ROOT


@pytest.fixture(autouse=True)
def _environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ONE_LOGGER_V1_OTLP", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ONE_LOGGER_V1_PYTHON", sys.executable)


def line() -> Finding:
    (found,) = otlp()
    return found


def test_off() -> None:
    found = line()
    assert (found.level, found.what) == (OK, "OTLP")
    assert found.detail.startswith("off; ONE_LOGGER_V1_OTLP=1 ")


def test_neither_on_nor_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_OTLP", "perhaps")
    assert line().level == WARNING
    assert "ONE_LOGGER_V1_OTLP='perhaps' says neither on" in line().detail
    assert not [found for found in variables() if "OTLP" in found.what]  # one line is enough


def test_nothing_is_to_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_OTLP", "1")
    for name in ("TRACES", "METRICS"):
        monkeypatch.setenv(f"OTEL_{name}_EXPORTER", "none")
    assert line().detail == "on: nothing: both are none"


@pytest.mark.slow
def test_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_OTLP", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@c:4318")
    assert line() == Finding(
        OK,
        "OTLP",
        "on: traces to http://c:4318/v1/traces (http/protobuf), metrics to http://c:4318/v1/metrics (http/protobuf)",
    )


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_what_is_missing(protocol: str, bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_LOGGER_V1_OTLP", "1")
    monkeypatch.setenv("ONE_LOGGER_V1_PYTHON", bare)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    found = line()
    package = f"opentelemetry-exporter-otlp-proto-{protocol[:4]}"
    assert found.level == WARNING
    assert f"but opentelemetry-sdk, {package} cannot be imported in {bare}" in found.detail
    assert f"{bare} -m pip install 'opentelemetry-sdk" in found.advice
    assert "isolate --otel" in found.advice


# -- isolate -----------------------------------------------------------------------------------------------------


def test_the_extra_has_what_isolate_installs() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    (extra,) = re.findall(r"^otel = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert re.findall(r'"(.*?)"', extra) == [one.specifier for one in OTEL]


def test_packages_of_the_two_kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed: list[list[str]] = []
    monkeypatch.setattr(_environment, "_run", lambda command, where, what: installed.append(command))
    monkeypatch.setattr(
        _environment, "_check", lambda folder, needed: {"python": "3.11", **{o.name: "1" for o in needed}}
    )
    for number, options in enumerate(([], ["--otel"])):
        assert isolate.main([str(tmp_path / str(number)), *options]) == 0
    plain, more = (set(command) for command in installed[1::2])
    assert {one.specifier for one in OTEL} <= more
    assert not {one.specifier for one in OTEL} & plain


@pytest.mark.slow
def test_an_environment_that_is_there_without_them(
    bare: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(bare)
    (tmp_path / _environment.MARKER).write_text("{}")
    monkeypatch.setattr(_environment, "_WORKERS", ())
    assert isolate.main([str(tmp_path), "--otel"]) == 1
    assert "without OpenTelemetry's exporters; remove it, then again" in capsys.readouterr().err
    assert isolate.main([str(tmp_path)]) == 0

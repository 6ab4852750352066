"""v2's own log lines about our calls do not reach the job's log; those about the application's own v2 calls do."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.delivery import jobs
from tests.support import CONFIG, clean_environment, run_command, run_python

LOG = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(name)s|%(levelname)s|%(message)s")
"""
# Validation is cut short, as Lightning and Megatron do it; a success comes after its save.
CALLS = f"""
from one_logger_v1_shim.utils import OneLoggerUtils
utils = OneLoggerUtils({{**{CONFIG!r}, "save_checkpoint_strategy": "sync", "train_iterations_target": 4}})
utils.on_app_start()
utils.on_train_start(train_iterations_start=0, train_samples_start=0)
for _ in range(3):
    utils.on_train_batch_start()
    utils.on_train_batch_end()
utils.on_validation_start()
utils.on_validation_batch_start()
utils.on_validation_end()
utils.on_train_end()
utils.on_save_checkpoint_start(global_step=3)
utils.on_save_checkpoint_end(global_step=3)
utils.on_save_checkpoint_success(global_step=3)
utils.on_app_end()
utils.on_app_end()
utils.finish()
"""
# The application's own v2 calls: the same mistake, and its own export configuration.
OWN = """
from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.training_telemetry.api.callbacks import (
    on_app_start, on_dataloader_init_end, on_dataloader_init_start, on_model_init_end, on_model_init_start)
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
provider = TrainingTelemetryProvider.instance()
provider.with_base_config(OneLoggerConfig(application_name="own", session_tag_or_fn="tag", world_size_or_fn=1))
provider.with_export_config().configure_provider()
"""
OWN_CALLS = """
on_app_start()
on_model_init_start()
on_dataloader_init_start()
on_model_init_end()
on_dataloader_init_end()
"""


def v2_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("nv_one_logger")]


def without_id(line: str) -> str:
    return re.sub(r"id=[0-9a-f-]+", "id", line)


USES_V2 = "import nv_one_logger.training_telemetry.api.callbacks\n"


@pytest.mark.parametrize("first", ["", USES_V2], ids=["worker", "job"])
def test_our_calls(first: str, tmp_path: Path) -> None:
    result = jobs.run(LOG + first + CALLS, tmp_path)
    assert result.code == 0, result.err
    assert v2_lines(result.out) == []
    assert "nv_one_logger" not in result.out + result.err
    assert [line for line in result.out.splitlines() if "v2" in line] == []
    assert len(result.runs()) == 1


def test_the_applications_own_calls(tmp_path: Path) -> None:
    plain = run_python(LOG + OWN + OWN_CALLS, tmp_path)
    said = v2_lines(plain.stdout)
    assert any("Final configuration contains 0 exporter(s)" in line for line in said)
    assert any("is stopped before its child span" in line for line in said)
    together = run_python(LOG + OWN + OWN_CALLS + CALLS, tmp_path, env={"WANDB_MODE": "offline"})
    assert [without_id(line) for line in v2_lines(together.stdout)] == [without_id(line) for line in said]


def test_below_our_own_frames(tmp_path: Path) -> None:
    """A program that `run` has started is below our frames; what v2 says about its calls is not about ours."""
    (tmp_path / "program.py").write_text(LOG + OWN + OWN_CALLS)
    command = [sys.executable, "-m", "one_logger_v1_shim", "run", "program.py"]
    done = run_command(command, tmp_path, env=clean_environment(tmp_path))
    assert any("is stopped before its child span" in line for line in v2_lines(done.stdout))


def test_trouble_that_our_calls_have_made_is_one_line_of_ours(tmp_path: Path) -> None:
    (tmp_path / "exporters.yaml").write_text("exporters: [{class_name: no.such.Exporter, config: {}}]")
    environ = {"ONE_LOGGER_EXPORTER_CONFIG_PATH": str(tmp_path / "exporters.yaml"), "WANDB_MODE": "offline"}
    done = run_python(LOG + CALLS, tmp_path, env=environ)
    assert v2_lines(done.stdout) == []
    about = [line for line in done.stdout.splitlines() if "no.such.Exporter" in line]
    assert len(about) == 1, done.stdout
    assert about[0].startswith("one_logger_v1_shim|WARNING|v2")

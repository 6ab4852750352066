"""One off switch: every rank is a disabled rank. Each face in a fresh process that must leave no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run_python

pytestmark = pytest.mark.slow

HEAD = """
import sys
config = {"enable_for_current_rank": True, "one_logger_project": "p", "app_tag": "t", "app_tag_run_name": "r",
          "world_size": 1, "global_batch_size": 8, "is_train_iterations_enabled": True,
          "is_validation_iterations_enabled": True, "nobody": "checks this"}
"""
LIFE = """
utils.on_app_start(); utils.on_train_start(); utils.on_train_batch_start(); utils.on_train_batch_end()
utils.on_train_step_start(); utils.on_train_step_end()
utils.on_save_checkpoint_start(); utils.on_train_end(); utils.on_app_end(); utils.finish()
assert utils.one_logger is None and not utils.enable_for_current_rank
"""
FACES = {
    "utils": "from one_logger_v1_shim.utils import OneLoggerUtils; utils = OneLoggerUtils(config)" + LIFE,
    "no edit": "from one_logger_utils import OneLoggerUtils; utils = OneLoggerUtils(config)\nimport one_logger" + LIFE,
    "Megatron's core": """
from one_logger_v1_shim import OneLogger
one = OneLogger(config={"project": "a/b", "name": None, "unknown": 1})
assert one
with one.get_context_manager():
    one.store_set("k", 1)
    one.log_metrics({"a": one.store_get("k") / 0})
one.log_metrics(None); one.log_app_tag("tag"); one.finish()
""",
    "rankpulse": "from one_logger_v1_shim import rankpulse; rankpulse.start(15, 300, True); rankpulse.stop(3.0)",
    "NeMo": """
from one_logger_v1_shim.utils.nemo import get_hooked_model, hook_model_cls
class Model:
    def __init__(self, cfg, trainer): pass
assert hook_model_cls(Model, object()) is Model
assert type(get_hooked_model(model_class=Model, cfg=1, trainer=object())) is Model
""",
    "a test": """
from one_logger_v1_shim.testing import capture
from one_logger_v1_shim.utils import OneLoggerUtils
with capture() as captured:
    utils = OneLoggerUtils(config)
    utils.on_app_start()
assert captured.rows == captured.runs == []
""",
}
ADAPTERS = {
    "v2's callbacks": """
from one_logger_v1_shim import configure_v2_adapter
from nv_one_logger.training_telemetry.api.callbacks import on_app_end, on_app_start
configure_v2_adapter(config); configure_v2_adapter(config)
on_app_start(); on_app_end()
""",
    "an exporter of its own": """
from nv_one_logger.api.config import OneLoggerConfig
from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider
from nv_one_logger.training_telemetry.api.callbacks import on_app_end, on_app_start
from one_logger_v1_shim import V1CompatibleExporter
v2 = OneLoggerConfig(application_name="p", session_tag_or_fn="r", world_size_or_fn=1)
TrainingTelemetryProvider.instance().with_base_config(v2).with_exporter(V1CompatibleExporter(v2)).configure_provider()
on_app_start(); on_app_end()
""",
}


@pytest.mark.parametrize("code", [*FACES.values(), *ADAPTERS.values()], ids=[*FACES, *ADAPTERS])
def test_no_file_no_process_no_line(code: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    environment = {"ONE_LOGGER_V1_DISABLED": "1", "ONE_LOGGER_V1_SHIM": "1", "ONE_LOGGER_V1_WIRE": "nonsense",
                   "RANKPULSE_ENABLE": "1", "TMPDIR": str(tmp_path)}  # fmt: skip
    no_edit = "from one_logger_v1_shim._noedit import install; install()\n"
    after = "" if "capture" in code else "assert 'subprocess' not in sys.modules or 'nv_one_logger' in sys.modules\n"
    result = run_python(no_edit + HEAD + code + "\n" + after, work, env=environment)
    assert (result.stdout, result.stderr) == ("", "")
    assert list(work.iterdir()) == []
    assert [one.name for one in tmp_path.iterdir()] == ["work"]


@pytest.mark.parametrize(("value", "off"), [("1", True), ("yes", True), ("0", False), ("off", False), ("", False)])
def test_words(value: str, off: bool, tmp_path: Path) -> None:
    code = HEAD + (
        "from one_logger_v1_shim.testing import capture\nfrom one_logger_v1_shim.utils import OneLoggerUtils\n"
        "config.pop('nobody')\nwith capture() as captured:\n    OneLoggerUtils(config)\nprint(bool(captured.rows))"
    )
    assert run_python(code, tmp_path, env={"ONE_LOGGER_V1_DISABLED": value}).stdout == f"{not off}\n"


def test_doctor_says_it(tmp_path: Path) -> None:
    code = (
        "from one_logger_v1_shim._cli._checks_environment import variables\n"
        "for one in variables(): print(one.level, one.what, one.detail, one.advice)"
    )
    said = run_python(code, tmp_path, env={"ONE_LOGGER_V1_DISABLED": "true", "ONE_LOGGER_V1_WIRE": "2"}).stdout
    line = "error ONE_LOGGER_V1_DISABLED on ('true'): every rank is a disabled rank, nothing is logged unset "
    assert line in said
    assert "warning ONE_LOGGER_V1_WIRE '2' is no version of v1; expected 1.0.0, 1.0.2 or 1.0.3; 1.0.2 is used" in said
    assert "ok ONE_LOGGER_V1_DISABLED off ('no')" in run_python(
        code, tmp_path, env={"ONE_LOGGER_V1_DISABLED": "no"}
    ).stdout  # fmt: skip

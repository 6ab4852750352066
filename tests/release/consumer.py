"""The API as a caller sees it. mypy reads this file, nobody runs it: each line that is wrong says so."""

from collections.abc import Mapping
from typing import Any, Optional

import one_logger_v1_shim
from one_logger_v1_shim import ConfigAdapter, OneLogger, configure_v2_adapter, rankpulse
from one_logger_v1_shim.utils import OneLoggerUtils
from one_logger_v1_shim.utils.huggingface import TimeEventCallback
from one_logger_v1_shim.utils.pytorch_lightning import hook_trainer_cls

version: str = one_logger_v1_shim.__version__

logger = OneLogger({"project": "p", "name": "n", "async": True})
logger.log_metrics({"loss": 0.5})
logger.log_app_tag("tag")
logger.store_set("key", 1)
found: bool = logger.store_has_key("key")
with logger.get_context_manager():
    logger.finish()
logger.log_metrics("loss")  # type: ignore[arg-type]
logger.log_metric({"loss": 0.5})  # type: ignore[attr-defined]

utils = OneLoggerUtils({"enable_for_current_rank": True})
utils.on_app_start(app_start_time=1)
utils.on_train_start(True, train_iterations_start=0)
utils.on_save_checkpoint_success(global_step=1)
utils.on_app_start("yes")  # type: ignore[arg-type]
core: Optional[OneLogger] = utils.one_logger
utils.finish(1)  # type: ignore[call-arg]

config: Mapping[str, Any] = {"enable_for_current_rank": False}
configure_v2_adapter(config)
ConfigAdapter.convert_to_v2_config(config)
rankpulse.start(interval_seconds=15)
rankpulse.stop(timeout_seconds=1.5)

callback = TimeEventCallback({"enable_for_current_rank": True})


class Trainer:
    """A framework's."""


hooked: type = hook_trainer_cls(Trainer, {"enable_for_current_rank": True})[0]

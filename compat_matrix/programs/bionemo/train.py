"""A trainer with a callback that forwards everything to OneLogger."""

import time
from dataclasses import asdict, dataclass
from typing import Optional

from one_logger_utils.core import OneLoggerUtils as OneLogger


@dataclass
class OneLoggerConfig:
    enable_for_current_rank: bool = True
    one_logger_async: bool = True
    one_logger_project: str = "bionemo-esm2"
    one_logger_run_name: Optional[str] = None
    log_every_n_train_iterations: int = 5
    app_tag_run_version: str = "1.0.0"
    summary_data_schema_version: str = "1.0.0"
    app_run_type: str = "training"
    app_tag: str = "esm2_650m_bf16"
    app_tag_run_name: str = "esm2_650m"
    world_size: int = 2
    global_batch_size: int = 32
    batch_size: int = 32
    micro_batch_size: Optional[int] = None
    seq_length: Optional[int] = None
    train_iterations_target: int = 12
    train_samples_target: Optional[int] = None
    is_train_iterations_enabled: bool = True
    is_baseline_run: bool = False
    is_test_iterations_enabled: bool = True
    is_validation_iterations_enabled: bool = True
    is_save_checkpoint_enabled: bool = False
    is_log_throughput_enabled: bool = False
    save_checkpoint_strategy: Optional[str] = None


class OneLoggerCallback:
    def __init__(self, config):
        self.one_logger = OneLogger(config=asdict(config))

    def __getattr__(self, name):
        return getattr(self.one_logger, name)

    def on_train_start(self, step):
        self.one_logger.on_train_start(train_iterations_start=step)


def main():
    callback = OneLoggerCallback(OneLoggerConfig())
    callback.on_app_start()
    callback.on_model_init_start()
    time.sleep(1 / 256)
    callback.on_model_init_end()
    callback.on_dataloader_init_start()
    callback.on_dataloader_init_end()
    callback.on_train_start(0)
    for _ in range(12):
        callback.on_train_batch_start()
        time.sleep(1 / 512)
        callback.on_train_batch_end()
    callback.on_validation_start()
    callback.on_validation_batch_start()
    time.sleep(1 / 512)
    callback.on_validation_batch_end()
    callback.on_validation_end()
    callback.on_train_end()
    callback.on_test_start()
    time.sleep(1 / 256)
    callback.on_test_end()
    callback.on_app_end()
    try:
        callback.on_predict_batch_start()
    except AttributeError:
        print("this OneLogger has no prediction callbacks")


if __name__ == "__main__":
    main()

"""What each process of a launcher does: a short v1 job that never calls ``finish``, as verl's actors do."""

from __future__ import annotations

ROWS = 20


def work(name: str) -> None:
    """Log ``i`` from 0 to :data:`ROWS` in a run called ``name``."""
    from one_logger_v1_shim.utils import OneLoggerUtils

    one = OneLoggerUtils(
        {
            "enable_for_current_rank": True,
            "one_logger_async": True,
            "one_logger_project": "launchers",
            "one_logger_run_name": name,
            "log_every_n_train_iterations": 1,
            "app_tag": "tag",
            "app_tag_run_name": name,
            "world_size": 1,
            "global_batch_size": 1,
            "batch_size": 1,
            "is_train_iterations_enabled": True,
            "is_validation_iterations_enabled": False,
        }
    )
    one.on_app_start()
    one.on_train_start(train_iterations_start=0)
    for i in range(ROWS):
        one.on_train_batch_start()
        one.on_train_batch_end()
        one.one_logger.log_metrics({"i": i})
    one.on_train_end()
    one.on_app_end()

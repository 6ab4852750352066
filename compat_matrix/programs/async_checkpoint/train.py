"""Training with checkpoints that are written in the background."""

import queue
import threading
import time

from one_logger_utils import OneLoggerUtils


class BackgroundWriter(threading.Thread):
    """Writes checkpoints and reports each one that is on disk."""

    def __init__(self, report):
        super().__init__(daemon=True)
        self.todo = queue.Queue()
        self.report = report

    def run(self):
        while True:
            step, written = self.todo.get()
            if step is None:
                return
            self.report(global_step=step)
            written.set()


class Trainer:
    def __init__(self):
        self.batch_size = 4
        self.logger = OneLoggerUtils(
            config={
                "enable_for_current_rank": True,
                "one_logger_async": True,
                "one_logger_project": "background-saves",
                "one_logger_run_name": "background",
                "log_every_n_train_iterations": 3,
                "app_tag_run_version": "1.0.0",
                "app_tag": ["background", "nightly"],
                "app_tag_run_name": "background",
                "world_size": 1,
                "global_batch_size": lambda: self.batch_size,
                "batch_size": lambda: self.batch_size,
                "micro_batch_size": 4,
                "train_iterations_target": 9,
                "train_samples_target": 60,
                "is_train_iterations_enabled": True,
                "is_baseline_run": False,
                "is_test_iterations_enabled": False,
                "is_validation_iterations_enabled": False,
                "is_save_checkpoint_enabled": True,
                "is_log_throughput_enabled": False,
                "save_checkpoint_strategy": "async",
                "metadata": {"cluster": "dgx: a100", "nodes": 2, "shared": False},
            }
        )
        self.writer = BackgroundWriter(self.logger.on_save_checkpoint_success)
        self.writer.start()

    def save(self, step):
        self.logger.on_save_checkpoint_start(global_step=step)
        time.sleep(1 / 512)
        self.logger.on_save_checkpoint_end(global_step=step)

    def written(self, step):
        done = threading.Event()
        self.writer.todo.put((step, done))
        done.wait()

    def fit(self):
        logger = self.logger
        logger.on_app_start()
        logger.on_train_start(train_iterations_start=0)
        for step in range(1, 10):
            logger.on_train_batch_start()
            time.sleep(1 / 256)
            logger.on_train_batch_end()
            if step == 4:
                self.batch_size = 8
            if step in (3, 5, 8):
                self.save(step)
            if step in (6, 7):  # 3 and 5, in this order
                self.written(2 * step - 9)
        self.written(8)
        logger.on_train_end()
        logger.on_app_end()
        logger.finish()
        self.writer.todo.put((None, None))
        self.writer.join()


if __name__ == "__main__":
    Trainer().fit()

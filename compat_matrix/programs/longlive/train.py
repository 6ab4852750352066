"""Distillation of a video model: a generator and a critic take turns."""

import argparse
import time

from one_logger_utils import OneLoggerUtils


class Trainer:
    def __init__(self, args):
        app_start_time = time.time_ns() / 1_000_000
        self.world_size, self.batch_size, self.is_main_process = 8, 1, True
        self.one_logger = None
        if not args.no_one_logger:
            app_tag_run_name = "distill_self_forcing"
            app_tag_run_version = "0.0.0"
            app_tag = f"{app_tag_run_name}_{app_tag_run_version}_{self.batch_size}_{self.world_size}"
            self.one_logger = OneLoggerUtils(
                {
                    "enable_for_current_rank": self.is_main_process,
                    "one_logger_async": True,
                    "one_logger_project": "self-forcing",
                    "one_logger_run_name": "longlive-1.3b",
                    "log_every_n_train_iterations": 10,
                    "app_tag_run_version": app_tag_run_version,
                    "summary_data_schema_version": "1.0.0",
                    "app_run_type": "training",
                    "app_tag": app_tag,
                    "app_tag_run_name": app_tag_run_name,
                    "world_size": self.world_size,
                    "global_batch_size": self.batch_size * self.world_size,
                    "batch_size": self.batch_size,
                    "micro_batch_size": self.batch_size,
                    "seq_length": 1560,
                    "train_iterations_target": 25,
                    "train_samples_target": 25 * self.batch_size * self.world_size,
                    "is_train_iterations_enabled": True,
                    "is_baseline_run": False,
                    "is_test_iterations_enabled": False,
                    "is_validation_iterations_enabled": True,
                    "is_save_checkpoint_enabled": True,
                    "is_log_throughput_enabled": False,
                    "save_checkpoint_strategy": "sync",
                }
            )
            self.one_logger.on_app_start(app_start_time=app_start_time)
        self.report("on_model_init_start")
        time.sleep(1 / 256)
        self.report("on_model_init_end")
        self.report("on_optimizer_init_start")
        time.sleep(1 / 512)
        self.report("on_optimizer_init_end")
        self.report("on_dataloader_init_start")
        time.sleep(1 / 512)
        self.report("on_dataloader_init_end")
        self.report("on_load_checkpoint_start")
        time.sleep(1 / 256)
        self.report("on_load_checkpoint_end")
        self.step = 5

    def report(self, callback, **kwargs):
        if self.one_logger is not None:
            getattr(self.one_logger, callback)(**kwargs)

    def save(self):
        self.report("on_save_checkpoint_start", global_step=self.step)
        time.sleep(1 / 128)
        self.report("on_save_checkpoint_success", global_step=self.step)
        self.report("on_save_checkpoint_end", global_step=self.step)

    def validate(self):
        self.report("on_validation_start")
        for _ in range(3):
            self.report("on_validation_batch_start")
            time.sleep(1 / 1024)
            self.report("on_validation_batch_end")
        self.report("on_validation_end")

    def train(self):
        try:
            self.report(
                "on_train_start",
                train_iterations_start=self.step,
                train_samples_start=self.step * self.batch_size * self.world_size,
            )
            while self.step < 25:
                self.report("on_train_batch_start")
                time.sleep(1 / 256 if self.step % 5 == 0 else 1 / 1024)
                self.step += 1
                self.report("on_train_batch_end")
                if self.step % 10 == 0:
                    self.save()
                if self.step % 15 == 0:
                    self.validate()
            self.report("on_train_end")
            self.report("on_app_end")
        finally:
            try:
                self.report("on_app_end")
            except Exception as error:
                print(f"OneLogger had ended before: {error}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-one-logger", action="store_true")
    Trainer(parser.parse_args()).train()


if __name__ == "__main__":
    main()

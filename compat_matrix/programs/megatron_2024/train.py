"""Pretraining as it looked in the first half of 2024."""

import argparse
import os
import time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--enable-one-logger", action="store_true", default=True)
    parser.add_argument("--one-logger-project", default="e2e-tracking")
    parser.add_argument("--one-logger-entity", default="hwinf_dcm")
    parser.add_argument("--one-logger-run-name", default="gpt-843m")
    args = parser.parse_args()

    one_logger = None
    if args.enable_one_logger:
        try:
            from one_logger.core import OneLogger

            config = {
                "project": args.one_logger_project,
                "entity": args.one_logger_entity,
                "name": args.one_logger_run_name,
            }
            one_logger = OneLogger(config=config)
        except BaseException:
            print("WARNING: one_logger package is required to enable e2e metrics tracking.")

    iteration_start, samples_start = 100, 6400
    iteration, samples = iteration_start, samples_start
    if one_logger:
        one_logger.log_metrics({"train_iterations_warmup": 5})
        one_logger.log_metrics(
            {
                "train_iterations_start": iteration_start,
                "train_samples_start": samples_start,
                "train_samples_target": None,
                "train_iterations_target": 106,
            }
        )
        one_logger.store_set("train_ms", 0.0)
    for batch_size in (64, 64, 64, 128, 128, 128):
        since = time.time()
        time.sleep(1 / 256)
        if one_logger:
            one_logger.store_set("train_ms", one_logger.store_get("train_ms") + (time.time() - since) * 1000.0)
        iteration += 1
        samples += batch_size
        if one_logger:
            one_logger.log_app_tag(f"{os.environ.get('SLURM_JOB_NAME')}_{batch_size}_8")
        if one_logger and iteration % 3 == 0:
            done = iteration - iteration_start
            one_logger.log_metrics(
                {
                    "train_iterations_end": iteration,
                    "train_samples_end": samples,
                    "train_iterations": done,
                    "train_samples": samples - samples_start,
                    "train_iterations_time_msecs_avg": one_logger.store_get("train_ms") / done,
                    "validation_iterations_time_msecs_avg": 0,
                }
            )
    if one_logger:
        assert one_logger.store_pop("train_ms") > 0
        assert not one_logger.store_has_key("train_ms")


if __name__ == "__main__":
    main()

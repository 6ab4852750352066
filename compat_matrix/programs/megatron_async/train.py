"""Pretraining with asynchronous checkpoints and an early exit."""

import argparse
import sys
import time

STEP_SECONDS = 1 / 256


def build_one_logger(args):
    one_logger = None
    if args.enable_one_logger:
        try:
            from one_logger import OneLogger

            one_logger = OneLogger(
                config={
                    "project": args.one_logger_project,
                    "name": args.one_logger_run_name,
                    "async": args.one_logger_async or args.wandb_project is not None,
                }
            )
        except BaseException:
            print("WARNING: one_logger package is required to enable e2e metrics tracking.")
    return one_logger


class AsyncSaves:
    """Saves that are under way; each knows at which iteration it will be on disk."""

    def __init__(self, one_logger):
        self.one_logger = one_logger
        self.under_way = []

    def begin(self, iteration, samples, train_seconds):
        one_logger = self.one_logger
        with one_logger.get_context_manager():
            attempts = one_logger.store_get("save_checkpoint_count") + 1
            one_logger.store_set("save_checkpoint_count", attempts)
            one_logger.log_metrics(
                {"train_iterations_save_checkpoint_end": iteration, "save_checkpoint_count": attempts}
            )
            productive = {
                "train_iterations_productive_end": iteration,
                "train_samples_productive_end": samples,
                "train_iterations_time_total_productive": train_seconds,
                "validation_iterations_time_total_productive": None,
                "save_checkpoint_async_count": attempts,
            }
        since = time.time()
        time.sleep(STEP_SECONDS / 4)  # the copy to host memory
        with one_logger.get_context_manager():
            total = one_logger.store_get("save_checkpoint_sync_time_total") + time.time() - since
            one_logger.store_set("save_checkpoint_sync_time_total", total)
            one_logger.log_metrics({"save_checkpoint_sync_count": attempts, "save_checkpoint_sync_time_total": total})

        def on_disk():
            with one_logger.get_context_manager():
                newest = one_logger.store_get("iters_prod_max")  # a KeyError the first time: ends this block only
                if newest >= iteration:
                    return
            with one_logger.get_context_manager():
                one_logger.store_set("iters_prod_max", iteration)
                one_logger.log_metrics(
                    {**productive, "last_successful_save_checkpoint_sync_finish_time": round(time.time() * 1000.0)}
                )

        self.under_way.append((iteration + 3, on_disk))

    def finalize(self, iteration):
        due = [entry for entry in self.under_way if entry[0] <= iteration]
        self.under_way = [entry for entry in self.under_way if entry[0] > iteration]
        for _, callback in due:
            callback()


def train(args, one_logger):
    saves = AsyncSaves(one_logger)
    samples, train_seconds = 0, 0.0
    for key in ("save_checkpoint_count", "save_checkpoint_sync_time_total"):
        one_logger.store_set(key, 0)
    for iteration in range(1, args.train_iters + 1):
        since = time.time()
        time.sleep(STEP_SECONDS)
        train_seconds += time.time() - since
        samples += args.global_batch_size
        one_logger.log_app_tag(f"{args.app_tag_run_name}_0.0.0_{args.global_batch_size}_1_512")
        saves.finalize(iteration)
        if iteration % 2 == 0:
            one_logger.log_metrics(
                {
                    "train_iterations_end": iteration,
                    "train_samples_end": samples,
                    "train_iterations_time_msecs_avg": train_seconds * 1000.0 / iteration,
                    "validation_iterations_time_msecs_avg": None,
                }
            )
        if iteration % args.save_interval == 0:
            saves.begin(iteration, samples, train_seconds)
        if args.exit_interval and iteration % args.exit_interval == 0:
            saves.finalize(sys.maxsize)
            leave(one_logger)
            sys.exit(0)


def leave(one_logger):
    one_logger and one_logger.log_metrics({"app_finish_time": round(time.time() * 1000.0)})
    one_logger and one_logger.finish()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-one-logger", action="store_false", dest="enable_one_logger")
    parser.add_argument("--one-logger-project", default="megatron-lm")
    parser.add_argument("--one-logger-run-name", default="gpt3-async")
    parser.add_argument("--one-logger-async", action="store_true", default=True)
    parser.add_argument("--wandb-project", default=None)
    parser.add_argument("--app-tag-run-name", default="gpt3")
    parser.add_argument("--train-iters", type=int, default=40)
    parser.add_argument("--save-interval", type=int, default=4)
    parser.add_argument("--exit-interval", type=int, default=12)
    parser.add_argument("--global-batch-size", type=int, default=16)
    args = parser.parse_args()
    one_logger = build_one_logger(args)
    one_logger and one_logger.log_metrics(
        {
            "is_train_iterations_enabled": args.train_iters,
            "is_validation_iterations_enabled": None,
            "is_test_iterations_enabled": False,
            "save_checkpoint_strategy": "async",
        }
    )
    train(args, one_logger)
    leave(one_logger)


if __name__ == "__main__":
    main()

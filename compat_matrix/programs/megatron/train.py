"""A GPT pretraining loop in miniature, with end-to-end metrics through one_logger."""

import argparse
import time

PROGRAM_START = time.time()
STEP_SECONDS = 1 / 256

_ONE_LOGGER = None


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-one-logger", action="store_false", dest="enable_one_logger")
    parser.add_argument("--one-logger-project", default="megatron-lm")
    parser.add_argument("--one-logger-run-name", default=None)
    parser.add_argument("--one-logger-async", action="store_true")
    parser.add_argument("--app-tag-run-name", default=None)
    parser.add_argument("--app-tag-run-version", default="0.0.0")
    parser.add_argument("--train-iters", type=int, default=8)
    parser.add_argument("--rampup-at", type=int, default=4)
    args = parser.parse_args()
    args.world_size, args.micro_batch_size, args.global_batch_size, args.seq_length = 4, 2, 8, 128
    args.log_interval, args.eval_interval, args.eval_iters, args.save_interval = 2, 4, 2, 4
    args.save_strategy, args.flops_per_sample = "sync", 3.75e11
    return args


def set_one_logger(args):
    global _ONE_LOGGER
    if not args.enable_one_logger:
        return
    try:
        from one_logger import OneLogger

        config = {
            "project": args.one_logger_project,
            "name": args.one_logger_run_name,
            "async": args.one_logger_async,
        }
        _ONE_LOGGER = OneLogger(config=config)
    except Exception:
        print(
            "WARNING: one_logger package is required to enable e2e metrics tracking. "
            "please go to the wiki for details to install it"
        )


def get_one_logger():
    return _ONE_LOGGER


def now_ms():
    return round(time.time() * 1000.0)


class IntervalTimer:
    """Seconds that were spent inside, the interval's and all."""

    def __init__(self):
        self.total = 0.0
        self._since = None

    def start(self):
        self._since = time.time()

    def stop(self):
        self.total += time.time() - self._since
        self._since = None


# -- end-to-end metrics ------------------------------------------------------------------------------------------


def on_pretrain_start(args):
    one_logger = get_one_logger()
    if one_logger:
        with one_logger.get_context_manager():
            one_logger.log_metrics(
                {
                    "train_iterations_warmup": 5,
                    "data_parallel_size": 4,
                    "context_parallel_size": 1,
                    "global_batch_size": args.global_batch_size,
                    "micro_batch_size": args.micro_batch_size,
                    "pipeline_model_parallel_size": 1,
                    "tensor_model_parallel_size": 1,
                    "expert_model_parallel_size": 1,
                    "world_size": args.world_size,
                    "model_seq_length": args.seq_length,
                    "app_tag_run_name": args.app_tag_run_name,
                    "app_tag_run_version": args.app_tag_run_version,
                    "is_log_throughput_enabled": True,
                    "app_run_type": "training",
                    "summary_data_schema_version": "1.0.0",
                    "app_metrics_feature_tags": "full",
                    "one_logger_utils_version": "1.2.0-mlm",
                }
            )


def setup_model_and_optimizer():
    one_logger = get_one_logger()
    if one_logger:
        one_logger.log_metrics({"app_build_optimzer_start_time": now_ms()})
    time.sleep(STEP_SECONDS)
    if one_logger:
        one_logger.log_metrics({"app_build_optimzer_finish_time": now_ms()})
        one_logger.log_metrics({"load_checkpoint_start_time": now_ms()})
    loading = IntervalTimer()
    loading.start()
    time.sleep(2 * STEP_SECONDS)
    loading.stop()
    if one_logger:
        one_logger.log_metrics(
            {"load_checkpoint_finish_time": now_ms(), "load_checkpoint_time": loading.total},
        )


def track_config_flags(train_iters, do_train, do_valid, do_test):
    one_logger = get_one_logger()
    if one_logger:
        with one_logger.get_context_manager():
            one_logger.log_metrics(
                {
                    # not always a bool: what `and` leaves
                    "is_train_iterations_enabled": train_iters and do_train and train_iters > 0,
                    "is_validation_iterations_enabled": do_valid,
                    "is_test_iterations_enabled": do_test,
                }
            )


def on_train_start(args, state):
    one_logger = get_one_logger()
    if not one_logger:
        return
    with one_logger.get_context_manager():
        started = now_ms()
        one_logger.store_set("app_train_loop_start_time", started)
        one_logger.store_set("iteration_start", state["iteration"])
        one_logger.store_set("train_samples_start", state["samples"])
        for key in (
            "train_iterations_time_msecs_total",
            "tracked_train_iterations",
            "validation_iterations_time_msecs_total",
            "tracked_validation_iterations",
            "save_checkpoint_count",
            "save_checkpoint_sync_time_total",
            "train_throughput_per_gpu_max",
        ):
            one_logger.store_set(key, 0.0 if "time" in key or "throughput" in key else 0)
        samples_target = args.train_iters * args.global_batch_size
        one_logger.log_metrics(
            {
                "train_samples_start": state["samples"],
                "train_iterations_start": state["iteration"],
                "train_samples_target": samples_target,
                "train_iterations_target": args.train_iters,
                "train_tokens_target": args.seq_length * samples_target,
                "app_train_loop_start_time": started,
                "is_save_checkpoint_enabled": True,
                "save_checkpoint_strategy": args.save_strategy,
                "train_tflop_start": state["flops"] / 10**12,
            }
        )

        def get_e2e_base_metrics():
            return dict(state)

        one_logger.store_set("get_e2e_base_metrics", get_e2e_base_metrics)


def produce_e2e_metrics(args, log_throughput=False, throughput=None):
    one_logger = get_one_logger()
    with one_logger.get_context_manager():
        base = one_logger.store_get("get_e2e_base_metrics")()
        iterations = base["iteration"] - one_logger.store_get("iteration_start")
        samples = base["samples"] - one_logger.store_get("train_samples_start")
        train_ms = base["train_seconds"] * 1000.0
        eval_ms = base["eval_seconds"] * 1000.0
        metrics = {
            "first_logged_train_iterations_finish_time": one_logger.store_get("first_logged")
            if one_logger.store_has_key("first_logged")
            else now_ms(),
            "train_iterations_end": base["iteration"],
            "train_samples_end": base["samples"],
            "train_iterations": iterations,
            "train_samples": samples,
            "train_iterations_time_msecs_avg": train_ms / iterations,  # nothing trained yet: the context manager's job
            "validation_iterations_time_total": base["eval_seconds"],
            "validation_iterations_time_msecs_avg": eval_ms / base["eval_iterations"]
            if base["eval_iterations"]
            else None,
            "train_tokens": args.seq_length * samples,
            "train_iterations_time_total": base["train_seconds"],
            "last_logged_train_iterations_finish_time": now_ms(),
        }
        if not one_logger.store_has_key("first_logged"):
            one_logger.store_set("first_logged", metrics["first_logged_train_iterations_finish_time"])
        if log_throughput:
            best = max(one_logger.store_get("train_throughput_per_gpu_max"), throughput)
            one_logger.store_set("train_throughput_per_gpu_max", best)
            tflop = base["flops"] / 10**12
            metrics.update(
                {
                    "train_tflop_end": tflop,
                    "train_tflop": tflop,
                    "train_throughput_per_gpu": tflop / (base["train_seconds"] * args.world_size),
                    "train_throughput_per_gpu_max": best,
                }
            )
        new_iterations = base["iteration"] - one_logger.store_get("tracked_train_iterations")
        if new_iterations > 0:
            mean = (train_ms - one_logger.store_get("train_iterations_time_msecs_total")) / new_iterations
            least = mean
            if one_logger.store_has_key("train_iterations_time_msecs_min"):
                least = min(one_logger.store_get("train_iterations_time_msecs_min"), mean)
            one_logger.store_set("train_iterations_time_msecs_min", least)
            one_logger.store_set("train_iterations_time_msecs_total", train_ms)
            one_logger.store_set("tracked_train_iterations", base["iteration"])
            metrics["train_iterations_time_msecs_min"] = least
        return metrics


def track_e2e_metrics(args, *rest):
    one_logger = get_one_logger()
    if one_logger:
        with one_logger.get_context_manager():
            # None when something went wrong inside
            one_logger.log_metrics(produce_e2e_metrics(args, *rest))


def on_save_checkpoint_start(state):
    one_logger = get_one_logger()
    with one_logger.get_context_manager():
        count = one_logger.store_get("save_checkpoint_count") + 1
        one_logger.store_set("save_checkpoint_count", count)
        one_logger.log_metrics(
            {"train_iterations_save_checkpoint_end": state["iteration"], "save_checkpoint_count": count}
        )
        return {
            "train_tflop_productive_end": state["flops"] / 10**12,
            "train_iterations_productive_end": state["iteration"],
            "train_samples_productive_end": state["samples"],
            "train_iterations_time_total_productive": state["train_seconds"],
            "validation_iterations_time_total_productive": state["eval_seconds"],
        }


def on_save_checkpoint_success(productive):
    one_logger = get_one_logger()
    with one_logger.get_context_manager():
        if not one_logger.store_has_key("first_saved"):
            one_logger.store_set("first_saved", True)
            one_logger.log_metrics(
                {"first_saved_train_iterations_start_time": one_logger.store_get("app_train_loop_start_time")}
            )
        one_logger.log_metrics(productive)


def on_save_checkpoint_end(duration):
    one_logger = get_one_logger()
    with one_logger.get_context_manager():
        finished = now_ms()
        if not one_logger.store_has_key("save_checkpoint_sync_time_max"):
            one_logger.store_set("save_checkpoint_sync_time_max", duration)
            one_logger.store_set("save_checkpoint_sync_time_min", duration)
            one_logger.log_metrics({"first_successful_save_checkpoint_sync_finish_time": finished})
        total = one_logger.store_get("save_checkpoint_sync_time_total") + duration
        most = max(one_logger.store_get("save_checkpoint_sync_time_max"), duration)
        least = min(one_logger.store_get("save_checkpoint_sync_time_min"), duration)
        one_logger.store_set("save_checkpoint_sync_time_total", total)
        one_logger.store_set("save_checkpoint_sync_time_max", most)
        one_logger.store_set("save_checkpoint_sync_time_min", least)
        one_logger.log_metrics(
            {
                "save_checkpoint_sync_time_total_productive": total,
                "last_successful_save_checkpoint_sync_finish_time": finished,
                "save_checkpoint_sync_count": one_logger.store_get("save_checkpoint_count"),
                "save_checkpoint_sync_time_max": most,
                "save_checkpoint_sync_time_min": least,
                "save_checkpoint_sync_time_total": total,
            }
        )


# -- training ----------------------------------------------------------------------------------------------------


def save_checkpoint(args, state):
    track_e2e_metrics(args)
    if get_one_logger():
        productive = on_save_checkpoint_start(state)
    since = time.time()
    time.sleep(STEP_SECONDS * (1 + state["iteration"] // 8))
    if get_one_logger():
        on_save_checkpoint_success(productive)
        on_save_checkpoint_end(time.time() - since)
    track_e2e_metrics(args)


def evaluate(args, state):
    for _ in range(args.eval_iters):
        since = time.time()
        time.sleep(STEP_SECONDS / 2)
        state["eval_seconds"] += time.time() - since
        state["eval_iterations"] += 1
    track_e2e_metrics(args)


def train(args):
    state = {
        "iteration": 0,
        "samples": 0,
        "flops": 0,
        "train_seconds": 0.0,
        "eval_seconds": 0.0,
        "eval_iterations": 0,
    }
    batch_size = args.global_batch_size
    on_train_start(args, state)
    evaluate(args, state)  # before the first iteration: there is nothing to divide by yet
    while state["iteration"] < args.train_iters:
        if state["iteration"] == args.rampup_at:
            batch_size *= 2
        since = time.time()
        time.sleep(STEP_SECONDS * (1 + state["iteration"] % 3))
        elapsed = time.time() - since
        state["train_seconds"] += elapsed
        state["iteration"] += 1
        state["samples"] += batch_size
        state["flops"] += batch_size * args.flops_per_sample
        one_logger = get_one_logger()
        if one_logger:
            tag = args.app_tag_run_name, args.app_tag_run_version, batch_size, args.world_size, args.seq_length
            one_logger.log_app_tag("_".join(str(part) for part in tag))
        if state["iteration"] % args.log_interval == 0:
            throughput = batch_size * args.flops_per_sample / (elapsed * 10**12 * args.world_size)
            track_e2e_metrics(args, True, throughput)
            print(f" iteration {state['iteration']:8d}/{args.train_iters:8d} | samples {state['samples']:8d} |")
        if state["iteration"] % args.eval_interval == 0:
            evaluate(args, state)
        if state["iteration"] % args.save_interval == 0:
            save_checkpoint(args, state)
    track_e2e_metrics(args)


def main():
    args = parse_args()
    set_one_logger(args)
    on_pretrain_start(args)
    model_done = now_ms()
    setup_model_and_optimizer()
    data_start = now_ms()
    time.sleep(STEP_SECONDS)
    track_config_flags(args.train_iters, True, True, False)
    one_logger = get_one_logger()
    if one_logger:
        started = round(PROGRAM_START * 1000.0)
        one_logger.log_metrics(
            {
                "app_start_time": started,
                "app_model_init_start_time": started,
                "app_model_init_finish_time": model_done,
                "app_build_dataiters_start_time": data_start,
                "app_build_dataiters_finish_time": now_ms(),
            }
        )
    train(args)
    if one_logger:
        one_logger.log_metrics({"app_train_loop_finish_time": now_ms()})
    time.sleep(STEP_SECONDS)
    if one_logger:
        one_logger.log_metrics({"app_finish_time": now_ms()})
        one_logger.finish()


if __name__ == "__main__":
    main()

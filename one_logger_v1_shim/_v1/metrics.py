"""Every metric name that v1 sent, once, with its unit and the callbacks that send it.

Code elsewhere says ``m.TRAIN_SAMPLES``; the string stands here and nowhere else. Units are v1's own and not
always what the name suggests: ``*_time`` of an instant is milliseconds since the epoch, ``*_time_total`` is
seconds, ``*_msecs_*`` is milliseconds. What stands here is that of 1.0.2 and, where only one version had a metric,
of that one; :func:`unit` and :func:`sent` know the others.
``docs/dictionary.md`` is made from these tables: ``python -m compat_matrix documents``.

Runs in the job's process.
"""

from __future__ import annotations

from .wires import OLDEST, STEPS

EPOCH_MS = "ms since the epoch"
SECONDS = "s"
MSECS = "ms"
COUNT = "count"
TFLOP = "1e12 floating point operations"
TFLOPS_PER_GPU = "1e12 floating point operations / s / GPU"
FLAG = "bool"
TEXT = "str"

# When it is sent, where that is no callback.
FIRST_ROW = "the first row of a run"
EVERY_ROW = "every row"
CONSTRUCTOR = "__init__"
TAG = "log_app_tag"
# The callbacks of OneLoggerUtils that send the progress: at an iteration where a row is due, and before each save.
PROGRESS = ("on_train_batch_end", "on_save_checkpoint_start")
# Sync saves succeed before their window ends, async ones after it.
SAVED = ("on_save_checkpoint_success", "on_save_checkpoint_end")

# Those of 1.0.3 that send what batches have used; steps send the rest of the progress.
BATCHES = ("on_train_batch_end", "on_save_checkpoint_start", "on_train_end")

#: unit of every metric, by name
UNITS: dict[str, str] = {}
#: callbacks of OneLoggerUtils that send it, by name
SENT: dict[str, tuple[str, ...]] = {}
#: the one version that has it, by name; all others are in each
ONLY: dict[str, str] = {}


def _metric(name: str, unit: str, *sent: str, only: str = "") -> str:
    UNITS[name], SENT[name] = unit, sent
    if only:
        ONLY[name] = only
    return name


def unit(name: str, wire: str) -> str:
    """The unit of a metric as the version ``wire`` sends it."""
    return MSECS if name == LOAD_CHECKPOINT_TIME and wire == OLDEST else UNITS[name]


def sent(name: str, wire: str) -> tuple[str, ...]:
    """The callbacks that send a metric in the version ``wire``; none, if it has no such metric."""
    if ONLY.get(name, wire) != wire:
        return ()
    calls = SENT[name]
    if name in ONLY or not set(PROGRESS) <= set(calls):
        return calls
    if wire == OLDEST:
        return tuple(one for one in calls if one != PROGRESS[1])
    if wire == STEPS:
        first, *others = BATCHES
        others = [one for one in calls if one not in PROGRESS] + others
        return (*others, first if name in (TRAIN_SAMPLES, TRAIN_SAMPLES_END, TRAIN_TOKENS) else "on_train_step_end")
    return calls


# Who sent it: with the first row of a run, and (the last one) with every row.
ONE_LOGGER_VERSION = _metric("one_logger_version", TEXT, FIRST_ROW)
APP_FIRST_LOG_TIME = _metric("app_first_log_time", EPOCH_MS, FIRST_ROW)
APP_LAST_LOG_TIME = _metric("app_last_log_time", EPOCH_MS, EVERY_ROW)
JOBID = _metric("jobid", TEXT, FIRST_ROW)
JOB_ACCOUNT = _metric("job_account", TEXT, FIRST_ROW)
ALLOC_HOSTS = _metric("alloc_hosts", TEXT, FIRST_ROW)
CLUSTER = _metric("cluster", TEXT, FIRST_ROW)
JOB_START_TIME = _metric("job_start_time", EPOCH_MS, FIRST_ROW)
EXEC_HOSTS = _metric("exec_hosts", TEXT, FIRST_ROW)
USER = _metric("user", TEXT, FIRST_ROW)
JOB_NAME = _metric("job_name", TEXT, FIRST_ROW)
LIMIT_RUN = _metric("limit_run", SECONDS, FIRST_ROW)
JOB_PARTITION = _metric("job_partition", TEXT, FIRST_ROW)
JOB_RESERVATION = _metric("job_reservation", TEXT, FIRST_ROW)
ARRAY_JOB_ID = _metric("array_job_id", TEXT, FIRST_ROW)
ARRAY_TASK_COUNT = _metric("array_task_count", TEXT, FIRST_ROW)
ARRAY_TASK_ID = _metric("array_task_id", TEXT, FIRST_ROW)
STEP_ID = _metric("step_id", TEXT, FIRST_ROW)
STEP_NODELIST = _metric("step_nodelist", TEXT, FIRST_ROW)

# Tags: a growing list per process.
APP_TAG = _metric("app_tag", "list of str", TAG)
APP_TAG_ID = _metric("app_tag_id", "list of md5 hex", TAG)
APP_TAG_COUNT = _metric("app_tag_count", COUNT, TAG)

# What the job is: sent once, by the constructor of OneLoggerUtils.
ONE_LOGGER_UTILS_VERSION = _metric("one_logger_utils_version", TEXT, CONSTRUCTOR)
SUMMARY_DATA_SCHEMA_VERSION = _metric("summary_data_schema_version", TEXT, CONSTRUCTOR)
APP_RUN_TYPE = _metric("app_run_type", TEXT, CONSTRUCTOR)
APP_METRICS_FEATURE_TAGS = _metric("app_metrics_feature_tags", TEXT, CONSTRUCTOR)
IS_BASELINE_RUN = _metric("is_baseline_run", FLAG, CONSTRUCTOR)
IS_TRAIN_ITERATIONS_ENABLED = _metric("is_train_iterations_enabled", FLAG, CONSTRUCTOR)
IS_VALIDATION_ITERATIONS_ENABLED = _metric("is_validation_iterations_enabled", FLAG, CONSTRUCTOR)
IS_TEST_ITERATIONS_ENABLED = _metric("is_test_iterations_enabled", FLAG, CONSTRUCTOR)
IS_SAVE_CHECKPOINT_ENABLED = _metric("is_save_checkpoint_enabled", FLAG, CONSTRUCTOR)
IS_LOG_THROUGHPUT_ENABLED = _metric("is_log_throughput_enabled", FLAG, CONSTRUCTOR)
APP_TAG_RUN_VERSION = _metric("app_tag_run_version", TEXT, CONSTRUCTOR)
APP_TAG_RUN_NAME = _metric("app_tag_run_name", TEXT, CONSTRUCTOR)
WORLD_SIZE = _metric("world_size", COUNT, CONSTRUCTOR)
MICRO_BATCH_SIZE = _metric("micro_batch_size", COUNT, CONSTRUCTOR)
GLOBAL_BATCH_SIZE = _metric("global_batch_size", COUNT, CONSTRUCTOR)
TRAIN_ITERATIONS_TARGET = _metric("train_iterations_target", COUNT, CONSTRUCTOR)
TRAIN_SAMPLES_TARGET = _metric("train_samples_target", COUNT, CONSTRUCTOR)
MODEL_SEQ_LENGTH = _metric("model_seq_length", COUNT, CONSTRUCTOR)
TRAIN_TOKENS_TARGET = _metric("train_tokens_target", COUNT, CONSTRUCTOR)
SAVE_CHECKPOINT_STRATEGY = _metric("save_checkpoint_strategy", TEXT, CONSTRUCTOR)

# Phases of the application.
APP_START_TIME = _metric("app_start_time", EPOCH_MS, "on_app_start", "on_train_start")
APP_FINISH_TIME = _metric("app_finish_time", EPOCH_MS, "on_app_end")
APP_MODEL_INIT_START_TIME = _metric("app_model_init_start_time", EPOCH_MS, "on_model_init_start")
APP_MODEL_INIT_FINISH_TIME = _metric("app_model_init_finish_time", EPOCH_MS, "on_model_init_end")
APP_BUILD_DATAITERS_START_TIME = _metric("app_build_dataiters_start_time", EPOCH_MS, "on_dataloader_init_start")
APP_BUILD_DATAITERS_FINISH_TIME = _metric("app_build_dataiters_finish_time", EPOCH_MS, "on_dataloader_init_end")
APP_BUILD_OPTIMIZER_START_TIME = _metric("app_build_optimizer_start_time", EPOCH_MS, "on_optimizer_init_start")
APP_BUILD_OPTIMIZER_FINISH_TIME = _metric("app_build_optimizer_finish_time", EPOCH_MS, "on_optimizer_init_end")
LOAD_CHECKPOINT_START_TIME = _metric("load_checkpoint_start_time", EPOCH_MS, "on_load_checkpoint_start")
LOAD_CHECKPOINT_FINISH_TIME = _metric("load_checkpoint_finish_time", EPOCH_MS, "on_load_checkpoint_end")
LOAD_CHECKPOINT_TIME = _metric("load_checkpoint_time", SECONDS, "on_load_checkpoint_end")
APP_TRAIN_LOOP_START_TIME = _metric("app_train_loop_start_time", EPOCH_MS, "on_train_start")
APP_TRAIN_LOOP_FINISH_TIME = _metric("app_train_loop_finish_time", EPOCH_MS, "on_train_end")

# Training progress. "_start" and "_end" count from the model's first iteration, the others from this job's.
TRAIN_ITERATIONS_START = _metric("train_iterations_start", COUNT, "on_train_start")
TRAIN_ITERATIONS_END = _metric("train_iterations_end", COUNT, "on_train_start", *PROGRESS)
TRAIN_ITERATIONS = _metric("train_iterations", COUNT, *PROGRESS)
TRAIN_SAMPLES_START = _metric("train_samples_start", COUNT, "on_train_start")
TRAIN_SAMPLES_END = _metric("train_samples_end", COUNT, "on_train_start", *PROGRESS)
TRAIN_SAMPLES = _metric("train_samples", COUNT, *PROGRESS)
TRAIN_TOKENS = _metric("train_tokens", COUNT, *PROGRESS)
TRAIN_ITERATIONS_TIME_TOTAL = _metric("train_iterations_time_total", SECONDS, *PROGRESS)
TRAIN_ITERATIONS_TIME_MSECS_AVG = _metric("train_iterations_time_msecs_avg", MSECS, *PROGRESS)
TRAIN_ITERATIONS_TIME_MSECS_MIN = _metric("train_iterations_time_msecs_min", MSECS, *PROGRESS)
FIRST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME = _metric("first_logged_train_iterations_finish_time", EPOCH_MS, *PROGRESS)
LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME = _metric("last_logged_train_iterations_finish_time", EPOCH_MS, *PROGRESS)
TRAIN_BATCH = _metric("train_batch", COUNT, *BATCHES, only=STEPS)
TRAIN_BATCH_TIME_TOTAL = _metric("train_batch_time_total", SECONDS, *BATCHES, only=STEPS)
TRAIN_BATCH_TIME_MSECS_AVG = _metric("train_batch_time_msecs_avg", MSECS, *BATCHES, only=STEPS)
TRAIN_BATCH_TIME_MSECS_MIN = _metric("train_batch_time_msecs_min", MSECS, *BATCHES, only=STEPS)
TRAIN_TFLOP_START = _metric("train_tflop_start", TFLOP, "on_train_start")
TRAIN_TFLOP_END = _metric("train_tflop_end", TFLOP, *PROGRESS)
TRAIN_TFLOP = _metric("train_tflop", TFLOP, *PROGRESS)
TRAIN_THROUGHPUT_PER_GPU = _metric("train_throughput_per_gpu", TFLOPS_PER_GPU, *PROGRESS)
TRAIN_THROUGHPUT_PER_GPU_MAX = _metric("train_throughput_per_gpu_max", TFLOPS_PER_GPU, *PROGRESS)

# Validation: totals of the whole job.
VALIDATION_ITERATIONS_TIME_TOTAL = _metric("validation_iterations_time_total", SECONDS, "on_validation_end")
VALIDATION_ITERATIONS_TIME_MSECS_AVG = _metric("validation_iterations_time_msecs_avg", MSECS, "on_validation_end")
VALIDATION_ITERATIONS_TIME_MSECS_MIN = _metric("validation_iterations_time_msecs_min", MSECS, "on_validation_end")

# Checkpoints. "sync" is the window that blocks training (start to end), with either strategy.
TRAIN_ITERATIONS_SAVE_CHECKPOINT_END = _metric(
    "train_iterations_save_checkpoint_end", COUNT, "on_save_checkpoint_start"
)
SAVE_CHECKPOINT_COUNT = _metric("save_checkpoint_count", COUNT, "on_save_checkpoint_start")
SAVE_CHECKPOINT_SYNC_COUNT = _metric("save_checkpoint_sync_count", COUNT, "on_save_checkpoint_end")
SAVE_CHECKPOINT_ASYNC_COUNT = _metric("save_checkpoint_async_count", COUNT, "on_save_checkpoint_success")
SAVE_CHECKPOINT_SYNC_TIME_TOTAL = _metric("save_checkpoint_sync_time_total", SECONDS, "on_save_checkpoint_end")
SAVE_CHECKPOINT_SYNC_TIME_MIN = _metric("save_checkpoint_sync_time_min", SECONDS, "on_save_checkpoint_end")
SAVE_CHECKPOINT_SYNC_TIME_MAX = _metric("save_checkpoint_sync_time_max", SECONDS, "on_save_checkpoint_end")
SAVE_CHECKPOINT_SYNC_TIME_TOTAL_PRODUCTIVE = _metric("save_checkpoint_sync_time_total_productive", SECONDS, *SAVED)
FIRST_SAVED_TRAIN_ITERATIONS_START_TIME = _metric("first_saved_train_iterations_start_time", EPOCH_MS, *SAVED)
FIRST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME = _metric(
    "first_successful_save_checkpoint_sync_finish_time", EPOCH_MS, *SAVED
)
LAST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME = _metric(
    "last_successful_save_checkpoint_sync_finish_time", EPOCH_MS, *SAVED
)
TRAIN_ITERATIONS_PRODUCTIVE_END = _metric("train_iterations_productive_end", COUNT, "on_save_checkpoint_success")
TRAIN_SAMPLES_PRODUCTIVE_END = _metric("train_samples_productive_end", COUNT, "on_save_checkpoint_success")
TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE = _metric(
    "train_iterations_time_total_productive", SECONDS, "on_save_checkpoint_success"
)
VALIDATION_ITERATIONS_TIME_TOTAL_PRODUCTIVE = _metric(
    "validation_iterations_time_total_productive", SECONDS, "on_save_checkpoint_success"
)
TRAIN_TFLOP_PRODUCTIVE_END = _metric("train_tflop_productive_end", TFLOP, "on_save_checkpoint_success")

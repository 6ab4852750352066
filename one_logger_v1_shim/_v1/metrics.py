"""Every metric name that v1 sent, once, with its unit.

Code elsewhere says ``m.TRAIN_SAMPLES``; the string stands here and nowhere else. Units are v1's own and not
always what the name suggests: ``*_time`` of an instant is milliseconds since the epoch, ``*_time_total`` is
seconds, ``*_msecs_*`` is milliseconds, and ``load_checkpoint_time`` is seconds (1.0.2; it was ms in 1.0.0).
"""

from __future__ import annotations

EPOCH_MS = "ms since the epoch"
SECONDS = "s"
MSECS = "ms"
COUNT = "count"
TFLOP = "1e12 floating point operations"
TFLOPS_PER_GPU = "1e12 floating point operations / s / GPU"
FLAG = "bool"
TEXT = "str"

#: unit of every metric, by name
UNITS: dict[str, str] = {}


def _metric(name: str, unit: str) -> str:
    UNITS[name] = unit
    return name


# Who sent it: with the first row of a run, and (the last one) with every row.
ONE_LOGGER_VERSION = _metric("one_logger_version", TEXT)
APP_FIRST_LOG_TIME = _metric("app_first_log_time", EPOCH_MS)
APP_LAST_LOG_TIME = _metric("app_last_log_time", EPOCH_MS)
JOBID = _metric("jobid", TEXT)
JOB_ACCOUNT = _metric("job_account", TEXT)
ALLOC_HOSTS = _metric("alloc_hosts", TEXT)
CLUSTER = _metric("cluster", TEXT)
JOB_START_TIME = _metric("job_start_time", EPOCH_MS)
EXEC_HOSTS = _metric("exec_hosts", TEXT)
USER = _metric("user", TEXT)
JOB_NAME = _metric("job_name", TEXT)
LIMIT_RUN = _metric("limit_run", SECONDS)
JOB_PARTITION = _metric("job_partition", TEXT)
JOB_RESERVATION = _metric("job_reservation", TEXT)
ARRAY_JOB_ID = _metric("array_job_id", TEXT)
ARRAY_TASK_COUNT = _metric("array_task_count", TEXT)
ARRAY_TASK_ID = _metric("array_task_id", TEXT)
STEP_ID = _metric("step_id", TEXT)
STEP_NODELIST = _metric("step_nodelist", TEXT)

# Tags: a growing list per process.
APP_TAG = _metric("app_tag", "list of str")
APP_TAG_ID = _metric("app_tag_id", "list of md5 hex")
APP_TAG_COUNT = _metric("app_tag_count", COUNT)

# What the job is: sent once, by the constructor of OneLoggerUtils.
ONE_LOGGER_UTILS_VERSION = _metric("one_logger_utils_version", TEXT)
SUMMARY_DATA_SCHEMA_VERSION = _metric("summary_data_schema_version", TEXT)
APP_RUN_TYPE = _metric("app_run_type", TEXT)
APP_METRICS_FEATURE_TAGS = _metric("app_metrics_feature_tags", TEXT)
IS_BASELINE_RUN = _metric("is_baseline_run", FLAG)
IS_TRAIN_ITERATIONS_ENABLED = _metric("is_train_iterations_enabled", FLAG)
IS_VALIDATION_ITERATIONS_ENABLED = _metric("is_validation_iterations_enabled", FLAG)
IS_TEST_ITERATIONS_ENABLED = _metric("is_test_iterations_enabled", FLAG)
IS_SAVE_CHECKPOINT_ENABLED = _metric("is_save_checkpoint_enabled", FLAG)
IS_LOG_THROUGHPUT_ENABLED = _metric("is_log_throughput_enabled", FLAG)
APP_TAG_RUN_VERSION = _metric("app_tag_run_version", TEXT)
APP_TAG_RUN_NAME = _metric("app_tag_run_name", TEXT)
WORLD_SIZE = _metric("world_size", COUNT)
MICRO_BATCH_SIZE = _metric("micro_batch_size", COUNT)
GLOBAL_BATCH_SIZE = _metric("global_batch_size", COUNT)
TRAIN_ITERATIONS_TARGET = _metric("train_iterations_target", COUNT)
TRAIN_SAMPLES_TARGET = _metric("train_samples_target", COUNT)
MODEL_SEQ_LENGTH = _metric("model_seq_length", COUNT)
TRAIN_TOKENS_TARGET = _metric("train_tokens_target", COUNT)
SAVE_CHECKPOINT_STRATEGY = _metric("save_checkpoint_strategy", TEXT)

# Phases of the application.
APP_START_TIME = _metric("app_start_time", EPOCH_MS)
APP_FINISH_TIME = _metric("app_finish_time", EPOCH_MS)
APP_MODEL_INIT_START_TIME = _metric("app_model_init_start_time", EPOCH_MS)
APP_MODEL_INIT_FINISH_TIME = _metric("app_model_init_finish_time", EPOCH_MS)
APP_BUILD_DATAITERS_START_TIME = _metric("app_build_dataiters_start_time", EPOCH_MS)
APP_BUILD_DATAITERS_FINISH_TIME = _metric("app_build_dataiters_finish_time", EPOCH_MS)
APP_BUILD_OPTIMIZER_START_TIME = _metric("app_build_optimizer_start_time", EPOCH_MS)
APP_BUILD_OPTIMIZER_FINISH_TIME = _metric("app_build_optimizer_finish_time", EPOCH_MS)
LOAD_CHECKPOINT_START_TIME = _metric("load_checkpoint_start_time", EPOCH_MS)
LOAD_CHECKPOINT_FINISH_TIME = _metric("load_checkpoint_finish_time", EPOCH_MS)
LOAD_CHECKPOINT_TIME = _metric("load_checkpoint_time", SECONDS)
APP_TRAIN_LOOP_START_TIME = _metric("app_train_loop_start_time", EPOCH_MS)
APP_TRAIN_LOOP_FINISH_TIME = _metric("app_train_loop_finish_time", EPOCH_MS)

# Training progress. "_start" and "_end" count from the beginning of the model's life, the others from this job's.
TRAIN_ITERATIONS_START = _metric("train_iterations_start", COUNT)
TRAIN_ITERATIONS_END = _metric("train_iterations_end", COUNT)
TRAIN_ITERATIONS = _metric("train_iterations", COUNT)
TRAIN_SAMPLES_START = _metric("train_samples_start", COUNT)
TRAIN_SAMPLES_END = _metric("train_samples_end", COUNT)
TRAIN_SAMPLES = _metric("train_samples", COUNT)
TRAIN_TOKENS = _metric("train_tokens", COUNT)
TRAIN_ITERATIONS_TIME_TOTAL = _metric("train_iterations_time_total", SECONDS)
TRAIN_ITERATIONS_TIME_MSECS_AVG = _metric("train_iterations_time_msecs_avg", MSECS)
TRAIN_ITERATIONS_TIME_MSECS_MIN = _metric("train_iterations_time_msecs_min", MSECS)
FIRST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME = _metric("first_logged_train_iterations_finish_time", EPOCH_MS)
LAST_LOGGED_TRAIN_ITERATIONS_FINISH_TIME = _metric("last_logged_train_iterations_finish_time", EPOCH_MS)
TRAIN_TFLOP_START = _metric("train_tflop_start", TFLOP)
TRAIN_TFLOP_END = _metric("train_tflop_end", TFLOP)
TRAIN_TFLOP = _metric("train_tflop", TFLOP)
TRAIN_THROUGHPUT_PER_GPU = _metric("train_throughput_per_gpu", TFLOPS_PER_GPU)
TRAIN_THROUGHPUT_PER_GPU_MAX = _metric("train_throughput_per_gpu_max", TFLOPS_PER_GPU)

# Validation: totals of the whole job.
VALIDATION_ITERATIONS_TIME_TOTAL = _metric("validation_iterations_time_total", SECONDS)
VALIDATION_ITERATIONS_TIME_MSECS_AVG = _metric("validation_iterations_time_msecs_avg", MSECS)
VALIDATION_ITERATIONS_TIME_MSECS_MIN = _metric("validation_iterations_time_msecs_min", MSECS)

# Checkpoints. "sync" is the window that blocks training (start to end), with either strategy.
TRAIN_ITERATIONS_SAVE_CHECKPOINT_END = _metric("train_iterations_save_checkpoint_end", COUNT)
SAVE_CHECKPOINT_COUNT = _metric("save_checkpoint_count", COUNT)
SAVE_CHECKPOINT_SYNC_COUNT = _metric("save_checkpoint_sync_count", COUNT)
SAVE_CHECKPOINT_ASYNC_COUNT = _metric("save_checkpoint_async_count", COUNT)
SAVE_CHECKPOINT_SYNC_TIME_TOTAL = _metric("save_checkpoint_sync_time_total", SECONDS)
SAVE_CHECKPOINT_SYNC_TIME_MIN = _metric("save_checkpoint_sync_time_min", SECONDS)
SAVE_CHECKPOINT_SYNC_TIME_MAX = _metric("save_checkpoint_sync_time_max", SECONDS)
SAVE_CHECKPOINT_SYNC_TIME_TOTAL_PRODUCTIVE = _metric("save_checkpoint_sync_time_total_productive", SECONDS)
FIRST_SAVED_TRAIN_ITERATIONS_START_TIME = _metric("first_saved_train_iterations_start_time", EPOCH_MS)
FIRST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME = _metric(
    "first_successful_save_checkpoint_sync_finish_time", EPOCH_MS
)
LAST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME = _metric("last_successful_save_checkpoint_sync_finish_time", EPOCH_MS)
TRAIN_ITERATIONS_PRODUCTIVE_END = _metric("train_iterations_productive_end", COUNT)
TRAIN_SAMPLES_PRODUCTIVE_END = _metric("train_samples_productive_end", COUNT)
TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE = _metric("train_iterations_time_total_productive", SECONDS)
VALIDATION_ITERATIONS_TIME_TOTAL_PRODUCTIVE = _metric("validation_iterations_time_total_productive", SECONDS)
TRAIN_TFLOP_PRODUCTIVE_END = _metric("train_tflop_productive_end", TFLOP)

"""What dashboards are built on: the name and the unit of every metric that v1 sent."""

from __future__ import annotations

import pytest

from one_logger_v1_shim._v1 import metrics

# As v1 sent them: name, unit. "epoch" is ms since the epoch, also for the instants called "..._time";
# "..._time_total" and the checkpoint times are seconds.
FACTS = """
one_logger_version str
app_first_log_time epoch
app_last_log_time epoch
jobid str
job_account str
alloc_hosts str
cluster str
job_start_time epoch
exec_hosts str
user str
job_name str
limit_run s
job_partition str
job_reservation str
array_job_id str
array_task_count str
array_task_id str
step_id str
step_nodelist str
app_tag list of str
app_tag_id list of md5 hex
app_tag_count count
one_logger_utils_version str
summary_data_schema_version str
app_run_type str
app_metrics_feature_tags str
is_baseline_run bool
is_train_iterations_enabled bool
is_validation_iterations_enabled bool
is_test_iterations_enabled bool
is_save_checkpoint_enabled bool
is_log_throughput_enabled bool
app_tag_run_version str
app_tag_run_name str
world_size count
micro_batch_size count
global_batch_size count
train_iterations_target count
train_samples_target count
model_seq_length count
train_tokens_target count
save_checkpoint_strategy str
app_start_time epoch
app_finish_time epoch
app_model_init_start_time epoch
app_model_init_finish_time epoch
app_build_dataiters_start_time epoch
app_build_dataiters_finish_time epoch
app_build_optimizer_start_time epoch
app_build_optimizer_finish_time epoch
load_checkpoint_start_time epoch
load_checkpoint_finish_time epoch
load_checkpoint_time s
app_train_loop_start_time epoch
app_train_loop_finish_time epoch
train_iterations_start count
train_iterations_end count
train_iterations count
train_samples_start count
train_samples_end count
train_samples count
train_tokens count
train_iterations_time_total s
train_iterations_time_msecs_avg ms
train_iterations_time_msecs_min ms
first_logged_train_iterations_finish_time epoch
last_logged_train_iterations_finish_time epoch
train_batch count
train_batch_time_total s
train_batch_time_msecs_avg ms
train_batch_time_msecs_min ms
train_tflop_start tflop
train_tflop_end tflop
train_tflop tflop
train_throughput_per_gpu tflops/gpu
train_throughput_per_gpu_max tflops/gpu
validation_iterations_time_total s
validation_iterations_time_msecs_avg ms
validation_iterations_time_msecs_min ms
train_iterations_save_checkpoint_end count
save_checkpoint_count count
save_checkpoint_sync_count count
save_checkpoint_async_count count
save_checkpoint_sync_time_total s
save_checkpoint_sync_time_min s
save_checkpoint_sync_time_max s
save_checkpoint_sync_time_total_productive s
first_saved_train_iterations_start_time epoch
first_successful_save_checkpoint_sync_finish_time epoch
last_successful_save_checkpoint_sync_finish_time epoch
train_iterations_productive_end count
train_samples_productive_end count
train_iterations_time_total_productive s
validation_iterations_time_total_productive s
train_tflop_productive_end tflop
"""

UNITS = {
    "epoch": "ms since the epoch",
    "tflop": "1e12 floating point operations",
    "tflops/gpu": "1e12 floating point operations / s / GPU",
}

V1 = [tuple(line.split(maxsplit=1)) for line in FACTS.split("\n") if line]


@pytest.mark.parametrize(("name", "unit"), V1, ids=[name for name, _ in V1])
def test_name_and_unit(name: str, unit: str) -> None:
    assert getattr(metrics, name.upper()) == name, "the constant is called as the metric is"
    assert metrics.UNITS[name] == UNITS.get(unit, unit)


def test_there_is_no_other_metric() -> None:
    assert sorted(metrics.UNITS) == sorted(name for name, _ in V1)

"""What v1 took, and its words for what it refused."""

REQUIRED = {
    "enable_for_current_rank", "one_logger_project", "app_tag", "app_tag_run_name", "world_size", "global_batch_size",
    "is_train_iterations_enabled", "is_validation_iterations_enabled",
}  # fmt: skip
# The installed v1 refused a configuration without these; later ones do not, nor do we (docs/accepted.md).
ONCE_REQUIRED = {
    "one_logger_async", "log_every_n_train_iterations", "app_tag_run_version", "batch_size",
    "train_iterations_target", "train_samples_target", "is_baseline_run", "is_test_iterations_enabled",
    "is_save_checkpoint_enabled", "is_log_throughput_enabled", "micro_batch_size",
}  # fmt: skip
OPTIONAL = {
    "one_logger_run_name", "quiet", "barrier", "summary_data_schema_version", "app_run_type",
    "app_metrics_feature_tags", "app_start_time", "seq_length", "metadata",
}  # fmt: skip
STEP = "global_step"
ARGUMENTS = {
    "on_app_start": (set(), {"app_start_time"}),
    "on_app_end": (set(), {"app_finish_time"}),
    "on_model_init_start": (set(), {"app_model_init_start_time"}),
    "on_model_init_end": (set(), {"app_model_init_finish_time"}),
    "on_dataloader_init_start": (set(), {"app_build_dataiters_start_time"}),
    "on_dataloader_init_end": (set(), {"app_build_dataiters_finish_time"}),
    "on_optimizer_init_start": (set(), {"app_build_optimizer_start_time"}),
    "on_optimizer_init_end": (set(), {"app_build_optimizer_finish_time"}),
    "on_load_checkpoint_start": (set(), {"load_checkpoint_start_time"}),
    "on_load_checkpoint_end": (set(), {"load_checkpoint_finish_time"}),
    "on_train_start": ({"train_iterations_start"}, {"train_samples_start"}),
    "on_save_checkpoint_start": ({STEP}, set()),
    "on_save_checkpoint_end": ({STEP}, set()),
    "on_save_checkpoint_success": ({STEP}, set()),
}


def refuse(callback, missing, additional):
    if missing:
        raise ValueError(f"Missing required arguments for callback 'OneLoggerUtils.{callback}': {missing}")
    if additional:
        raise ValueError(f"Additional arguments provided for callback 'OneLoggerUtils.{callback}': {additional}")

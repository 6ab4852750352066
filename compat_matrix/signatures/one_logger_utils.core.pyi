"""v1's utilities: NVIDIA/cosmos-framework (1.0.2, vendored), NVIDIA/bionemo-framework, NVlabs/LongLive, tmfs10/verl."""

VERSION: str
MINIMAL_SCHEMA_CALLBACK_ARGS: dict
THROUGHPUT_CALLBACK_ARGS: dict
CHECKPOINT_CALLBACK_ARGS: dict

class OneLoggerUtils:
    O_MINIMAL = 1
    O_THROUGHPUT = 2
    O_CKPT = 4

    def __init__(self, config):
        """
        NVlabs/LongLive trainer/distillation.py: `OneLoggerUtils(one_logger_config)`
        NVIDIA/bionemo-framework dorotat/add-one-logger one_logger_callback.py:
            `OneLogger(config=config.model_dump())`
        """
    def on_app_start(self, set_barrier=False, **kwargs):
        """
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_app_start(app_start_time=1)`
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_app_start()`
        """
    def on_app_end(self, set_barrier=False, **kwargs):
        """
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_app_end()`
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_app_end(app_finish_time=1)`
        """
    def on_model_init_start(self, set_barrier=False, **kwargs):
        """
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_model_init_start()`
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_model_init_start(app_model_init_start_time=1)`
        """
    def on_model_init_end(self, set_barrier=False, **kwargs):
        """
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_model_init_end()`
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_model_init_end(True)`
        """
    def on_dataloader_init_start(self, set_barrier=False, **kwargs):
        """
        tmfs10/verl verl/trainer/ppo/one_logger_integration.py:
            `one_logger.on_dataloader_init_start(app_build_dataiters_start_time=1)`
        """
    def on_dataloader_init_end(self, set_barrier=False, **kwargs):
        """
        tmfs10/verl verl/trainer/ppo/one_logger_integration.py:
            `one_logger.on_dataloader_init_end(app_build_dataiters_finish_time=1)`
        """
    def on_optimizer_init_start(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_optimizer_init_start()`"""
    def on_optimizer_init_end(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_optimizer_init_end()`"""
    def on_load_checkpoint_start(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_load_checkpoint_start()`"""
    def on_load_checkpoint_end(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_load_checkpoint_end()`"""
    def on_train_start(self, set_barrier=False, **kwargs):
        """
        NVlabs/LongLive trainer/distillation.py:
            `one_logger.on_train_start(train_iterations_start=0, train_samples_start=0)`
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_train_start(train_iterations_start=0)`
        """
    def on_train_end(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_train_end()`"""
    def on_train_batch_start(self, set_barrier=False, **kwargs):
        """
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_train_batch_start()`
        NVlabs/LongLive trainer/distillation.py: `one_logger.on_train_batch_start(set_barrier=False)`
        """
    def on_train_batch_end(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_train_batch_end()`"""
    def on_validation_start(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_validation_start()`"""
    def on_validation_end(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_validation_end()`"""
    def on_validation_batch_start(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_validation_batch_start()`"""
    def on_validation_batch_end(self, set_barrier=False, **kwargs):
        """NVlabs/LongLive trainer/distillation.py: `one_logger.on_validation_batch_end()`"""
    def on_test_start(self, set_barrier=False, **kwargs):
        """NVIDIA/bionemo-framework dorotat/add-one-logger one_logger_callback.py: `one_logger.on_test_start()`"""
    def on_test_end(self, set_barrier=False, **kwargs):
        """NVIDIA/bionemo-framework dorotat/add-one-logger one_logger_callback.py: `one_logger.on_test_end()`"""
    def on_save_checkpoint_start(self, set_barrier=False, **kwargs):
        """
        tmfs10/verl verl/trainer/ppo/one_logger_integration.py:
            `one_logger.on_save_checkpoint_start(global_step=1)`
        """
    def on_save_checkpoint_success(self, set_barrier=False, **kwargs):
        """
        tmfs10/verl verl/trainer/ppo/one_logger_integration.py:
            `one_logger.on_save_checkpoint_success(global_step=1)`
        """
    def on_save_checkpoint_end(self, set_barrier=False, **kwargs):
        """
        tmfs10/verl verl/trainer/ppo/one_logger_integration.py:
            `one_logger.on_save_checkpoint_end(global_step=1)`
        """
    def finish(self):
        """NVIDIA/cosmos-framework cosmos_framework/utils/one_logger: `one_logger.finish()`"""

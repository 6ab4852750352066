"""v1's core: NVIDIA/Megatron-LM and every fork of it, NVIDIA/cloudai, NVIDIA/cosmos-framework."""

class OneLogger:
    def __init__(self, config=None):
        """
        NVIDIA/Megatron-LM megatron/training/global_vars.py: `OneLogger(config=config)`
        NVIDIA/Megatron-LM 7bcb2e195c: `OneLogger()`
        NVIDIA/cloudai am/telemetry src/cloudai/_core/telemetry_logger.py: `OneLogger(config)`
        """
    def log_metrics(self, metrics):
        """
        NVIDIA/Megatron-LM megatron/training/one_logger_utils.py:
            `one_logger.log_metrics({"app_train_loop_start_time": 1})`
        NVIDIA/Megatron-LM megatron/training/one_logger_utils.py: `one_logger.log_metrics(None)`
        """
    def log_app_tag(self, app_tag):
        """NVIDIA/Megatron-LM megatron/training/training.py: `one_logger.log_app_tag(app_tag)`"""
    def store_set(self, key, value):
        """NVIDIA/Megatron-LM megatron/training/one_logger_utils.py: `one_logger.store_set("iteration_start", 0)`"""
    def store_get(self, key):
        """NVIDIA/Megatron-LM megatron/training/one_logger_utils.py: `one_logger.store_get("iteration_start")`"""
    def store_has_key(self, key):
        """NVIDIA/Megatron-LM megatron/training/one_logger_utils.py: `one_logger.store_has_key("iters_prod_max")`"""
    def store_pop(self, key):
        """NVIDIA/Megatron-LM megatron/training/one_logger_utils.py: `one_logger.store_pop("get_e2e_base_metrics")`"""
    def get_context_manager(self):
        """NVIDIA/Megatron-LM megatron/training/one_logger_utils.py: `one_logger.get_context_manager()`"""
    def finish(self):
        """NVIDIA/Megatron-LM megatron/training/one_logger_utils.py: `one_logger.finish()`"""

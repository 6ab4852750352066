"""NVIDIA/cosmos-framework cosmos_framework/utils/one_logger, behind RANKPULSE_ENABLE."""

def start(interval_seconds, twindow_seconds, enable_gpu_debug_info):
    """
    cosmos_framework/utils/one_logger:
        `rankpulse.start(interval_seconds=15, twindow_seconds=300, enable_gpu_debug_info=x)`
    """

def stop(timeout_seconds):
    """cosmos_framework/utils/one_logger: `rankpulse.stop(timeout_seconds=3.0)`"""

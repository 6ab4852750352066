"""v1's ``one_logger.rankpulse``: sends nothing to W&B."""


def start(interval_seconds, twindow_seconds, enable_gpu_debug_info=False):
    """Accepted."""


def stop(timeout_seconds=3.0):
    """Accepted."""

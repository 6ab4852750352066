"""The commands of ``python -m one_logger_v1_shim``, one module each."""

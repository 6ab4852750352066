"""The way of a call from the application to the disk. What runs in the job's process: the standard library alone.

Neither wandb nor v2 nor any other package is imported here. The worker (:mod:`one_logger_v1_shim._worker`) is a process
of its own; the journal (:mod:`one_logger_v1_shim._journal`) lies between the two.
"""

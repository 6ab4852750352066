"""How a test takes the runs of its process. Behind :mod:`one_logger_v1_shim.testing`; in the test's process.

The standard library alone, but for :mod:`one_logger_v1_shim._v2.recording`, which is loaded where v2 is.
"""

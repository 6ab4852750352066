"""v1's first name of :mod:`one_logger_v1_shim.utils.pytorch_lightning`: the same module object.

Runs in the job's process.
"""

from __future__ import annotations

import sys

from . import pytorch_lightning

sys.modules[__name__] = pytorch_lightning

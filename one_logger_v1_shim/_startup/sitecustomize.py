"""The no-edit mode where the package's ``.pth`` file is not read (run from a checkout, ``pip install --target``).

``python -m one_logger_v1_shim run`` puts this folder on PYTHONPATH in that case. It takes the place of a
``sitecustomize`` that may exist further along the path, and so runs that one too.
"""

import importlib.machinery
import importlib.util
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))

if os.environ.get("ONE_LOGGER_V1_SHIM", "0").strip().lower() not in ("", "0", "false", "f", "no", "n", "off"):
    _root = os.path.dirname(os.path.dirname(_here))
    if _root not in sys.path:
        sys.path.append(_root)
    from one_logger_v1_shim._noedit import install

    install()

_rest = [entry for entry in sys.path if os.path.abspath(entry) != _here]
_spec = importlib.machinery.PathFinder.find_spec("sitecustomize", _rest)
if _spec is not None and _spec.loader is not None:
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["sitecustomize"] = _module
    _spec.loader.exec_module(_module)

"""The no-edit mode where the package's ``.pth`` file is not read (a checkout, ``pip install --target``, a zip file).

``python -m one_logger_v1_shim run`` puts this folder on PYTHONPATH in that case. It takes the place of a
``sitecustomize`` that may exist further along the path, and so gives its place back to that one. Any Python may be
started below `run`: old ones have to be able to read this, and go on without the mode.
"""

import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _here]

_on = os.environ.get("ONE_LOGGER_V1_SHIM", "0").strip().lower() not in ("", "0", "false", "f", "no", "n", "off")
if _on and sys.version_info < (3, 9):
    sys.stderr.write("OneLogger: Python %s.%s cannot import the shim; expected 3.9\n" % sys.version_info[:2])  # noqa: UP031
elif _on:
    _root = os.path.dirname(os.path.dirname(_here))
    _added = _root not in sys.path
    if _added:  # for as long as our package is looked for: what else lies there is not the program's
        sys.path.append(_root)
    try:
        from one_logger_v1_shim._noedit import install
    finally:
        if _added:
            sys.path.remove(_root)
    install()

if __name__ == "sitecustomize":
    _own = sys.modules.pop(__name__)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except BaseException:
        # Without another one this is what `site` expects of a Python that has none.
        sys.modules[__name__] = _own
        raise

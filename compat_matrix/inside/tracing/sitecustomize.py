"""Writes down the v1 calls of a program and of its child processes: for ``python -m compat_matrix try``.

`try` puts this folder on PYTHONPATH, so the program itself is started as Python starts it. Nothing of the standard
library is imported before the shim is: a ``json.py`` beside the program is the program's.
"""

import atexit
import os
import sys
from _frozen_importlib_external import PathFinder
from time import time_ns

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _here]


class Recorder:
    """A file for each process, a line for each event, written at once: a process may be killed."""

    def __init__(self, folder):
        self._folder = folder
        self._file = None
        self._process = None

    def write(self, line):
        """Append ``line``, in the file of this process: a forked one has its own."""
        if self._process != os.getpid():
            self._process = os.getpid()
            path = os.path.join(self._folder, f"calls-{self._process}-{time_ns()}.jsonl")
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(self._file, line.encode() + b"\n")


class _Watching:
    """Finds the modules of the shim that are looked into, and lets the tracer see them when they are loaded."""

    modules = ("one_logger_v1_shim.core", "one_logger_v1_shim.utils.core", "one_logger_v1_shim._v1.config")

    def __init__(self, recorder):
        self._recorder = recorder
        self._tracer = None

    def find_spec(self, name, path=None, target=None):
        if name not in self.modules:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = _Loader(spec.loader, self._loaded)
        return spec

    def _loaded(self, module):
        if self._tracer is None:
            spec = PathFinder.find_spec("compat_matrix_trace", [_here])
            tracer = type(sys)("compat_matrix_trace")
            spec.loader.exec_module(tracer)
            self._tracer = tracer.Tracer(self._recorder.write)
        self._tracer.see(module)


class _Loader:
    def __init__(self, loader, then):
        self._loader = loader
        self._then = then

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then(module)


def _journals(recorder):
    """Where the shim puts its journals: the program may have chosen the folder itself."""

    def hear(event, arguments):
        if event == "os.mkdir" and "one-logger-" in str(arguments[0]):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if os.path.basename(path).startswith("one-logger-"):
                recorder.write(f'{{"event": "journal", "path": "{os.fsencode(path).hex()}"}}')

    return hear


if "COMPAT_MATRIX_TRACE" in os.environ and sys.version_info >= (3, 9):
    _recorder = Recorder(os.environ["COMPAT_MATRIX_TRACE"])
    _recorder.write('{"event": "start"}')
    atexit.register(_recorder.write, '{"event": "end"}')
    sys.meta_path.insert(0, _Watching(_recorder))
    sys.addaudithook(_journals(_recorder))

if __name__ == "sitecustomize":
    _own = sys.modules.pop(__name__)
    try:
        import sitecustomize  # noqa: F401
    except BaseException:
        sys.modules[__name__] = _own  # what `site` expects of a Python that has none
        raise

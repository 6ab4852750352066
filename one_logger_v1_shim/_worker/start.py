"""The first lines of a worker's process: become a grandchild of the job, find our package, and nothing else's.

    PYTHON [-I] start.py ROOT FOLDER [OPTIONS]

ROOT holds the package ``one_logger_v1_shim`` (this version of it, whatever the interpreter has), FOLDER is the journal.
Run as a file and never imported. Old Pythons have to be able to read it.
"""

import sys

# with -c (in a zip file) the working directory would be asked first
sys.path[:] = [entry for entry in sys.path if entry]

import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import struct  # noqa: E402

TOO_OLD = 86


def main():
    if sys.version_info < (3, 9):  # noqa: UP036
        sys.stderr.write("Python %s.%s is too old for the worker; expected 3.9\n" % sys.version_info[:2])  # noqa: UP031
        os.write(0, b"x" + struct.pack(">q", TOO_OLD))  # to the job, which is not this process's parent
        sys.exit(TOO_OLD)
    if "--attached" not in sys.argv and hasattr(os, "fork") and os.fork():
        os._exit(0)
    root, arguments = sys.argv[1], sys.argv[2:]
    here = os.path.dirname(os.path.abspath(__file__)) if "__file__" in globals() else ""
    path = [entry for entry in job_path(os.environ.pop("ONE_LOGGER_V1_WORKER_PATH", "[]")) if entry]
    own = [entry for entry in sys.path if entry and os.path.abspath(entry) != here]
    sys.path[:] = path + [entry for entry in own if entry not in path]
    find(root)
    # `doctor`, `recover`, and those that want rows from a server
    asked = {"--dry": "dry", "--settings": "settings", "--history": "history"}
    importlib.import_module("one_logger_v1_shim._worker." + asked.get(arguments[0], "main")).main(arguments)


def job_path(said):
    """The job's sys.path, which stands in the variable, or in a file that nobody else may have written."""
    if not said.startswith("@"):
        return json.loads(said)
    try:
        descriptor = os.open(said[1:], os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return []
    with os.fdopen(descriptor) as file:
        found = os.fstat(descriptor)
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            return []
        text = file.read()
    os.unlink(said[1:])
    return json.loads(text)


def find(root):
    """Make the package importable, and no other one that lies beside it."""
    import importlib.util

    folder = os.path.join(root, "one_logger_v1_shim")
    init = os.path.join(folder, "__init__.py")
    if not os.path.isfile(init):  # in a zip file
        sys.path.append(root)
        return
    spec = importlib.util.spec_from_file_location("one_logger_v1_shim", init, submodule_search_locations=[folder])
    module = importlib.util.module_from_spec(spec)
    sys.modules["one_logger_v1_shim"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()

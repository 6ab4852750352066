"""``run``: a program written for v1, not a character changed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import site
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NoReturn, Optional

from ._interpreter_options import of_this_process, split

USAGE = """usage: python [OPTIONS] -m one_logger_v1_shim run SCRIPT [ARGS ...]
       python [OPTIONS] -m one_logger_v1_shim run -m MODULE [ARGS ...]
       python [OPTIONS] -m one_logger_v1_shim run -c CODE [ARGS ...]
       python [OPTIONS] -m one_logger_v1_shim run - [ARGS ...]
       python -m one_logger_v1_shim run -- COMMAND [ARGS ...]

Runs a program with ONE_LOGGER_V1_SHIM=1: in it and in its child processes
`import one_logger` and `import one_logger_utils` give the shim, unless
something else on the path provides them. The options of this interpreter
(-O, -u, -W, -X ...) are the program's; they may also follow `run`."""

_PACKAGE = Path(__file__).resolve().parent.parent


class _Refused(Exception):
    """Said in one line; the number is the exit code."""


def main(arguments: Sequence[str]) -> int:
    """Replace this process by the program; returns an exit code only when that fails."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if arguments else 2
    try:
        if arguments[0] == "--":
            _run_command(arguments[1:])
        _run_python(arguments)
    except _Refused as refused:
        what, code = refused.args
        print(f"one_logger_v1_shim run: {what}", file=sys.stderr)
        return int(code)


def _run_python(arguments: Sequence[str]) -> NoReturn:
    options, rest = split(arguments)
    if not rest:
        raise _Refused("what is to run? expected SCRIPT, -m MODULE, -c CODE or -", 2)
    if rest[0] in ("-m", "-c") and len(rest) < 2:
        raise _Refused(f"argument expected for the {rest[0]} option", 2)
    if not rest[0].startswith("-") and not os.path.exists(rest[0]):
        raise _Refused(f"no such file: {rest[0]}", 2)
    options = [*of_this_process(), *options]
    hook_is_read = _pth_is_read()
    unread = _reads_no_hook(options, hook_is_read)
    if unread:
        raise _Refused(unread, 2)
    _replace(sys.executable, [sys.executable, *chain(*options), *rest], environment(not hook_is_read))


def _run_command(command: Sequence[str]) -> NoReturn:
    if not command:
        raise _Refused("expected a command after --", 2)
    found = shutil.which(command[0])
    if found is None and os.path.dirname(command[0]) and os.path.exists(command[0]):
        raise _Refused(f"{command[0]}: {'is a folder' if os.path.isdir(command[0]) else 'permission denied'}", 126)
    if found is None:
        raise _Refused(f"command not found: {command[0]}", 127)
    # Only what lies beside this interpreter is certain to be this interpreter, or to be started by it.
    ours = os.path.dirname(os.path.abspath(found)) == os.path.dirname(os.path.abspath(sys.executable))
    hook_is_read = ours and _pth_is_read()
    unread = _reads_no_hook(split(command[1:])[0], hook_is_read)
    if unread and os.path.basename(found).startswith("python"):
        print(f"one_logger_v1_shim run: {unread}", file=sys.stderr)
    _replace(found, list(command), environment(not hook_is_read))


def _reads_no_hook(options: Sequence[tuple[str, ...]], pth_is_read: bool) -> str:
    """Why a Python with these options does not turn the mode on; empty if it does."""
    without = {"-S"} if pth_is_read else {"-S", "-E", "-I"}
    for option in sorted(without & {name for name, *_ in options}):
        return f"the program cannot import the shim: with {option} Python reads no start-up hook of {_PACKAGE.parent}"
    return ""


def _replace(path: str, command: list[str], environ: dict[str, str]) -> NoReturn:
    """exec and not runpy: signals, exit code, multiprocessing and atexit are the program's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these two, and its heirs would
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        try:
            os.execve(path, command, environ)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execve("/bin/sh", ["sh", path, *command[1:]], environ)  # a script without `#!`, as a shell does
    except OSError as error:
        missing = " (or the interpreter in its first line)" if error.errno == errno.ENOENT else ""
        raise _Refused(f"{path}{missing}: {error.strerror}", 126) from None


def environment(startup_folder: Optional[bool] = None) -> dict[str, str]:
    """This environment with the no-edit mode on. ``startup_folder``: for Pythons that read no ``.pth`` file of ours;
    None: if this one does not."""
    environ = {**os.environ, "ONE_LOGGER_V1_SHIM": "1"}
    if startup_folder if startup_folder is not None else not _pth_is_read():
        entries = [str(_PACKAGE / "_startup"), environ.get("PYTHONPATH", "")]
        environ["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry)
    return environ


def _pth_is_read() -> bool:
    """Does this interpreter read our ``.pth`` file when it starts? Only in its own folders of packages."""
    folder = _PACKAGE.parent
    if not (folder / "one_logger_v1_shim.pth").is_file():
        return False
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return folder in [Path(one).resolve() for one in folders]

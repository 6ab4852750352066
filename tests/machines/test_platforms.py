"""Other systems. There is only Linux here: what they lack is taken away in a process, before a job begins there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT, journalled_rows, run_python, stored_rows

PACKAGE = ROOT / "one_logger_v1_shim"

#: what the module of that name has on Linux, and has not on macOS or on Windows (Python's documentation says so)
_OF_OS = """fork forkpty getuid geteuid getgid getegid getgroups getpgid getpgrp setsid setpgid setuid killpg uname
    pread pwrite preadv pwritev fchmod fchown chown lchown register_at_fork set_blocking get_blocking wait waitid wait3
    wait4 WNOHANG O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_DIRECTORY O_SYNC O_DSYNC O_PATH O_TMPFILE O_DIRECT mkfifo statvfs
    fstatvfs sysconf nice openpty pipe2 posix_spawn posix_fadvise fdatasync sched_getaffinity sched_setaffinity
    getloadavg memfd_create copy_file_range sendfile splice eventfd pidfd_open getxattr setxattr listxattr getpriority
    setpriority sync fexecve lockf ttyname"""
_OF_SIGNAL = """pthread_sigmask pthread_kill sigwait sigwaitinfo sigtimedwait sigpending setitimer getitimer alarm pause
    siginterrupt SIGKILL SIGHUP SIGPIPE SIGQUIT SIGUSR1 SIGUSR2 SIGCHLD SIGALRM SIGCONT SIGSTOP SIGTSTP SIGXFSZ SIGXCPU
    SIG_BLOCK SIG_UNBLOCK SIG_SETMASK"""
LACKING: dict[str, set[str]] = {
    "os": {*_OF_OS.split()},
    "signal": {*_OF_SIGNAL.split()},
    "_socket": {"AF_UNIX", "socketpair", "MSG_DONTWAIT", "MSG_NOSIGNAL", "SO_PEERCRED", "SCM_RIGHTS"},
    "select": {"poll", "epoll", "kqueue"},
    "time": {"tzset", "clock_settime", "pthread_getcpuclockid"},
}
MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "pty", "tty", "spwd", "crypt", "posix", "syslog"}

#: modules that run only where a worker can be started beside a job (``_journal/system.py``, ``without``)
BESIDE_A_JOB = {"_job/process.py", "_worker/job.py"}

HIDE = """
import os, signal, sys
import _socket, socket, select, ssl, time, tempfile, threading, subprocess, uuid, json, logging, pathlib, shutil
lacking = {lacking!r}
for name, words in lacking.items():
    for module in {{sys.modules[name], sys.modules[name.lstrip("_")]}}:
        for word in words:
            if hasattr(module, word):
                delattr(module, word)
for name in {modules!r}:
    sys.modules[name] = None
sys.platform = {platform!r}
"""
JOB = """
from one_logger_v1_shim.utils import OneLoggerUtils
utils = OneLoggerUtils({"enable_for_current_rank": True, "one_logger_project": "p", "app_tag": "t", "world_size": 1,
    "app_tag_run_name": "r", "global_batch_size": 8, "log_every_n_train_iterations": 1, "one_logger_async": False,
    "is_train_iterations_enabled": True, "is_validation_iterations_enabled": True})
utils.on_app_start()
utils.on_train_start(train_iterations_start=0)
for _ in range(3):
    utils.on_train_batch_start(); utils.on_train_batch_end()
utils.on_train_end()
utils.on_app_end()
utils.finish()
"""
#: ``subprocess`` itself needs these on Linux, where it runs git and wandb
_OF_SUBPROCESS = {"WNOHANG", "SIGKILL", "SIGSTOP", "SIGPIPE", "SIGXFSZ", "waitpid"}
MAC = """
import builtins, io, os, signal, _socket
lacking = ((signal, ["pthread_sigmask"]), (_socket, ["MSG_NOSIGNAL"]), (os, ["sched_getaffinity", "O_PATH"]))
for module, names in lacking:
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
def without_proc(function):
    def call(path, *arguments, **more):
        if isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith("/proc"):
            raise FileNotFoundError(2, "no such file or directory", path)
        return function(path, *arguments, **more)
    return call
for module, name in ((builtins, "open"), (io, "open"), (os, "stat"), (os, "scandir"), (os, "listdir"), (os, "open")):
    setattr(module, name, without_proc(getattr(module, name)))
"""


@pytest.mark.slow
def test_windows_has_the_rows_in_the_journal_and_one_line(tmp_path: Path) -> None:
    lacking = {name: sorted(words - _OF_SUBPROCESS) for name, words in LACKING.items()}
    hide = HIDE.format(lacking=lacking, modules=sorted(MODULES), platform="win32")
    done = run_python(hide + JOB, tmp_path, env={"WANDB_MODE": "offline", "TMPDIR": str(tmp_path)})
    line = "has no Unix sockets and no fork; rows are kept in the journal until `recover` sends them"
    assert re.fullmatch(rf"no W&B process is started on Windows, which {line}\n", done.stderr), done.stderr
    rows = journalled_rows(tmp_path)
    assert [row["train_iterations"] for row in rows if "train_iterations" in row] == [1, 2, 3]
    assert rows[-1].keys() == {"app_finish_time"}
    assert not list(tmp_path.rglob("worker.log"))
    # the other end: what reads a journal does without them, too
    code = hide + (
        "from one_logger_v1_shim.__main__ import main\n"
        "from one_logger_v1_shim._cli import _checks_environment as checks\n"
        "(found,) = checks.system()\nassert found.level == 'error' and 'no fork' in found.detail, found\n"
        "import one_logger_v1_shim._worker.main, one_logger_v1_shim._cli.recover, one_logger_v1_shim._cli.isolate\n"
        "import one_logger_v1_shim._cli.swap, one_logger_v1_shim._cli.run\n"
        "from one_logger_v1_shim._worker.children import block_signals\nblock_signals()\n"
        "assert main(['show', sys.argv[1]]) == 0"
    )
    said = run_python(code, tmp_path, str(next(tmp_path.rglob("run.json")).parent)).stdout
    assert "training loop" in said


@pytest.mark.slow
def test_macos_does_without_proc(tmp_path: Path) -> None:
    """The worker, too: it reads the same ``sitecustomize``."""
    (tmp_path / "mac").mkdir()
    (tmp_path / "mac" / "sitecustomize.py").write_text(MAC)
    path = f"{tmp_path / 'mac'}:{ROOT}"
    done = run_python(JOB, tmp_path, env={"WANDB_MODE": "offline", "WANDB_SILENT": "true", "PYTHONPATH": path})
    assert "Error" not in done.stderr, done.stderr
    assert stored_rows(tmp_path) == journalled_rows(tmp_path)
    assert len(stored_rows(tmp_path)) == 8
    code = (
        "from one_logger_v1_shim._cli import _checks_environment as checks\n"
        "(found,) = checks.system()\nprint(found.level, found.detail)"
    )
    assert "no /proc" in run_python(code, tmp_path, env={"PYTHONPATH": path}).stdout


def uses(tree: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Each name that some system lacks, and where it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = "_socket" if node.value.id == "socket" else node.value.id
            if node.attr in LACKING.get(module, ()):
                yield node.attr, node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names]
            for name in [node.module or ""] if isinstance(node, ast.ImportFrom) else names:
                if name in MODULES:
                    yield name, node


def is_guarded(name: str, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether it is asked for first (``hasattr``), or an exception is expected where it is not there."""
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.Try):
            caught = " ".join(ast.unparse(one.type) for one in node.handlers if one.type is not None)
            if "ImportError" in caught or "AttributeError" in caught:
                return True
        if isinstance(node, (ast.If, ast.IfExp, ast.BoolOp, ast.FunctionDef)):
            asked = {
                argument.value
                for one in ast.walk(node)
                if isinstance(one, ast.Call) and ast.unparse(one.func) == "hasattr"
                for argument in one.args[1:]
                if isinstance(argument, ast.Constant)
            }
            # of a family of names one is asked for
            families = [
                {"pthread_sigmask", "SIG_BLOCK"},
                {"AF_UNIX", "socketpair"},
                {"listxattr", "setxattr", "getxattr"},
            ]
            if asked & {name, *(other for family in families if name in family for other in family)}:
                return True
    return False


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_a_system_lacks_is_asked_for(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) in BESIDE_A_JOB:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = [(name, getattr(node, "lineno", 0)) for name, node in uses(tree, parents)
             if not is_guarded(name, node, parents)]  # fmt: skip
    assert found == []


@pytest.mark.parametrize(
    ("text", "unguarded"),
    [
        ("os.fork()", ["fork"]),
        ("if hasattr(os, 'fork'): os.fork()", []),
        ("if hasattr(os, 'killpg'): os.fork()", ["fork"]),
        ("import fcntl", ["fcntl"]),
        ("try:\n    import fcntl\nexcept OSError:\n    pass", ["fcntl"]),
        ("try:\n    import fcntl\nexcept (ImportError, OSError):\n    pass", []),
        ("getattr(os, 'O_NOFOLLOW', 0)", []),
        ("socket.AF_UNIX", ["AF_UNIX"]),
    ],
)
def test_the_check_sees_what_is_not(text: str, unguarded: list[str]) -> None:
    tree = ast.parse(text)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    assert [name for name, node in uses(tree, parents) if not is_guarded(name, node, parents)] == unguarded


def test_nothing_assumes_a_machine() -> None:
    for path in [*PACKAGE.rglob("*.py"), ROOT / "pyproject.toml", ROOT / ".ci" / "run"]:
        assert not re.search(r"x86_64|amd64|manylinux|linux-gnu", path.read_text(encoding="utf-8"), re.I), path

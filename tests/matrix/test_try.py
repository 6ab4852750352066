"""``compat_matrix try``: the verdict on a program is right, and the program does not notice."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from compat_matrix.commands.tried import Process, expected_runs
from compat_matrix.compare import ABSENT, Anything, same
from compat_matrix.jobs import PROGRAMS, program

ROOT = Path(__file__).resolve().parents[2]
SAME = "the same rows, in the same order"

CONFIG = """
CONFIG = {
    "enable_for_current_rank": True, "one_logger_project": "mine", "app_tag": "t", "app_tag_run_name": "n",
    "one_logger_run_name": "r", "one_logger_async": True, "app_tag_run_version": "1.0.0", "is_baseline_run": False,
    "world_size": 1, "global_batch_size": 8, "log_every_n_train_iterations": 1, "micro_batch_size": 8,
    "is_train_iterations_enabled": True, "is_validation_iterations_enabled": False, "batch_size": 8,
    "is_test_iterations_enabled": False, "is_save_checkpoint_enabled": False, "is_log_throughput_enabled": False,
    "train_iterations_target": 2, "train_samples_target": 24,
}
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "compat_matrix", "try", *arguments]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "TMPDIR": str(temporary(folder)), **more}


def temporary(folder: Path) -> Path:
    path = folder / "temporary"
    path.mkdir(exist_ok=True)
    return path


def tried(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(code)
    done = subprocess.run(
        command("train.py"), cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr.replace('Traceback (most recent call last):\n  File "train.py"', ""), done
    assert list(temporary(folder).iterdir()) == []
    return done


@pytest.mark.ci
@pytest.mark.parametrize("name", ["async_checkpoint", "codonfm", "disabled_rank", "nemo_ssl"])
def test_our_programs_are_right(name: str, tmp_path: Path) -> None:
    """One of each kind: threads, a framework, no run, two runs. The matrix has the rows of all."""
    job = program(PROGRAMS / name)
    missing = [one for one in job.needs if importlib.util.find_spec(one) is None]
    if missing:
        pytest.skip(f"NOT RUN: {', '.join(missing)} is not installed")
    done = subprocess.run(
        command(str(job.path), "--", *job.arguments), cwd=tmp_path, env=environment(tmp_path, **job.environment),
        capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, SAME in done.stdout) == (job.exit_code, True), done.stdout + done.stderr


#: looks at what it can see of the tracer, gives what is not JSON, and uses what it has given
SEEN = (
    """
from time import time
import json as _json, os, sys, wandb
json = _calls = _objects = watch = functools = None
from one_logger import OneLogger
from one_logger_utils import OneLoggerUtils
import one_logger
"""
    + CONFIG
    + """
mine = {"a": lambda: 1, "b": [object()]}
core = OneLogger({"project": "mine", "name": "r"})
core.store_set("k", mine)
assert core.store_get("k") is mine and core.store_pop("k") is mine
sizes = iter([8, 8, 16, 16])
barrier = lambda: None
utils = OneLoggerUtils({**CONFIG, "global_batch_size": lambda: next(sizes), "barrier": barrier})
assert utils.barrier is barrier
utils.one_logger.log_metrics({"of": "the core", "big": 10**400, "nan": float("nan")})
row = {"callable": len, "picture": object(), "tuple": (1, 2)}
core.log_metrics(row)
row["later"] = 1
utils.on_train_start(train_iterations_start=0)
for _ in range(2):
    utils.on_train_batch_start(set_barrier=True)
    utils.on_train_batch_end()
with core.get_context_manager():
    core.store_get("missing")
own = wandb.init(project="own", mode="offline", settings=wandb.Settings(console="off", silent=True))
own.log({"mine": 1})
own.finish()
os.environ["WANDB_DIR"] = os.getcwd()
pid = os.fork()
if pid == 0:
    OneLogger({"project": "child"}).log_metrics({"in": "a fork"})
    sys.exit(0)
os.waitpid(pid, 0)
assert __name__ == "__main__" and not {"Tracer", "trace"} & set(globals()) and "COMPAT" not in str(sys.path)
assert sys.argv == [sys.argv[0], "a", "--", "b"], sys.argv
raise ValueError("of the program")
"""
)


@pytest.mark.slow
def test_a_program_that_uses_all_of_it(tmp_path: Path) -> None:
    """Values that are no JSON, the core of a ``OneLoggerUtils``, W&B runs of its own, a child that logs, an error."""
    (tmp_path / "train.py").write_text(SEEN)
    done = subprocess.run(
        command("train.py", "--", "a", "--", "b"), cwd=tmp_path, env=environment(tmp_path), capture_output=True,
        text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stderr.count("ValueError: of the program") == 1, done.stderr
    assert done.returncode == 1
    assert SAME in done.stdout, done.stdout
    assert "project 'child'" in done.stdout
    assert "project 'own'" not in done.stdout
    refused = done.stdout.split("what v1 would have refused:")[1].split("compared")[0]
    assert "missing" not in refused
    assert "1 x KeyError: 'missing'" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "import ctypes; ctypes.string_at(0)"]
)
def test_no_verdict_without_an_end(end: str, tmp_path: Path) -> None:
    code = "import os, signal\nfrom one_logger import OneLogger\ncore = OneLogger({'project': 'p'})\n"
    code += f"for i in range(3): core.log_metrics({{'row': i}})\n{end}\n"
    done = tried(tmp_path, code)
    assert done.returncode not in (0, -1)
    assert "no verdict" in done.stdout
    assert SAME not in done.stdout
    assert '"row": 2' in done.stdout


@pytest.mark.ci
def test_nothing_is_compared_where_nothing_was_called(tmp_path: Path) -> None:
    done = tried(tmp_path, "import sys; sys.exit(3)")
    assert done.returncode == 3
    assert "nothing was compared" in done.stdout
    assert SAME not in done.stdout


INTERRUPTED = """
import time
from one_logger import OneLogger
core = OneLogger({"project": "p"})
core.log_metrics({"row": 0})
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    core.log_metrics({"row": "cleaned up"})
    core.finish()
    print("clean", flush=True)
"""


@pytest.mark.ci
@pytest.mark.parametrize("whom", ["us", "all of us"])
def test_an_interrupt_is_the_programs(whom: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(INTERRUPTED)
    with subprocess.Popen(
        command("train.py"), cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        (os.kill if whom == "us" else os.killpg)(process.pid, signal.SIGINT)
        printed, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (0, False), errors
    assert "clean\n" in printed
    assert '"row": "cleaned up"' in printed
    assert SAME in printed
    assert list(temporary(tmp_path).iterdir()) == []


@pytest.mark.ci
def test_a_terminals_interrupt_is_heard_once(tmp_path: Path) -> None:
    import pty

    (tmp_path / "train.py").write_text(INTERRUPTED)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(sys.executable, command("train.py"), environment(tmp_path))
    seen = b""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # its end
            break
        if seen.count(b"ready") == 1 and b"\x03" not in seen and b"^C" not in seen:
            os.write(terminal, b"\x03")
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, seen
    assert b"clean" in seen
    assert SAME.encode() in seen


@pytest.mark.ci
@pytest.mark.parametrize("way", ["module", "zipapp", "folder", "latin-1", "BOM"])
def test_it_is_started_as_python_starts_it(way: str, tmp_path: Path) -> None:
    import zipfile

    code = "from one_logger import OneLogger\nOneLogger({'project': 'p'}).log_metrics({'row': '\u00e4'})\n"
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "__main__.py").write_text(code)
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.writestr("__main__.py", code)
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\n" + code.encode("latin-1"))
    (tmp_path / "bom.py").write_bytes(b"\xef\xbb\xbf" + code.encode())
    given = {"module": ["-m", "package"], "zipapp": ["app.pyz"], "folder": ["package"]}
    given |= {"latin-1": ["latin.py"], "BOM": ["bom.py"]}
    done = subprocess.run(
        command(*given[way]), cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, SAME in done.stdout) == (0, True), done.stdout + done.stderr
    assert '"row": "\u00e4"' in done.stdout


def core(began: float, *emits: tuple[float, Any], **more: Any) -> dict[str, Any]:
    told = {"project": "p", "name": "n", "began": began, **more}
    return {**told, "emits": [emit for _, emit in emits], "times": [at for at, _ in emits]}


def test_a_second_object_joins_the_run_of_the_first() -> None:
    first = core(1, (2, ["log_metrics", {"a": 1}]), (5, ["log_metrics", {"a": 2}]), (7, ["finish"]))
    second = core(3, (4, ["log_metrics", {"b": 1}]), (6, ["finish"]))
    third = core(8, (9, ["log_metrics", {"c": {"$callable": "<f>"}}]))
    process = Process(1, [], {"refused": [], "cores": [third, second, first]})
    joined, alone = expected_runs(process, (0, 3))
    assert [event.value for event in joined.events] == [{"a": 1}, {"b": 1}, {"a": 2}]
    assert isinstance(alone.events[0].value["c"], Anything)
    assert alone.exit_codes == (0, 3)


def test_values_without_a_rule() -> None:
    assert same(Anything("<a picture>"), "its repr")
    assert not same(Anything("<a picture>"), ABSENT)
    assert same(10**400, 10**400)
    assert not same(10**400, 10**400 + 1)
    assert same(10**400, float("inf"))
    assert same(-(10**400), float("-inf"))
    assert not same(10**400, float("-inf"))
    assert not same(10**400, 1.5)
    assert not same(10**300, float("inf"))
    assert not same(1.5, 10**400)
    json.dumps(10**400)

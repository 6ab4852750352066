"""``import one_logger``, ``import one_logger_utils`` without an edit: one object under all names, only if needed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from compat_matrix.runner import interpreters
from one_logger_v1_shim._cli._interpreter_options import split
from tests.support import ROOT, clean_environment, run_command, run_python

pytestmark = pytest.mark.slow

ON = {"ONE_LOGGER_V1_SHIM": "1"}
INSTALL = "from one_logger_v1_shim._noedit import install; install()\n"


def test_absent_without_the_mode(tmp_path: Path) -> None:
    result = run_python("import one_logger", tmp_path, check=False)
    assert "No module named 'one_logger'" in result.stderr
    result = run_python(INSTALL + "import one_logger.nothing", tmp_path, check=False)
    assert "No module named 'one_logger.nothing'" in result.stderr


def test_real_package_wins(tmp_path: Path) -> None:
    (tmp_path / "one_logger").mkdir()
    (tmp_path / "one_logger" / "__init__.py").write_text("REAL = True\n")
    (tmp_path / "one_logger" / "core.py").write_text("REAL = True\n")
    code = INSTALL + (
        "import sys; sys.path.append('.')\n"
        "import one_logger.core, one_logger_utils\n"
        "assert one_logger.REAL and one_logger.core.REAL\n"
        "assert one_logger_utils.core.__name__ == 'one_logger_v1_shim.utils.core'\n"
        "try: import one_logger.rankpulse\n"
        "except ModuleNotFoundError: pass\n"
        "else: raise SystemExit('a submodule of the real package came from the shim')\n"
    )
    run_python(code, tmp_path)


PROGRAM = """
import subprocess, sys
import one_logger
print(one_logger.core.__name__, sys.argv[1:], __name__, flush=True)
if "child" not in sys.argv:
    subprocess.run([sys.executable, __file__, "child"], check=True)
    import multiprocessing
"""


def test_run_script_module_and_command(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    shim = [sys.executable, "-m", "one_logger_v1_shim", "run"]
    for command in (
        [*shim, "program.py", "--flag", "x y"],
        [*shim, "-m", "program", "--flag", "x y"],
        [*shim, "--", sys.executable, "program.py", "--flag", "x y"],
    ):
        result = run_command(command, tmp_path)
        assert result.stdout.splitlines() == [
            "one_logger_v1_shim.core ['--flag', 'x y'] __main__",
            "one_logger_v1_shim.core ['child'] __main__",
        ], result.stderr


def test_run_passes_the_exit_code_and_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import one_logger, sys; sys.exit(7)")
    shim = [sys.executable, "-m", "one_logger_v1_shim", "run"]
    assert run_command([*shim, "program.py"], tmp_path, check=False).returncode == 7
    result = run_command([*shim, "nothing.py"], tmp_path, check=False)
    assert (result.returncode, "no such file: nothing.py" in result.stderr) == (2, True)
    result = run_command([*shim, "--", "no-such-command"], tmp_path, check=False)
    assert (result.returncode, "command not found: no-such-command" in result.stderr) == (127, True)
    assert run_command([sys.executable, "-m", "one_logger_v1_shim", "walk"], tmp_path, check=False).returncode == 2


def test_run_c_and_standard_input(tmp_path: Path) -> None:
    shim = [sys.executable, "-m", "one_logger_v1_shim", "run"]
    code = "import one_logger, sys; print(one_logger.core.OneLogger.__name__, sys.argv)"
    assert run_command([*shim, "-c", code, "a", "-m"], tmp_path).stdout == "OneLogger ['-c', 'a', '-m']\n"
    done = subprocess.run(
        [*shim, "-", "a"], cwd=tmp_path, env=clean_environment(tmp_path), input=code, capture_output=True, text=True
    )
    assert done.stdout == "OneLogger ['-', 'a']\n"
    for arguments, said in ((["-m"], "argument expected"), (["-c"], "argument expected"), (["-O"], "what is to run?")):
        result = run_command([*shim, *arguments], tmp_path, check=False)
        assert (result.returncode, len(result.stderr.splitlines()), said in result.stderr) == (2, 1, True)


def test_run_as_a_shell_does(tmp_path: Path) -> None:
    """A script without ``#!``, what cannot be executed, and SIGPIPE, which Python ignores and a shell does not."""
    shim = [sys.executable, "-m", "one_logger_v1_shim", "run", "--"]
    files = {"train.sh": "echo from $0 $1", "bad.sh": "#!/no/such/interpreter\n", "plain.txt": ""}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o644 if name == "plain.txt" else 0o755)
    assert run_command([*shim, "./train.sh", "a"], tmp_path).stdout == "from ./train.sh a\n"
    assert run_command([*shim, "sh", "-c", "kill -PIPE $$"], tmp_path, check=False).returncode == -signal.SIGPIPE
    for given, code, said in (
        ("./bad.sh", 126, "interpreter in its first line"),
        ("./plain.txt", 126, "permission denied"),
        ("./", 126, "is a folder"),
        ("./nothing", 127, "command not found"),
    ):
        result = run_command([*shim, given], tmp_path, check=False)
        assert (result.returncode, len(result.stderr.splitlines())) == (code, 1), result.stderr
        assert said in result.stderr


@pytest.mark.parametrize("option", ["-S", "-E", "-I"])
def test_run_says_where_no_hook_is_read(option: str, tmp_path: Path) -> None:
    """Here the package is on PYTHONPATH, and no start-up file of it in the environment."""
    line = f"one_logger_v1_shim run: the program cannot import the shim: with {option} Python reads no start-up hook"
    shim = [sys.executable, "-m", "one_logger_v1_shim", "run"]
    result = run_command([*shim, option, "-c", "print()"], tmp_path, check=False, env=_without_pth(tmp_path))
    assert (result.returncode, result.stdout, result.stderr.startswith(line)) == (2, "", True)
    result = run_command([*shim, "--", sys.executable, option, "-c", ""], tmp_path, env=_without_pth(tmp_path))
    assert result.stderr.startswith(line)
    result = run_command([*shim, "-c", "0", option], tmp_path, env=_without_pth(tmp_path))
    assert result.stderr == "", "the program's own argument"


def _without_pth(folder: Path) -> dict[str, str]:
    if not (folder / "target").exists():
        (folder / "target").mkdir()
        (folder / "target" / "one_logger_v1_shim").symlink_to(ROOT / "one_logger_v1_shim")
    return {"PYTHONPATH": str(folder / "target")}


@pytest.mark.parametrize(
    ("given", "options", "rest"),
    [
        ("a.py -O", [], "a.py -O"),
        ("-O -u -W error -X dev a.py", ["-O", "-u", "-W error", "-X dev"], "a.py"),
        ("-OuWerror -Xdev -m a -c", ["-O", "-u", "-W error", "-X dev"], "-m a -c"),
        ("-OIm a", ["-O", "-I"], "-m a"),
        ("-cprint() a", [], "-c print() a"),
        ("--check-hash-based-pycs never --version -", ["--check-hash-based-pycs never", "--version"], "-"),
        ("-W", ["-W "], ""),
        ("", [], ""),
    ],
)
def test_options_of_an_interpreter(given: str, options: list[str], rest: str) -> None:
    assert split(given.split()) == ([tuple(one.split(" ")) for one in options], rest.split())


def test_an_old_python_says_one_line(tmp_path: Path) -> None:
    old = next((found for one in ("3.8", "3.7", "3.6") if (found := interpreters.find(one))), None)
    if old is None:
        pytest.skip("NOT RUN: no Python before 3.9 here")
    command = [sys.executable, "-m", "one_logger_v1_shim", "run", "--", old, "-c", "print('here')"]
    result = run_command(command, tmp_path)
    assert result.stdout == "here\n"
    assert result.stderr == f"OneLogger: Python 3.{old.split('3.')[1][0]} cannot import the shim; expected 3.9\n"


def test_users_sitecustomize_still_runs(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import builtins; builtins.CUSTOMIZED = True\n")
    (tmp_path / "program.py").write_text("import one_logger; print(CUSTOMIZED)")
    env = {"PYTHONPATH": f"{clean_environment(tmp_path)['PYTHONPATH']}:{site}"}
    command = [sys.executable, "-m", "one_logger_v1_shim", "run", "program.py"]
    assert run_command(command, tmp_path, env=env).stdout == "True\n"


def test_pth_line_does_nothing_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = (ROOT / "one_logger_v1_shim" / "_namespace" / "one_logger_v1_shim.pth").read_text()
    assert line.startswith("import "), "site runs no other line of a .pth file"
    assert line.count("\n") == 1
    code = line + "import sys; print('one_logger_v1_shim' in sys.modules)"
    assert run_python(code, tmp_path).stdout == "False\n"
    assert run_python(code, tmp_path, env={"ONE_LOGGER_V1_SHIM": "0"}).stdout == "False\n"
    assert run_python(code, tmp_path, env=ON).stdout == "True\n"
    # and the import costs a process neither wandb nor v2
    names = "('wandb', 'nv_one_logger', 'wrapt', 'pydantic')"
    heavy = line + f"import sys; import one_logger; print([m for m in {names} if m in sys.modules])"
    assert run_python(heavy, tmp_path, env=ON).stdout == "[]\n"


@pytest.mark.parametrize("hook", ["_namespace/one_logger_v1_shim.pth", "_startup/sitecustomize.py"])
def test_words_that_switch_the_mode_off(hook: str, tmp_path: Path) -> None:
    """Both hooks are files of their own, read before the package is importable, and know the words of all switches."""
    from one_logger_v1_shim._variables import OFF, switch

    off = [*OFF, "False", "NO", "oFF", " off "]
    assert {"0", "false", "no", "off"} <= set(off)
    assert not any(switch({"ONE_LOGGER_V1_SHIM": word}, "ONE_LOGGER_V1_SHIM") for word in off)
    path = ROOT / "one_logger_v1_shim" / hook
    code = (
        "import os, sys\n"
        "def says(word):\n"
        "    os.environ['ONE_LOGGER_V1_SHIM'] = word\n"
        f"    exec(compile(open({str(path)!r}).read(), 'hook', 'exec'), {{'__file__': {str(path)!r}}})\n"
        "    return any(type(finder).__name__ == 'AliasFinder' for finder in sys.meta_path)\n"
        f"print([says(word) for word in {off!r}], says('yes'))\n"
    )
    assert run_python(code, tmp_path).stdout == f"{[False] * len(off)} True\n"

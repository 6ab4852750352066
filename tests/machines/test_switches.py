"""Words that mean off are off, in each switch; what the variables mean is what doctor says."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from one_logger_v1_shim import _variables
from one_logger_v1_shim._variables import GONE, OFF, SECONDS, SWITCH, VARIABLES, seconds, switch
from tests.delivery import jobs
from tests.support import clean_environment, run_command

OFF_WORDS = ["0", "false", "False", "no", "NO", "off", "Off", "f", "n", "", " 0 "]
ON_WORDS = ["1", "true", "yes", "on", "y", "2"]
JOB = """
one = one_logger()
log(one, 3)
one.finish()
import importlib.util
print(importlib.util.find_spec("one_logger") is not None)
"""


def with_word(word: str) -> Callable[[Path], tuple[jobs.Result, str]]:
    """A job with all switches but the off switch set to ``word``, and what doctor says there."""

    def scenario(home: Path) -> tuple[jobs.Result, str]:
        environ = {
            name: word for name, one in VARIABLES.items() if one.kind == SWITCH and name != "ONE_LOGGER_V1_DISABLED"
        }
        result = jobs.run(JOB, home, {**environ, "TMPDIR": str(home)})
        return result, doctor(home, **environ)

    return scenario


def doctor(home: Path, **environ: str) -> str:
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "one_logger_v1_shim", "doctor", "--offline"]
    environment = clean_environment(home, {"WANDB_MODE": "offline", **environ})
    return run_command(command, home, env=environment, check=False).stdout


SCENARIOS: dict[str, Callable[[Path], Any]] = {word: with_word(word) for word in ("NO", "yes")}


@pytest.mark.parametrize("name", SCENARIOS)
def test_all_switches(name: str, outcome: Callable[[str], Any]) -> None:
    result, said = outcome(name)
    on = name in ON_WORDS
    assert result.code == 0, result.err
    assert result.values() == [0, 1, 2]
    assert result.out == f"{on}\n", "no-edit mode"
    assert bool(jobs.journals(result.home)) == on, "is the journal kept?"
    word = "on" if on else "off"
    assert f"ONE_LOGGER_V1_SHIM: {word} ({name!r})" in said
    assert f"ONE_LOGGER_V1_JOURNAL: {word} ({name!r})" in said
    assert f"ONE_LOGGER_V1_SHIM is {word}" in said


@pytest.mark.parametrize("word", [*OFF_WORDS, *ON_WORDS])
def test_words(word: str) -> None:
    for name, one in VARIABLES.items():
        if one.kind == SWITCH:
            assert switch({name: word}, name) is (word in ON_WORDS)


def test_the_start_up_hooks_know_the_same_words() -> None:
    """They run in each process of the environment, and import nothing of ours to find out."""
    package = Path(_variables.__file__).parent
    for hook in (package / "_namespace" / "one_logger_v1_shim.pth", package / "_startup" / "sitecustomize.py"):
        words = ", ".join(f'"{word}"' for word in OFF)
        assert f".strip().lower() not in ({words})" in hook.read_text()


def test_what_is_no_number_of_seconds(tmp_path: Path) -> None:
    texts = ["5s", "-1", "nan", "", "abc"]
    names = [name for name, one in VARIABLES.items() if one.kind == SECONDS]
    for name in names:
        assert {seconds({name: text}, name) for text in texts} == {float(VARIABLES[name].default)}
    given = dict(zip(names, texts))
    assert len(given) == len(texts)
    said = doctor(tmp_path, **given)
    for name, text in given.items():
        default = VARIABLES[name].default
        assert f"warning  {name}: {text!r} is no number of seconds; {default} is used" in said


def test_for_ever_is_a_long_time() -> None:
    """Python's own waits raise OverflowError for more than some centuries."""
    for text in ("inf", "1e300"):
        assert 1e6 < seconds({"ONE_LOGGER_V1_DRAIN_TIMEOUT": text}, "ONE_LOGGER_V1_DRAIN_TIMEOUT") < math.inf


def test_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    said = doctor(
        tmp_path, ONE_LOGGER_V1_DELIVERY="inline", ONE_LOGGER_V1_FORWARD="worker", ONE_LOGGER_V1_JORNAL="0",
        ONE_LOGGER_V1_FINISH_TIMEOUT="60", ONE_LOGGER_V1_WORKER="1",
    )  # fmt: skip
    for line in (
        *(f"warning  {name}: has no effect any more: {instead}" for name, instead in GONE.items()),
        "ok       ONE_LOGGER_V1_FINISH_TIMEOUT: 60",
        "warning  ONE_LOGGER_V1_JORNAL: this package has no such variable",
        "error    ONE_LOGGER_V1_WORKER: '1': this process counts as a worker, and no run is opened in it",
    ):
        assert line in said

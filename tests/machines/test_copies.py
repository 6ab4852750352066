"""Copies of what holds an open run: in this process the same one, in another process a silent one."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from tests.delivery import jobs
from tests.support import CONFIG

PROGRAM = """
import argparse, copy, multiprocessing, pickle, subprocess
from one_logger_v1_shim.utils import OneLoggerUtils

class Own(OneLogger):
    pass

class OwnUtils(OneLoggerUtils):
    pass

class Trainer:
    def __init__(self, **holds):
        self.__dict__.update(holds)

def use(trainer):
    # all calls of a trainer's copy in another process: none logs, none raises
    for one in (trainer.core, trainer.own):
        one.log_metrics({"i": 100})
        one.log_app_tag("other process")
        with one.get_context_manager():
            one.log_metrics({"i": 101})
        one.finish()
    for utils in (trainer.utils, trainer.own_utils):
        utils.on_app_start()
        utils.on_train_start(train_iterations_start=0)
        utils.on_train_batch_start()
        utils.on_train_batch_end()
        utils.on_app_end()
        utils.finish()
    return bool(trainer.core)

if __name__ == "__main__":
    core = one_logger(ASYNCHRONOUS)
    config = {**CONFIG, "one_logger_async": ASYNCHRONOUS}
    holds = Trainer(core=core, own=Own({"project": "delivery", "name": "job"}), utils=OneLoggerUtils(config),
                    own_utils=OwnUtils(config))
    args = argparse.Namespace(trainer=holds, block=core.get_context_manager(), each=[core, {"one": core}])
    log(core, 2)

    for copied in (copy.copy(args), copy.deepcopy(args)):
        assert copied.trainer.core is core and copied.trainer.utils is holds.utils
        assert copied.trainer.own is holds.own and copied.trainer.own_utils is holds.own_utils
        assert copied.each[1]["one"] is core
    log(copy.deepcopy(args).trainer.core, 2, start=2)
    with copy.deepcopy(args).block as block:
        block.log_metrics({"i": 4})

    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        pickle.dumps(holds, protocol)
    open("trainer.pickle", "wb").write(pickle.dumps(args))
    context = multiprocessing.get_context("METHOD")
    with context.Pool(1) as pool:
        assert pool.map(use, [holds]) == [True]
    child = context.Process(target=use, args=(holds,))
    child.start()
    child.join()
    assert child.exitcode == 0
    log(core, 1, start=5)
    for one in (holds.utils, holds.own_utils, holds.own, core):
        one.finish()
    print("done")
"""


def program(method: str, asynchronous: bool) -> Callable[[Path], jobs.Result]:
    code = PROGRAM.replace("CONFIG", repr(CONFIG)).replace("METHOD", method)
    return lambda home: jobs.run(code.replace("ASYNCHRONOUS", str(asynchronous)), home)


SCENARIOS: dict[str, Callable[[Path], jobs.Result]] = {
    "spawn": program("spawn", True),
    "forkserver, sync": program("forkserver", False),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_copies(name: str, outcome: Callable[[str], jobs.Result]) -> None:
    result = outcome(name)
    assert (result.code, result.out) == (0, "done\n"), result.err
    (run,) = result.runs()
    assert [row["i"] for row in run.rows if "i" in row] == list(range(6))
    assert not [row for row in run.rows if "other process" in str(row.get("app_tag"))]
    assert len(jobs.journals(result.home)) == 1

"""From a cell to the interpreter that its jobs run on: environments made and checked, one isolated one for all."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from ..compare import Difference
from ..planner.consumers import Consumer
from ..planner.plan import BARE, Cell, supports
from . import interpreters
from .freeze import OWN, changes, freeze, unmet
from .installer import Environment, EnvironmentTrouble, has_wheels_at_hand, requirement
from .server import Server

#: seconds for `isolate`, which installs wandb and v2
_ISOLATE_LIMIT = 600


class IsolateFailed(Exception):
    """Our own command did not make the isolated environment: that is a failure of the package, not of the machine."""


@dataclass(frozen=True)
class Prepared:
    """The interpreter of a cell's environment, and what was found when the wheel was installed there."""

    python: str
    #: None: the cell's environment is not one of a consumer, there is nothing to compare
    changed: Optional[list[Difference]] = None


class Workshop:
    """Makes what cells need, each thing once.

    Args:
        axes: ``matrix.toml``.
        consumers: the environments by name.
        wheel: what is tested.
        folder: of this run of the matrix; removed with it.
        say: a line of progress.
    """

    def __init__(
        self,
        axes: Mapping[str, Any],
        consumers: Mapping[str, Consumer],
        wheel: Optional[Path],
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._axes = axes
        self._consumers = consumers
        self._wheel = wheel
        self._folder = folder
        self._say = say
        self._lock = threading.Lock()
        self._server: Optional[Server] = None
        self._isolated: Optional[str] = None
        self._isolate_failed: Optional[IsolateFailed] = None

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.stop()

    def environment(self, cell: Cell) -> Prepared:
        """The environment of a cell, made. Raises EnvironmentTrouble."""
        interpreter = self._interpreter(cell.python)
        self._say(f"environment {cell.environment}")
        if cell.consumer:
            return self._consumer(cell, interpreter)
        wanted = [requirement("wandb", cell.wandb), requirement("wrapt", cell.wrapt), *self._axes.get("forced", ())]
        more: Sequence[str] = self._axes["frameworks"]["requirements"] if cell.frameworks else ()
        environment = Environment(cell.environment, interpreter, by_pip=_by_pip(cell))
        environment.make(more, self._wheel, forced=wanted)
        return Prepared(str(environment.python))

    # -- the consumers' environments ----------------------------------------------------------------------------

    def _consumer(self, cell: Cell, interpreter: str) -> Prepared:
        if self._wheel is None:
            raise EnvironmentTrouble("no wheel to install")
        environment = Environment(cell.environment, interpreter, by_pip=_by_pip(cell))
        if not cell.isolated:
            return self._in_process(self._consumers[cell.consumer], environment)
        pins: Sequence[str] = ()
        frameworks: Sequence[str] = ()
        if cell.consumer != BARE:
            consumer = self._consumers[cell.consumer]
            pins = consumer.pins
            frameworks = consumer.frameworks.requirements if cell.frameworks and consumer.frameworks else ()
        environment.make([*pins, *frameworks])
        environment.restore()
        before = freeze(environment.python)
        added = {OWN: str(self._wheel)}
        if frameworks and "wrapt" not in before.packages:
            added["wrapt"] = "wrapt"  # documented: a framework module needs it
        environment.add(added)
        after = freeze(environment.python)
        return Prepared(str(environment.python), [*changes(before, after, added), *unmet(pins, after.packages)])

    def _in_process(self, consumer: Consumer, environment: Environment) -> Prepared:
        """The wheel with its dependencies beside the pins; what the consumer's file says of that has to be true."""
        try:
            environment.make(consumer.pins, self._wheel)
        except EnvironmentTrouble as trouble:
            if consumer.not_in_process:
                why = f"in process it can't be installed, as expected: {consumer.not_in_process}"
                raise EnvironmentTrouble(why) from None
            return Prepared("", [Difference("install", "in process", "possible", str(trouble))])
        found = unmet(consumer.pins, freeze(environment.python).packages)
        if consumer.not_in_process:
            expected = f"impossible: {consumer.not_in_process}"
            found.append(Difference("install", "in process", expected, "possible: correct the consumer's file"))
        return Prepared(str(environment.python), found)

    # -- what all cells share -----------------------------------------------------------------------------------

    def isolated(self) -> str:
        """The interpreter of the isolated environment, which ``isolate`` makes once.

        Raises EnvironmentTrouble, IsolateFailed.
        """
        with self._lock:
            if self._isolate_failed is not None:
                raise self._isolate_failed
            if self._isolated is None:
                try:
                    self._isolated = self._isolate()
                except IsolateFailed as failure:
                    self._isolate_failed = failure
                    raise
            return self._isolated

    def _isolate(self) -> str:
        version = self._axes["isolated"]["python"]
        maker = Environment(f"isolate-py{version}", self._interpreter(version))
        maker.make([])
        maker.add({OWN: str(self._wheel)})
        self._say("isolated environment")
        target = self._folder / "isolated"
        command = [str(maker.python), "-m", "one_logger_v1_shim", "isolate", str(target)]
        try:
            done = subprocess.run(
                command, cwd=self._folder, capture_output=True, text=True, timeout=_ISOLATE_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            raise IsolateFailed(f"isolate took more than {_ISOLATE_LIMIT} s") from None
        python = target / "bin" / "python"
        if done.returncode != 0 or not python.exists():
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise IsolateFailed(f"isolate: exit {done.returncode}: {' '.join(last)}")
        return str(python)

    def server(self) -> Server:
        """The W&B-compatible server, started once. Raises EnvironmentTrouble."""
        with self._lock:
            if self._server is None:
                self._server = self._serve()
            return self._server

    def _serve(self) -> Server:
        wanted = self._axes["server"]
        pythons = (interpreters.find(one) for one in self._axes["python"] if supports(wanted["python"], one))
        python = next(filter(None, pythons), None)
        if python is None:
            raise EnvironmentTrouble(f"no CPython {wanted['python']} for the server")
        environment = Environment("server", python)
        environment.make([wanted["requirement"]])
        executable = str(environment.python.with_name("openwandb"))
        try:
            return Server(executable, self._folder / "server")
        except RuntimeError as error:
            raise EnvironmentTrouble(str(error)) from error

    @staticmethod
    def _interpreter(version: str) -> str:
        interpreter = interpreters.find(version)
        if interpreter is None:
            raise EnvironmentTrouble(f"no CPython {version} on this machine")
        return interpreter


def _by_pip(cell: Cell) -> bool:
    """Of torch pip takes the CPU wheel that a machine may have at hand; uv must be told where that is."""
    return cell.frameworks and not has_wheels_at_hand()

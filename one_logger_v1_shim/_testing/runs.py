"""The runs of a test: where W&B's would be, and the rows that they take."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Optional

from .._journal.calls import is_row
from .._journal.destination import RunSpec
from .._log import warn_once


@dataclass(eq=False)
class Run:
    """A run that W&B would have.

    Attributes:
        project: W&B's project, as the program or v1's defaults name it; ``WANDB_*`` variables do not count.
        name: W&B's name of the run; None if W&B would choose one.
        entity: W&B's entity.
        rows: the run's rows, in order.
        finished: whether the program has finished it (v1's ``finish()``; v2's ``on_app_end`` in a program on v2).
    """

    project: str
    name: Optional[str]
    entity: str
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)
    finished: bool = False

    @classmethod
    def of(cls, spec: RunSpec) -> Run:
        """The run that ``spec`` describes, in an environment without any variable."""
        known = spec.arguments(None)
        return cls(known["project"], known.get("name"), known.get("entity", ""))


class MemorySink:
    """A sink (:class:`one_logger_v1_shim._job.open.Sink`) that keeps rows in memory.

    Args:
        run: gets the rows.
        everything: the list of all rows of the block, which gets them too.
    """

    def __init__(self, run: Run, everything: list[dict[str, Any]]) -> None:
        self._run = run
        self._everything = everything
        self._closed = ""  # why no rows are taken any more
        self._ending = False
        self._silent = False

    def put(self, data: bytes) -> None:
        """What one call of v1 did: its rows are kept."""
        rows = [line for line in data.split(b"\n") if is_row(line)]
        if self._silent or not rows:
            return
        if self._closed:
            warn_once(f"put:{self._closed}", f"a row came after {self._closed}; it is dropped")
            return
        for row in map(json.loads, rows):
            self._run.rows.append(row)
            self._everything.append(row)

    def end(self, exit_code: int) -> None:
        """The program has finished the run."""
        if not self._closed and not self._ending and not self._silent:
            self._run.finished = True
            self._closed = "the run was finished"

    def wait(self) -> None:
        """There is nobody to wait for."""

    def ending(self) -> None:
        """The block ends: who finishes the run from now on is not the program."""
        self._ending = True

    def close(self) -> None:
        """The block has ended."""
        self._closed = self._closed or "the test's block had ended (one_logger_v1_shim.testing)"

    def abandon(self) -> None:
        """In a forked child: the run is the parent's."""
        self._silent = True

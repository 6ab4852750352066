"""The worker becomes a new process: it is the same process to the job, and wandb knows nothing of what was before.

wandb can't be asked twice in one process: after a failed ``init`` it hangs, and it reads its settings once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn, Optional

from .._journal.environment import path_variable, start_command
from .._journal.interpreter import Interpreter
from .children import end_children, say, tidy_up
from .job import JobEnd
from .player import Player
from .run import Recovery, Run


class Successor:
    """How the worker of the journal in ``folder`` starts over.

    ``own_entity``: this worker tries the account's own entity, and those after it do, too.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        job: Optional[JobEnd],
        player: Optional[Player],
        own_entity: bool,
        recovery: Optional[Recovery],
    ) -> None:
        self._folder = folder
        self._run = run
        self._job = job
        self._player = player
        self.own_entity = own_entity
        self._recovery = recovery
        self._directory = os.getcwd()

    def offline(self, reason: str, *options: str) -> NoReturn:
        """Nothing is asked of the server again."""
        say(f"starting over offline: {reason}")
        self._forget()
        self.start("--offline", reason, *options)

    def with_own_entity(self, why: str) -> NoReturn:
        """``why``: what the server has said about the entity that was asked for."""
        say(f"starting over with the account's own entity: {why}")
        self._forget()
        self.own_entity = True
        self.start()

    def _forget(self) -> None:
        end_children()
        self._run.forget_attempts(online_only=True)

    def start(self, *options: str) -> NoReturn:
        """Become a new process that is still the job's worker and has its socket."""
        if self._player is not None:
            self._player.stop()
        own = Interpreter(sys.executable, "", isolated=bool(sys.flags.isolated))
        command = start_command(own, self._folder, "--attached", *options)
        if self.own_entity:
            command.append("--own-entity")
        if self._recovery is not None:
            command += [*self._recovery.options(), "--directory", self._directory]
        if self._job is not None:
            self._job.hand_over()
            os.chdir(self._folder)
        os.environ.update(path_variable([os.fsdecode(entry) for entry in sys.path], self._folder))
        tidy_up()
        os.execv(sys.executable, command)

"""What a job and its worker say to each other. Both processes; the standard library only.

The job gives its worker a socket as standard input, a command (:mod:`.environment`) and variables. On the socket the
job sends bytes that ask; the worker answers with messages of :data:`MESSAGE` bytes: a letter and a number. The rest
stands in files: ``mark.json`` (:class:`~.records.Mark`).
"""

from __future__ import annotations

import os
from enum import IntEnum

#: set for the worker and for all that it starts: there no worker is started
INSIDE = "ONE_LOGGER_V1_WORKER"
#: the job's ``sys.path`` as JSON, for a worker that shares the job's packages
PATH = "ONE_LOGGER_V1_WORKER_PATH"
#: the file in the journal's folder that has it where it is too long for a variable, which is ``@`` and its name then
PATH_FILE = "path.json"
#: the server of the v1 configuration, if its address holds a password
HOST = "ONE_LOGGER_V1_HOST"

#: which run a process of wandb's belongs to (:func:`run_mark`); a worker sets it for what it starts
RUN = "ONE_LOGGER_V1_RUN"

#: the job's working directory has a settings file that wandb refuses: the worker works in the journal's folder
ELSEWHERE = "ONE_LOGGER_V1_WORKER_ELSEWHERE"

#: what scripts say of a job, ``test`` or ``production``. What v1 did with it nobody knows.
CATEGORY = "ONE_LOGGER_JOB_CATEGORY"

#: bytes: a letter, and a number of 8 bytes
MESSAGE = 9
#: the worker's process number, when it comes up
UP = b"p"
#: how many rows ``run.log`` has been given
ROWS = b"r"
#: the worker's exit code; the process ends right after it
ENDED = b"x"
#: the exit code of a worker that W&B keeps no longer; it goes on for a while, and nobody is to wait for that
PARTS = b"d"


def run_mark(run_id: str, folder: str) -> str:
    """The value of :data:`RUN` for the run ``run_id`` whose journal is in ``folder``."""
    return f"{run_id} {os.path.realpath(folder)}"


def message(letter: bytes, number: int) -> bytes:
    """One message of the worker."""
    return letter + number.to_bytes(MESSAGE - 1, "big", signed=True)


def read_message(data: bytes) -> tuple[bytes, int]:
    """The letter and the number of one message."""
    return data[:1], int.from_bytes(data[1:MESSAGE], "big", signed=True)


class Exit(IntEnum):
    """Exit codes of a worker."""

    DONE = 0
    FAILED = 1
    #: wandb's own process ended again and again
    LOST_WANDB = 3
    #: another worker would do no better; the reason is in the mark
    GIVEN_UP = 4
    #: another worker owns the run
    NOT_OWNER = 5
    #: the interpreter is older than Python 3.9
    TOO_OLD = 86
    #: it ended without a word: a signal, most likely
    UNKNOWN = -1

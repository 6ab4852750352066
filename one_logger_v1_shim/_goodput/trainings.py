"""Groups runs: those that are attempts of one training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from .._v1 import metrics as m
from .names import IDENTITY
from .rows import AttemptRows

PROJECT, RUN_NAME, ENTITY, RUN_ID, FOLDER = "project", "run_name", "entity", "id", "folder"
#: what is told about a run beside its rows
_OF_THE_RUN = (PROJECT, RUN_NAME, ENTITY, RUN_ID, FOLDER)

#: same project, app_tag and app_tag_run_name: one training
DEFAULT_KEYS = (PROJECT, m.APP_TAG, m.APP_TAG_RUN_NAME)
#: all that can be chosen
KEYS = (*DEFAULT_KEYS, *(name for name in (*_OF_THE_RUN, *IDENTITY) if name not in DEFAULT_KEYS))
# A difference in one of these says that two trainings may have been taken for one. A restart changes the others, too.
_TELLING = (m.APP_TAG_RUN_VERSION, m.MODEL_SEQ_LENGTH, m.GLOBAL_BATCH_SIZE, m.WORLD_SIZE, ENTITY, m.USER, m.CLUSTER)

FINISHED, FAILED, KILLED, RUNNING = "finished", "failed", "killed", "running"


@dataclass
class Attempt:
    """One attempt: its rows, and what is told about the run that they are from."""

    rows: AttemptRows
    #: keys: project, run_name, entity, id, folder
    run: dict[str, Any]
    ended: str = KILLED
    exit_code: Optional[int] = None
    notes: list[str] = field(default_factory=list)

    def value(self, key: str) -> Any:
        """What the attempt says for a key of ``KEYS``."""
        return self.run.get(key) if key in _OF_THE_RUN else self.rows.identity.get(key)


def group(attempts: Sequence[Attempt], keys: Sequence[str] = DEFAULT_KEYS) -> list[list[Attempt]]:
    """Trainings in order of their first attempt, the attempts of each in order of time.

    ``app_tag`` is a list that grows while a job runs, and a later attempt may begin with a later tag: two attempts
    agree in it if they share a tag, or have none.
    """
    for one in attempts:
        one.rows.settle()
    plain = [key for key in keys if key != m.APP_TAG]
    groups: list[list[Attempt]] = []
    for one in sorted(attempts, key=_begin):
        mine = [some for some in groups if any(_together(one, other, plain, m.APP_TAG in keys) for other in some)]
        for some in mine[1:]:  # a run whose tags connect two groups
            mine[0].extend(some)
            groups.remove(some)
        if mine:
            mine[0].append(one)
        else:
            groups.append([one])
    for some in groups:
        some.sort(key=_begin)
    return sorted(groups, key=lambda some: _begin(some[0]))


def _begin(attempt: Attempt) -> int:
    return attempt.rows.begin or 0


def _together(one: Attempt, other: Attempt, plain: Sequence[str], by_tag: bool) -> bool:
    if any(one.value(key) != other.value(key) for key in plain):
        return False
    if not by_tag:
        return True
    tags, others = set(one.rows.tags), set(other.rows.tags)
    return bool(tags & others) or not (tags or others)


def differences(attempts: Sequence[Attempt], keys: Sequence[str]) -> list[str]:
    """Lines about what differs between attempts that count as one training."""
    lines = []
    for key in _TELLING:
        values = list(dict.fromkeys(str(one.value(key)) for one in attempts if one.value(key) is not None))
        if key not in keys and len(values) > 1:
            shown = ", ".join(values[:5]) + (", ..." if len(values) > 5 else "")
            lines.append(
                f"the attempts differ in {key} ({shown}); --group-by {','.join([*keys, key])} tells them apart"
            )
    return lines

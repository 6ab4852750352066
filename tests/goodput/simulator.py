"""Trainings that are made up, told to v1, and counted by themselves: what happened is known second by second.

Nothing here is taken from what is tested. A history is a list of attempts; each is a list of segments of time with the
part that they are, and of checkpoints with what they stand on.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Optional

from one_logger_v1_shim._goodput import definitions as d
from one_logger_v1_shim._goodput.trainings import Attempt
from one_logger_v1_shim._v1 import metrics as m
from tests.goodput.story import T0, Story
from tests.support import Clock

ITERATION = "iteration"


@dataclass
class Checkpoint:
    """``iteration`` of attempt ``number``, which began at ``parent``."""

    number: int
    iteration: int
    parent: Optional[Checkpoint]


@dataclass
class Life:
    """What one attempt did: part, begin, end, and the iteration."""

    start: Optional[int] = None
    parent: Optional[Checkpoint] = None
    segments: list[tuple[str, float, float, int]] = field(default_factory=list)
    last_row: float = 0.0


class Simulator:
    """One history. ``seconds`` are eighths: sums of them are exact."""

    def __init__(self, clock: Clock, seed: int, *, overlaps: bool, accidents: bool) -> None:
        self.clock, self.dice = clock, random.Random(seed)
        self.overlaps, self.accidents = overlaps, accidents
        self.strategy = self.dice.choice(["sync", "async"])
        self.batches = self.dice.randint(1, 3)
        self.disk: list[Checkpoint] = []
        self.final: Optional[Checkpoint] = None
        self.lives: list[Life] = []
        self.attempts: list[Attempt] = []

    def seconds(self, most: int = 40, least: int = 0) -> float:
        return self.dice.randint(least, most) / 8

    def tell(self) -> list[Attempt]:
        """Play the history; returns what ``goodput`` reads."""
        for number in range(self.dice.randint(1, 5)):
            if number:
                self.clock.now += self.seconds(80)
                if self.overlaps and self.dice.random() < 0.5:
                    begun = self.lives[-1].segments[0][1] if self.lives[-1].segments else self.clock.now
                    self.clock.now = max(begun + 1, self.clock.now - self.seconds(160))
            self._attempt(number)
        return self.attempts

    def parts(self) -> dict[str, float]:
        """The parts in ms, those that are there."""
        kept: dict[int, int] = {}
        checkpoint = self.final
        while checkpoint is not None:
            kept[checkpoint.number] = checkpoint.iteration
            checkpoint = checkpoint.parent
        trained = [number for number, life in enumerate(self.lives) if life.start is not None]
        found: Counter[str] = Counter()
        lives = [(life.segments[0][1] if life.segments else life.last_row, life.last_row) for life in self.lives]
        reached = lives[0][0]
        for number, life in enumerate(self.lives):
            found[d.BETWEEN] += max(0.0, lives[number][0] - reached)
            reached = max(reached, life.last_row)
            for kind, begin, stop, iteration in life.segments:
                if kind == ITERATION:
                    later = number < trained[-1]
                    is_kept = iteration <= kept.get(number, -1)
                    kind = d.PRODUCTIVE if is_kept else d.LOST_WORK if later else d.NOT_SAVED
                found[kind] += _own(begin, min(stop, life.last_row), lives[number + 1 :])
        return {key: 1000 * seconds for key, seconds in found.items() if seconds}

    # -- one attempt -------------------------------------------------------------------------------------------

    def _attempt(self, number: int) -> None:
        dice, life = self.dice, Life(last_row=self.clock.now)
        self.lives.append(life)
        story = self.story = Story(self.clock, target=10_000, strategy=self.strategy)
        story.call("on_app_start")
        self._startup(life)
        if dice.random() < 0.85:
            life.parent = self._choose()
            life.start = life.parent.iteration if life.parent else 0
            if life.parent is not None and (self.final is None or life.start >= self.final.iteration):
                self.final = life.parent  # it is there, whether or not anybody has reported it
            story.train_start(life.start)
            self._loop(number, life)
        life.last_row = max(row[m.APP_LAST_LOG_TIME] for row in story.rows) / 1000
        self.attempts.append(story.attempt())

    def _choose(self) -> Optional[Checkpoint]:
        """Mostly the newest checkpoint; at times an older one, or a start from nothing."""
        dice = self.dice.random()
        if not self.disk or dice < 0.15:
            return None
        return self.disk[-1] if dice < 0.75 else self.dice.choice(self.disk)

    def _spend(self, life: Life, kind: str, seconds: float, iteration: int = -1) -> None:
        life.segments.append((kind, self.clock.now, self.clock.now + seconds, iteration))
        self.clock.now += seconds

    def _startup(self, life: Life) -> None:
        story, dice = self.story, self.dice
        for name, kind in (
            ("model_init", d.MODEL_INIT), ("dataloader_init", d.DATA_LOADER), ("optimizer_init", d.OPTIMIZER),
            ("load_checkpoint", d.LOAD_CHECKPOINT),
        ):  # fmt: skip
            if dice.random() < 0.7:
                story.call(f"on_{name}_start")
                self._spend(life, kind, self.seconds())
                story.call(f"on_{name}_end")
            self._spend(life, d.STARTUP_REST, self.seconds(8))
        if dice.random() < 0.2:
            self._validate(life)
            self._spend(life, d.STARTUP_REST, self.seconds(8))

    def _loop(self, number: int, life: Life) -> None:
        story, dice = self.story, self.dice
        saved: list[Checkpoint] = []
        finished = life.start or 0
        for _ in range(dice.randint(0, 14)):
            what = dice.random()
            if what < 0.6:
                self._spend(life, d.IDLE, self.seconds(4))
                story.call("on_train_batch_start")
                finished += 1
                self._spend(life, ITERATION, self.seconds(least=1), finished)
                story.call("on_train_batch_end")
                story.finished = finished
            elif what < 0.7:
                self._validate(life)
            elif what < 0.88:
                self._save(number, life, finished, saved)
            elif what < 0.93:
                story.call("on_load_checkpoint_start")
                self._spend(life, d.LOAD_CHECKPOINT, self.seconds())
                story.call("on_load_checkpoint_end")
            elif self.accidents:
                self._accident(life, finished)
                finished += 1
                story.finished = finished
        if dice.random() < 0.3:
            self._end(life)

    def _end(self, life: Life) -> None:
        # no iteration can have been lost between the last row and the end: it would have had a row
        self.story.call("on_train_end")
        self._spend(life, d.SHUTDOWN, self.seconds())
        self.story.call("on_app_end")

    def _validate(self, life: Life) -> None:
        self.story.call("on_validation_start")
        for _ in range(self.batches):
            self.story.call("on_validation_batch_start")
            self._spend(life, d.VALIDATION, self.seconds(least=1))
            self.story.call("on_validation_batch_end")
        self.story.call("on_validation_end")

    def _save(self, number: int, life: Life, finished: int, saved: list[Checkpoint]) -> None:
        story = self.story
        story.call("on_save_checkpoint_start", global_step=finished)
        self._spend(life, d.SAVE_CHECKPOINT, self.seconds(least=1))
        story.call("on_save_checkpoint_end", global_step=finished)
        outcome = self.dice.choice(["success", "success", "failed", "unreported"])
        if finished <= (life.start or 0) or any(one.iteration >= finished for one in saved):
            outcome = "failed"  # it holds nothing new
        elif outcome == "failed" and any(one.iteration == finished for one in self.disk):
            outcome = "success"  # else nobody can tell which of the two a later attempt has loaded
        if outcome == "failed" or (outcome == "unreported" and self.strategy == "sync"):
            return
        checkpoint = Checkpoint(number, finished, life.parent)
        saved.append(checkpoint)
        self.disk = [one for one in self.disk if one.iteration != finished] + [checkpoint]
        if outcome == "success":
            story.call("on_save_checkpoint_success", global_step=finished)
            self.final = checkpoint

    def _accident(self, life: Life, finished: int) -> None:
        """A start that is never ended: v1's timer forgets what it measured."""
        what = self.dice.choice(["train_batch", "validation_batch", "save"])
        if what == "save":
            self.story.call("on_save_checkpoint_start", global_step=finished)
        elif what == "validation_batch":
            self.story.call("on_validation_start").call("on_validation_batch_start")
        else:
            self.story.call("on_train_batch_start")
        self._spend(life, d.IDLE, self.seconds(least=1))
        self.story.call("on_train_batch_start")  # only the next row of progress tells that it was no iteration
        self._spend(life, ITERATION, self.seconds(least=1), finished + 1)
        self.story.call("on_train_batch_end")


def _own(begin: float, end: float, later: list[tuple[float, float]]) -> float:
    """Seconds between ``begin`` and ``end`` that are in no later life; all are eighths."""
    moments = range(round(begin * 8), round(end * 8))
    return sum(not any(one * 8 <= at < other * 8 for one, other in later) for at in moments) / 8


def history(clock: Clock, seed: int, **options: Any) -> tuple[list[Attempt], dict[str, float]]:
    """Attempts, and the parts that are right, in ms."""
    clock.now = T0
    made = Simulator(clock, seed, **options)
    attempts = made.tell()
    return attempts, made.parts()

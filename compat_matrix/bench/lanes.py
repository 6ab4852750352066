"""A lane of the benchmark: ``python -m compat_matrix.bench.lanes KIND OPTIONS``.

Reads one JSON command a line (``{"do": NAME, ...}``) and answers each with one line of JSON. Times are microseconds.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Optional

from .meters import interruptions, p999, rss, use, with_argument

_LOOK = 0.8  # s between two looks at a worker, which writes its mark twice a second
_IDLE = 0.15  # s of CPU time between them: it looks for rows and finds none
_CHUNK = 10  # pairs between two readings of the clock


class Lane:
    """Repeats ``self.once``, one unit of what is measured."""

    once: Callable[[], object]

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.done = 0

    def turn(self, n: int) -> float:
        """Median over chunks: us a unit."""
        once, times = self.once, []
        for _ in range(max(1, n // _CHUNK)):
            begin = time.perf_counter_ns()
            for _ in range(_CHUNK):
                once()
            times.append((time.perf_counter_ns() - begin) / _CHUNK / 1000)
        self.done += len(times) * _CHUNK
        return statistics.median(times)

    def each(self, n: int) -> dict[str, float]:
        """Single calls, us: their median, and the 99.9th percentile of those that the scheduler did not interrupt.

        A call that lost its core to another process tells about the machine; one that waited by itself (for the disk,
        for a lock) counts. ``every_p999``: with the interrupted ones.
        """
        once, clock, times, own, before = self.once, time.perf_counter_ns, [], [], interruptions()
        for _ in range(n):
            begin = clock()
            once()
            took = (clock() - begin) / 1000
            times.append(took)
            after = interruptions()
            if after == before:
                own.append(took)
            before = after
        self.done += n
        return {"median": statistics.median(times), "p999": p999(own or times), "every_p999": p999(times)}

    def advance(self, n: int, limit: float = 600.0) -> int:
        """Do ``n`` units, not timed, for at most ``limit`` seconds; how many were done in all."""
        once, end = self.once, time.monotonic() + limit
        for index in range(n):
            once()
            self.done += 1
            if not index % 100 and time.monotonic() > end:
                break
        return self.done

    def memory(self, n: int, after: int, limit: float = 600.0) -> dict[str, float]:
        """MiB by which ``n`` units make the process grow after the first ``after`` of them."""
        self.advance(after, limit)
        first, begin = rss(), self.done
        self.advance(n - after, limit)
        return {"mib": rss() - first, "units": self.done - begin}

    def settle(self) -> None:
        """Wait until nothing works in the background."""

    def close(self) -> None:
        """End."""


class Empty(Lane):
    """A pair of method calls that do nothing."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)

        class Callbacks:
            def start(self, set_barrier: bool = False, **kwargs: Any) -> None: ...

            def end(self, set_barrier: bool = False, **kwargs: Any) -> None: ...

        callbacks = Callbacks()

        def pair() -> None:
            callbacks.start()
            callbacks.end()

        self.once = pair


class V2(Lane):
    """A pair of v2's own callbacks, with an exporter that does nothing; ``every``: iterations from row to row."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        from nv_one_logger.api.config import LoggerConfig, OneLoggerConfig
        from nv_one_logger.training_telemetry.api import callbacks
        from nv_one_logger.training_telemetry.api.config import TrainingTelemetryConfig
        from nv_one_logger.training_telemetry.api.training_telemetry_provider import TrainingTelemetryProvider

        from .null import NullExporter

        config = OneLoggerConfig(
            application_name="bench",
            session_tag_or_fn="bench",
            world_size_or_fn=1,
            enable_for_current_rank=options.get("enabled", True),
            # its default level says for each call of a disabled rank that it is skipped
            logger_config=LoggerConfig(
                log_level="CRITICAL", log_file_path_for_info=os.devnull, log_file_path_for_err=os.devnull
            ),
            telemetry_config=TrainingTelemetryConfig(
                perf_tag_or_fn="bench",
                global_batch_size_or_fn=8,
                log_every_n_train_iterations=options.get("every", 10**9),
            ),
        )
        provider = TrainingTelemetryProvider.instance().with_base_config(config)
        provider.with_exporter(NullExporter()).configure_provider()
        callbacks.on_app_start()
        callbacks.on_train_start(0)
        start, end = callbacks.on_training_single_iteration_start, callbacks.on_training_single_iteration_end

        def pair() -> None:
            start()
            end()

        self.once = pair


CONFIG: dict[str, Any] = {
    "enable_for_current_rank": True,
    "one_logger_project": "bench",
    "one_logger_async": True,
    "app_tag": "bench",
    "app_tag_run_name": "bench",
    "world_size": 1,
    "global_batch_size": 8,
    "batch_size": 8,
    "is_train_iterations_enabled": True,
    "is_validation_iterations_enabled": True,
}


class Journalled(Lane):
    """A lane whose rows go through a journal to a worker process."""

    finish: Callable[[], None]

    def state(self) -> dict[str, Any]:
        """How far the worker is: what it has written down last."""
        for path in Path().glob("wandb/one-logger-*/mark.json"):
            try:
                mark: dict[str, Any] = json.loads(path.read_text())
            except ValueError:
                continue
            return mark
        return {}

    def workers(self) -> list[int]:
        """The worker's process: one, or none where it has ended or there is no /proc."""
        return [pid for folder in Path().glob("wandb/one-logger-*") for pid in with_argument(str(folder.absolute()))]

    def settle(self) -> None:
        """Until the worker's mark does not move any more, and it plays nothing to v2."""
        limit, before, busy_before = time.monotonic() + 300, -1, 0.0
        while time.monotonic() < limit:
            time.sleep(_LOOK)
            mark = self.state()
            rows = int(mark.get("rows", 0)) if mark.get("state") else -2
            busy = use(self.workers()).cpu_s
            if rows == before and busy - busy_before < _IDLE:
                return
            before, busy_before = rows, busy

    def processes(self) -> dict[str, dict[str, float]]:
        """MiB and seconds of CPU time of the job, its worker, and wandb's own processes."""
        kinds = {
            "job": [os.getpid()],
            "worker": self.workers(),
            "wandb": [one[0] for one in self.state().get("processes", [])],
        }
        return {kind: asdict(use(pids)) for kind, pids in kinds.items()}

    def close(self) -> None:
        """Finish, and wait for the worker: the folder is about to be removed."""
        self.finish()
        limit = time.monotonic() + 45
        while time.monotonic() < limit and self.state().get("state") not in ("finished", "unfinished", "failed"):
            time.sleep(0.1)


class Shim(Journalled):
    """The same pair through ``OneLoggerUtils``."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        from one_logger_v1_shim.utils import OneLoggerUtils

        enabled = options.get("enabled", True)
        every = options.get("every", 10**9)
        utils = OneLoggerUtils({**CONFIG, "enable_for_current_rank": enabled, "log_every_n_train_iterations": every})
        if enabled:
            utils.on_app_start()
            utils.on_train_start(train_iterations_start=0)

        def pair() -> None:
            utils.on_train_batch_start()
            utils.on_train_batch_end()

        self.once = pair
        self.finish = utils.finish
        self.enabled = enabled

    def settle(self) -> None:
        if self.enabled:
            super().settle()

    def close(self) -> None:
        if self.enabled:
            super().close()


#: the row of the ``log_metrics`` lanes: 14 numbers
ROW: dict[str, Any] = {f"metric_number_{index}": index * 1.37 for index in range(14)}


class Core(Journalled):
    """``OneLogger.log_metrics``, asynchronous, with the journal."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        from one_logger_v1_shim import OneLogger

        logger = OneLogger({"project": "bench", "async": True})
        self.once = lambda: logger.log_metrics(ROW)
        self.finish = logger.finish

    def ending(self, n: int) -> dict[str, Any]:
        """Seconds that ``finish`` takes with ``n`` rows just logged."""
        return _ending(self, n, self.finish)


class Wandb(Lane):
    """``wandb.Run.log`` of the same row."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        import wandb

        settings: dict[str, Any] = {"console": "off", "silent": True, "x_disable_stats": True}
        known: dict[str, Any] = {name: value for name, value in settings.items() if name in wandb.Settings.model_fields}
        run = wandb.init(project="bench", mode="offline", settings=wandb.Settings(**known))
        self.once = lambda: run.log(ROW)
        self.finish = run.finish

    def settle(self) -> None:
        time.sleep(1)

    def ending(self, n: int) -> dict[str, Any]:
        """Seconds that ``finish`` takes with ``n`` rows just logged."""
        return _ending(self, n, self.finish)

    def close(self) -> None:
        self.finish()


def _ending(lane: Lane, n: int, finish: Callable[[], None]) -> dict[str, Any]:
    first = time.perf_counter()
    lane.advance(n)
    begin = time.perf_counter()
    finish()
    end = time.perf_counter()
    return {"s": end - begin, "all": end - first}


KINDS: dict[str, type[Lane]] = {
    "empty": Empty,
    "v2": V2,
    "shim": Shim,
    "core": Core,
    "wandb": Wandb,
}


def main(arguments: Optional[list[str]] = None) -> int:
    """Answer commands until standard input ends."""
    kind, options = (sys.argv[1:] if arguments is None else arguments)[:2]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    lane = KINDS[kind](json.loads(options))
    for line in sys.stdin:
        command = json.loads(line)
        what = command.pop("do")
        answer = getattr(lane, what)(**command)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if what == "close":
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())

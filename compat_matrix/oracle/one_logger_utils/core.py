"""``OneLoggerUtils`` 1.0.2, as docs/v1.md tells of it. Times are seconds inside, as in v1.

``ONE_LOGGER_V1_WIRE`` makes it 1.0.0 or 1.0.3: where they differ ``self._version`` is asked.

Where v1 crashed the job by accident, docs/accepted.md says what is sent; ``refused`` of the core says what v1 did.
"""

from __future__ import annotations

import functools
import os
import time

from one_logger.core import OneLogger

from .arguments import ARGUMENTS, ONCE_REQUIRED, OPTIONAL, REQUIRED, refuse
from .checkpoints import Checkpoints
from .timer import Timer

VERSION = "1.0.2"


class OneLoggerUtils(Checkpoints):
    """The callbacks of v1, one core call after the other."""

    O_MINIMAL, O_THROUGHPUT, O_CKPT = 1, 2, 4

    def __init__(self, config):
        self.one_logger = None
        self.enable_for_current_rank = config.get("enable_for_current_rank", False)
        self._config = dict(config)
        self._version = os.environ.get("ONE_LOGGER_V1_WIRE", VERSION)
        if not self.enable_for_current_rank:
            return
        self._timers = {}
        self._given = {}  # time stamps and counts, by argument name; once given they win
        self._saves = {}  # global_step -> what became of that save
        self._attempts = self._synced = self._async_successes = 0
        self._newest_success = None
        self._succeeded = set()
        self._any_success = False
        self._done = self._batches = 0
        self._has_batches, self._step_began = False, None
        self._samples = 0
        self._start = self._samples_start = self._flops_start = 0  # iterations may end before on_train_start
        self._first_finish = self._last_finish = 0
        self._tokens = None
        self._flops = 0
        self._throughput_now = self._throughput_max = 0.0
        self._validations_sent = 0
        self.one_logger = OneLogger(config={
            "project": config.get("one_logger_project", "e2e-tracking"), "name": config.get("one_logger_run_name"),
            "async": config.get("one_logger_async", True), "quiet": config.get("quiet", False), "no_exception": False,
        })  # fmt: skip
        self._throughput = bool(self._get("is_log_throughput_enabled", False))
        self._saving = bool(self._get("is_save_checkpoint_enabled", True))
        self._begin_job()

    # -- helpers -----------------------------------------------------------------------------------------------

    def _get(self, key, default=None):
        value = self._config.get(key, default)
        return value() if callable(value) else value

    def _number(self, key):
        return _arithmetic(self._get(key))

    def _log(self, row):
        self.one_logger.log_metrics(row)

    def _note(self, text):
        self.one_logger.refused.append(text)

    def _timer(self, name):
        return self._timers.setdefault(name, Timer())

    def _begin(self, name, set_barrier):
        self._barrier(set_barrier)
        self._timer(name).begin()

    def _end(self, name, set_barrier):
        """Stop a timer; True if its instant is to be sent: also once where v1 raised, since it had no start."""
        timer = self._timer(name)
        if self._stop(name, set_barrier):
            return True
        ended_before = timer.count > 0
        timer.finish = time.time()
        timer.count += not ended_before
        return not ended_before

    def _stop(self, name, set_barrier=False):
        """Stop a timer; False where v1 raised, since it did not run: nothing was measured."""
        self._barrier(set_barrier)
        if self._timer(name).active:
            self._timer(name).end()
            return True
        self._note(f"RuntimeError: Cannot end timer = '{name}' since it is not active")
        return False

    def _barrier(self, wanted):
        if not wanted:
            return
        if self._config.get("barrier") is None:
            raise RuntimeError("No barrier function to call in the _NamedTimer")
        self._config["barrier"]()

    def _arguments(self, callback, given):
        required, optional = ARGUMENTS.get(callback, (set(), set()))
        refuse(callback, required - given.keys(), given.keys() - required - optional)
        self._given.update({name: value for name, value in given.items() if value is not None})

    def _begin_job(self):
        config = self._config
        known = REQUIRED | ONCE_REQUIRED | OPTIONAL
        if self._throughput:
            known = known | {"flops_per_sample"}
        if self._saving:
            known = known | {"save_checkpoint_strategy"}
        for key in ("flops_per_sample", "save_checkpoint_strategy"):
            if key not in known and key in config:
                self._note(f"1.0.2 raised ValueError for {key!r}, given although its feature is off")
                del config[key]
        refuse("initialize", REQUIRED - config.keys(), config.keys() - known)
        for key in sorted(ONCE_REQUIRED - config.keys()):
            self._note(f"1.0.2 raised ValueError for a configuration without {key!r}; later v1 took its default")
        self.one_logger.log_app_tag(self._get("app_tag"))
        row = {
            "one_logger_utils_version": self._version,
            "summary_data_schema_version": self._get("summary_data_schema_version", "1.0.0"),
            "app_run_type": self._get("app_run_type", "training"),
            "app_metrics_feature_tags": self._get("app_metrics_feature_tags", "full"),
            "is_baseline_run": self._get("is_baseline_run", False),
            "is_train_iterations_enabled": self._get("is_train_iterations_enabled"),
            "is_validation_iterations_enabled": self._get("is_validation_iterations_enabled"),
            "is_test_iterations_enabled": self._get("is_test_iterations_enabled", True),
            "is_save_checkpoint_enabled": self._saving,
            "is_log_throughput_enabled": self._throughput,
            "app_tag_run_version": self._get("app_tag_run_version", "1.0.0"),
            "world_size": self._get("world_size"),
        }
        keys = ["micro_batch_size", "global_batch_size", "app_tag_run_name", "train_iterations_target",
                "train_samples_target"]  # fmt: skip
        if self._version == "1.0.0":
            keys.append(keys.pop(0))
        for key in keys:
            if key in config:
                row[key] = self._get(key)
        if self._get("seq_length") is not None:
            row["model_seq_length"] = self._get("seq_length")
            if row.get("train_samples_target") is not None:
                row["train_tokens_target"] = self._number("seq_length") * self._number("train_samples_target")
        if self._saving:
            row["save_checkpoint_strategy"] = self._get("save_checkpoint_strategy", "sync")
        metadata = self._get("metadata") or {}
        if row.keys() & metadata.keys():
            raise ValueError(f"Metadata overlap found with keys: {row.keys() & metadata.keys()}")
        self._log({**row, **metadata})

    # -- phases: a row with one instant each, in ms ------------------------------------------------------------

    def _phase(self, callback, timer, metric, argument, set_barrier, given):
        starts = callback.endswith("_start")
        sends = True
        if starts:
            self._begin(timer, set_barrier)
        else:
            sends = self._end(timer, set_barrier)
        self._arguments(callback, given)
        if not sends:
            return
        instant = self._given.get(argument)
        if instant is None and argument == "app_start_time":
            instant = self._get("app_start_time")
        if instant is None:
            instant = (self._timer(timer).start if starts else self._timer(timer).finish) * 1000
        row = {metric: instant}
        if callback == "on_load_checkpoint_end":
            since = self._given.get("load_checkpoint_start_time")
            row["load_checkpoint_time"] = self._timer(timer).total if since is None else (instant - since) / 1000
            if self._version == "1.0.0":
                row["load_checkpoint_time"] *= 1000
        self._log(row)

    def on_train_start(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        self._begin("app_train_loop", set_barrier)
        self._arguments("on_train_start", given)
        start = _arithmetic(self._given["train_iterations_start"])
        size = self._number("global_batch_size" if self._config.get("batch_size") is None else "batch_size")
        samples = _arithmetic(self._given.get("train_samples_start"))
        if samples is None:
            samples = self._given["train_samples_start"] = start * size  # v1's store: a later start does not compute it
        self._start, self._samples_start = start, samples
        row = {
            "train_iterations_start": start, "train_iterations_end": start,
            "train_samples_start": self._samples_start, "train_samples_end": self._samples_start,
            "app_train_loop_start_time": self._timer("app_train_loop").start * 1000,
        }  # fmt: skip
        known = self._given.get("app_start_time", self._get("app_start_time"))
        if known is not None:
            row["app_start_time"] = known
        if self._throughput:
            if "flops_per_sample" not in self._config:
                raise ValueError("Missing required key 'flops_per_sample' from store")
            self._flops_start = start * size * self._number("flops_per_sample")
            self._flops, self._throughput_now = 0, 0.0  # counted again; the time of the iterations goes on
            row["train_tflop_start"] = self._flops_start / 1e12
        self._log(row)

    def on_train_end(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        if self._end("app_train_loop", set_barrier):
            self._arguments("on_train_end", given)
            row = {"app_train_loop_finish_time": self._timer("app_train_loop").finish * 1000}
            if self._version == "1.0.3":
                self.one_logger.log_app_tag(self._get("app_tag"))
                row.update(self._progress())
            self._log(row)

    # -- iterations --------------------------------------------------------------------------------------------

    def on_train_batch_start(self, set_barrier=False, **given):
        if self.one_logger:
            self._has_batches = True
            self._begin("train_batch" if self._version == "1.0.3" else "train_iterations", set_barrier)
            self._arguments("on_train_batch_start", given)

    def on_train_batch_end(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        stepped = self._version == "1.0.3"
        # without its start: it counts, and only its duration is unknown
        self._stop("train_batch" if stepped else "train_iterations", set_barrier)
        self._arguments("on_train_batch_end", given)
        size = self._number("global_batch_size")
        self._samples += size
        if self._get("seq_length") is not None:
            self._tokens = self._number("seq_length") * self._samples
        if self._throughput:
            self._flops += size * (self._number("flops_per_sample") or 0)  # missed at on_train_start only
        self.one_logger.log_app_tag(self._get("app_tag"))
        if stepped:
            self._batches += 1
            self._log_each(self._batches, self._batch_progress)
        else:
            if self._throughput:
                self._measure()
            self._iteration_done()
            self._log_each(self._start + self._done, self._progress)

    def _log_each(self, count, row):
        every = int(self._config.get("log_every_n_train_iterations", 50))
        if every and count % every == 0:
            self._log(row())

    def _iteration_done(self):
        self._done += 1
        self._last_finish = time.time() * 1000
        self._first_finish = self._first_finish or self._last_finish

    def _measure(self):
        self._throughput_now = self._rate()
        self._throughput_max = max(self._throughput_max, self._throughput_now)

    def on_train_step_start(self, set_barrier=False, **given):
        """Of 1.0.3; before it v1 had no such attribute, and ours counts steps where no batch is reported."""
        if not self.one_logger:
            return
        self._arguments("on_train_step_start", given)
        if self._version == "1.0.3":
            if not self._timer("train_iterations").active:
                self._begin("train_iterations", set_barrier)
            return
        self._note(f"{self._version}: AttributeError: Attribute 'on_train_step_start' is not found")
        if not self._has_batches and self._step_began is None:
            self._barrier(set_barrier)
            self._step_began = time.time()

    def on_train_step_end(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        self._arguments("on_train_step_end", given)
        if self._version != "1.0.3":
            self._note(f"{self._version}: AttributeError: Attribute 'on_train_step_end' is not found")
            if not self._has_batches and self._step_began is not None:
                self._barrier(set_barrier)
                self._timer("train_iterations").begin()
                self._timer("train_iterations").start, self._step_began = self._step_began, None
                self.on_train_batch_end()
            return
        if not self._timer("train_iterations").active:
            return
        self._stop("train_iterations", set_barrier)
        self._iteration_done()
        row = self._step_progress()
        self._log_each(self._start + self._done, lambda: row)

    def _rate(self):
        seconds = self._timer("train_iterations").total
        return self._flops / (seconds * 1e12 * float(self._get("world_size"))) if seconds else 0.0

    def _progress(self):
        if self._version == "1.0.3":
            return {**self._batch_progress(), **self._step_progress()}
        row = self._iterations_so_far()
        flops = {name: row.pop(name) for name in list(row) if name.startswith(("train_tflop", "train_throughput"))}
        so_far = self._samples_so_far()
        names = ["train_iterations", "train_iterations_end", "train_samples", "train_samples_end"]
        first = {name: {**row, **so_far}[name] for name in names}
        return {**first, **row, **so_far, **flops}

    def _batch_progress(self):
        timer, so_far = self._timer("train_batch"), self._samples_so_far()
        tokens = {name: so_far.pop(name) for name in list(so_far) if name == "train_tokens"}
        return {
            "train_batch": self._batches, **so_far, "train_batch_time_total": timer.total,
            "train_batch_time_msecs_avg": timer.average * 1000, "train_batch_time_msecs_min": timer.min * 1000,
            **tokens,
        }  # fmt: skip

    def _step_progress(self):
        if self._throughput:
            self._measure()
        return self._iterations_so_far()

    def _samples_so_far(self):
        row = {"train_samples": self._samples, "train_samples_end": self._samples_start + self._samples}
        if self._tokens is not None:  # v1 computed it at the end of a batch
            row["train_tokens"] = self._tokens
        return row

    def _iterations_so_far(self):
        timer = self._timer("train_iterations")
        row = {
            "train_iterations": self._done, "train_iterations_end": self._start + self._done,
            "train_iterations_time_total": timer.total,
            "train_iterations_time_msecs_avg": timer.average * 1000,
            "train_iterations_time_msecs_min": timer.min * 1000,
            "first_logged_train_iterations_finish_time": self._first_finish,
            "last_logged_train_iterations_finish_time": self._last_finish,
        }  # fmt: skip
        if self._throughput:
            row["train_tflop_end"] = (self._flops_start + self._flops) / 1e12
            row["train_tflop"] = self._flops / 1e12
            row["train_throughput_per_gpu"] = self._throughput_now
            row["train_throughput_per_gpu_max"] = self._throughput_max
        return row

    def on_validation_end(self, set_barrier=False, **given):
        if not self.one_logger:
            return
        started = self._stop("validation_loop", set_barrier)
        self._arguments("on_validation_end", given)
        timer = self._timer("validation_iterations")
        if not timer.count:
            self._note("TypeError: validation ended without a batch")
            return
        if not started and timer.count == self._validations_sent:
            return  # a second end of the same validation
        self._validations_sent = timer.count
        self._log({
            "validation_iterations_time_total": timer.total,
            "validation_iterations_time_msecs_avg": timer.average * 1000,
            "validation_iterations_time_msecs_min": timer.min * 1000,
        })  # fmt: skip

    def on_test_start(self, set_barrier=False, **given):
        """Only BioNeMo calls this and the next; nothing is known to have been sent or timed."""
        if self.one_logger:
            self._barrier(set_barrier)
            self._arguments("on_test_start", given)

    def on_test_end(self, set_barrier=False, **given):
        if self.one_logger:
            self._barrier(set_barrier)
            self._arguments("on_test_end", given)

    def finish(self):
        if self.one_logger:
            self.one_logger.finish()


def _arithmetic(value):
    """Sizes and counts from the environment came as the text of a number."""
    if not isinstance(value, str):
        return value
    return int(value) if value.lstrip("-").isdigit() else float(value)


def _instants():
    for timer, start, finish in (
        ("app_run", "app_start_time", "app_finish_time"),
        ("model_init", "app_model_init_start_time", "app_model_init_finish_time"),
        ("dataloader_init", "app_build_dataiters_start_time", "app_build_dataiters_finish_time"),
        ("optimizer_init", "app_build_optimizer_start_time", "app_build_optimizer_finish_time"),
        ("load_checkpoint", "load_checkpoint_start_time", "load_checkpoint_finish_time"),
    ):
        short = "app" if timer == "app_run" else timer
        # v1 accepted a start for the data loaders and then looked for a misspelt name: it never counted
        ignored = "app_build_dataiter_start_time" if timer == "dataloader_init" else start
        yield f"on_{short}_start", timer, start, ignored
        yield f"on_{short}_end", timer, finish, finish


def _define(callback, timer, metric, argument):
    def phase(self, set_barrier=False, **given):
        if self.one_logger:
            self._phase(callback, timer, metric, argument, set_barrier, given)

    phase.__name__ = callback
    setattr(OneLoggerUtils, callback, phase)


def _define_silent(callback, timer):
    def silent(self, set_barrier=False, **given):
        if self.one_logger:
            (self._begin if callback.endswith("_start") else self._stop)(timer, set_barrier)
            self._arguments(callback, given)

    silent.__name__ = callback
    setattr(OneLoggerUtils, callback, silent)


for _one in _instants():
    _define(*_one)
for _callback, _name in (
    ("on_validation_start", "validation_loop"),
    ("on_validation_batch_start", "validation_iterations"),
    ("on_validation_batch_end", "validation_iterations"),
):
    _define_silent(_callback, _name)


def _quietly(callback):
    """With ``quiet`` nothing is raised after construction: the first failure ends telemetry."""

    @functools.wraps(callback)
    def call(self, *arguments, **given):
        try:
            callback(self, *arguments, **given)
        except Exception as error:
            if not self._config.get("quiet"):
                raise
            self._note(f"{type(error).__name__}: {error} (quiet: telemetry stops here)")
            self.one_logger = None

    return call


for _callback in dir(OneLoggerUtils):
    if _callback.startswith("on_") or _callback == "finish":
        setattr(OneLoggerUtils, _callback, _quietly(getattr(OneLoggerUtils, _callback)))

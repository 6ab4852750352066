"""A run as people want to see it, made of what was collected of its rows. Pure: no file, no clock, no terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable, Optional

from .._v1 import metrics as m
from .._v1.phases import PHASES
from .._v1.wires import DEFAULT
from . import _format as f
from ._collect import BETWEEN, STAMP, Collector
from ._model import Chart, Report, Section

_SECRET = ("api_key", "apikey", "password", "secret")

_JOB = (
    m.JOBID, m.JOB_NAME, m.JOB_ACCOUNT, m.USER, m.CLUSTER, m.JOB_PARTITION, m.JOB_RESERVATION, m.ALLOC_HOSTS,
    m.EXEC_HOSTS, m.JOB_START_TIME, m.LIMIT_RUN, m.ARRAY_JOB_ID, m.ARRAY_TASK_COUNT, m.ARRAY_TASK_ID, m.STEP_ID,
    m.STEP_NODELIST,
)  # fmt: skip
_CONFIGURATION = (
    m.APP_TAG_RUN_NAME, m.APP_TAG_RUN_VERSION, m.APP_RUN_TYPE, m.WORLD_SIZE, m.GLOBAL_BATCH_SIZE, m.MICRO_BATCH_SIZE,
    m.MODEL_SEQ_LENGTH, m.TRAIN_ITERATIONS_TARGET, m.TRAIN_SAMPLES_TARGET, m.TRAIN_TOKENS_TARGET,
    m.SAVE_CHECKPOINT_STRATEGY, m.IS_TRAIN_ITERATIONS_ENABLED, m.IS_VALIDATION_ITERATIONS_ENABLED,
    m.IS_TEST_ITERATIONS_ENABLED, m.IS_SAVE_CHECKPOINT_ENABLED, m.IS_LOG_THROUGHPUT_ENABLED, m.IS_BASELINE_RUN,
    m.APP_METRICS_FEATURE_TAGS, m.SUMMARY_DATA_SCHEMA_VERSION, m.ONE_LOGGER_UTILS_VERSION, m.ONE_LOGGER_VERSION,
)  # fmt: skip
# Totals that are a part of the application's time, for the share of each.
_TIMES = (
    ("training iterations", m.TRAIN_ITERATIONS_TIME_TOTAL),
    ("validation", m.VALIDATION_ITERATIONS_TIME_TOTAL),
    ("checkpoint saves", m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL),
)
# What other lines of the report say already. Every other metric without a line of its own is listed as it is.
_SAID = (m.APP_TAG_ID, m.APP_TAG_COUNT, m.APP_FIRST_LOG_TIME, m.APP_LAST_LOG_TIME, STAMP)


def report(collector: Collector, header: Section, config: dict[str, Any], tags: list[Any], notes: list[str]) -> Report:
    """All sections of a run that have something to say, and its charts."""
    return _Sections(collector).report(header, config, tags, notes)


class _Sections:
    """The sections of one run's report."""

    def __init__(self, collector: Collector) -> None:
        self.last = collector.decoded()
        self.metadata, self.others = collector.metadata, collector.others
        self.curve, self.saves = collector.curve, collector.saves
        self._told = {*_SAID}

    def report(self, header: Section, config: dict[str, Any], tags: list[Any], notes: list[str]) -> Report:
        sections = [
            header,
            self._listed("Job", _JOB),
            self._configuration(config),
            self._tags(tags),
            self._phases(),
            self._progress(),
            self._validation(),
            self._checkpoints(),
            self._others(),
        ]
        title = " / ".join(line.value for line in header.lines if line.label in ("project", "run name", "id"))
        sections.insert(1, Section("Charts", charts=[*self._charts()]))
        return Report(
            title or "run", [one for one in sections if one.lines or one.charts], [f.clean(one, 500) for one in notes]
        )

    # -- sections ----------------------------------------------------------------------------------------------

    def _number(self, name: str) -> Optional[float]:
        value = f.number(self.last.get(name))
        if value is not None:
            self._told.add(name)
        return value

    def _listed(self, title: str, names: Iterable[str]) -> Section:
        section = Section(title)
        for name in names:
            self._told.add(name)
            if name in self.last and not (name in (m.JOB_START_TIME, m.LIMIT_RUN) and not self.last[name]):
                section.add(name, shown(name, self.last[name], str(self.last.get(m.ONE_LOGGER_UTILS_VERSION))))
        return section

    def _configuration(self, config: dict[str, Any]) -> Section:
        section = self._listed("Configuration", _CONFIGURATION)
        for name, value in {**config, **self.metadata}.items():
            if name not in self.last and name != "_wandb":
                section.add(name, shown(name, value))
        return section

    def _tags(self, tags: list[Any]) -> Section:
        section = Section("Tags")
        self._told.add(m.APP_TAG)
        told = self.last.get(m.APP_TAG)
        if told is not None:
            section.add("application", ", ".join(map(f.value, told)) if isinstance(told, list) else f.value(told))
        if tags:
            section.add("run", ", ".join(map(f.value, tags)))
        return section

    def _phases(self) -> Section:
        section = Section("Phases")
        latest = self._number(m.APP_LAST_LOG_TIME)
        began, ended = self._number(m.APP_START_TIME), self._number(m.APP_FINISH_TIME) or latest
        app = None if began is None or ended is None else (ended - began) / 1000
        for label, start_name, finish_name in PHASES.values():
            start, finish = self._number(start_name), self._number(finish_name)
            if finish is not None and start is not None:
                seconds = (finish - start) / 1000
                section.add(label, f"{f.duration(seconds)}{_share(seconds, app, label)}, from {f.instant(start)}")
            elif finish is not None:
                section.add(label, f"ended {f.instant(finish)}, no start")
            elif start is not None:
                so_far = "" if latest is None else f", {f.duration((latest - start) / 1000)} until the last row"
                section.add(label, f"began {f.instant(start)}, not ended{so_far}")
        for label, name in _TIMES:
            total = self._number(name)
            if total:
                section.add(label, f"{f.duration(total)}{_share(total, app, label)} in total")
        return section

    def _progress(self) -> Section:
        section = Section("Training")
        end, target = self._number(m.TRAIN_ITERATIONS_END), self._number(m.TRAIN_ITERATIONS_TARGET)
        start, done = self._number(m.TRAIN_ITERATIONS_START), self._number(m.TRAIN_ITERATIONS)
        section.add("iterations", _of(end, target))
        if done is not None and start:
            section.add("in this job", f"{f.count(done)} (from {f.count(start)})")
        samples = self._number(m.TRAIN_SAMPLES_END)
        section.add("samples", _of(samples, self._number(m.TRAIN_SAMPLES_TARGET)))
        self._tokens(section, samples, bool(start))
        average = self._number(m.TRAIN_ITERATIONS_TIME_MSECS_AVG)
        minimum = self._number(m.TRAIN_ITERATIONS_TIME_MSECS_MIN)
        if average is not None:
            least = "" if not minimum else f", shortest {f.measured(minimum)} ms"
            section.add(
                "iteration time",
                f"average {f.measured(average)} ms{least}",
                _ys(self.curve(m.TRAIN_ITERATIONS_TIME_MSECS_AVG)),
            )
        now = self.curve(BETWEEN)
        if now:
            section.add("between rows", f"{f.measured(now[-1][1])} ms an iteration, latest", _ys(now))
        throughput = self._number(m.TRAIN_THROUGHPUT_PER_GPU)
        if throughput is not None:
            most = self._number(m.TRAIN_THROUGHPUT_PER_GPU_MAX)
            best = "" if most is None else f", most {f.measured(most)}"
            text = f"{f.measured(throughput)} TFLOP/s a GPU on average{best}"
            section.add("throughput", text, _ys(self.curve(m.TRAIN_THROUGHPUT_PER_GPU)))
        total = self._number(m.TRAIN_ITERATIONS_TIME_TOTAL)
        if samples is not None and total and self._number(m.TRAIN_SAMPLES):
            section.add("samples / s", f.measured((self._number(m.TRAIN_SAMPLES) or 0.0) / total))
        if average and end is not None and target is not None and target > end:
            section.add("still to go", f"about {f.duration((target - end) * average / 1000)} of iterations")
        work = self._number(m.TRAIN_TFLOP)
        section.add("work", None if work is None else f"{f.measured(work)} TFLOP")
        return section

    def _tokens(self, section: Section, samples: Optional[float], continued: bool) -> None:
        """Of the training, as the other lines. v1 logs those of this job and the target of the training."""
        tokens, target = self._number(m.TRAIN_TOKENS), self._number(m.TRAIN_TOKENS_TARGET)
        length = self._number(m.MODEL_SEQ_LENGTH)
        if tokens is None:
            return
        if not continued:
            section.add("tokens", _of(tokens, target, shown=f.large))
            return
        if length is not None and samples is not None:
            section.add("tokens", _of(length * samples, target, shown=f.large))
        section.add("tokens in this job", f.large(tokens))

    def _validation(self) -> Section:
        section = Section("Validation")
        total = self._number(m.VALIDATION_ITERATIONS_TIME_TOTAL)
        if total is not None:
            section.add("time", f.duration(total))
        for label, name in (
            ("average", m.VALIDATION_ITERATIONS_TIME_MSECS_AVG),
            ("shortest", m.VALIDATION_ITERATIONS_TIME_MSECS_MIN),
        ):
            value = self._number(name)
            section.add(label, None if value is None else f"{f.measured(value)} ms")
        return section

    def _checkpoints(self) -> Section:
        section = Section("Checkpoints")
        for label, name in (
            ("started", m.SAVE_CHECKPOINT_COUNT),
            ("saved", m.SAVE_CHECKPOINT_SYNC_COUNT),
            ("async successes", m.SAVE_CHECKPOINT_ASYNC_COUNT),
            ("at iteration", m.TRAIN_ITERATIONS_SAVE_CHECKPOINT_END),
        ):
            value = self._number(name)
            section.add(label, None if value is None else f.count(value))
        total = self._number(m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL)
        if total is not None:
            span = ""
            least, most = self._number(m.SAVE_CHECKPOINT_SYNC_TIME_MIN), self._number(m.SAVE_CHECKPOINT_SYNC_TIME_MAX)
            if least is not None and most is not None:
                span = f", {f.duration(least)} to {f.duration(most)} each"
            section.add("training stood still", f"{f.duration(total)}{span}")
        last = self._number(m.LAST_SUCCESSFUL_SAVE_CHECKPOINT_SYNC_FINISH_TIME)
        section.add("last success", None if last is None else f.instant(last))
        spent, kept = (
            self._number(m.TRAIN_ITERATIONS_TIME_TOTAL),
            self._number(m.TRAIN_ITERATIONS_TIME_TOTAL_PRODUCTIVE),
        )
        if kept is not None:
            share = f" ({f.percent(kept / spent)})" if spent else ""
            of = f" of {f.duration(spent)}" if spent else ""
            section.add("productive", f"{f.duration(kept)}{of} of training is in a checkpoint{share}")
        section.add("productive until", _of(self._number(m.TRAIN_ITERATIONS_PRODUCTIVE_END), None, "iteration "))
        return section

    def _others(self) -> Section:
        """v1's metrics that no section above has read, and everything that is not v1's."""
        section = Section("Other metrics")
        for name in m.UNITS:
            if name in self.last and name not in self._told:
                section.add(name, shown(name, self.last[name]))
        for name, other in self.others.items():
            points = _ys(other.curve)
            many = f"  ({f.count(float(other.count))} rows)" if other.count > 1 else ""
            section.add(name, f"{shown(name, self.last[name])}{many}", points)
        return section

    # -- charts ------------------------------------------------------------------------------------------------

    def _charts(self) -> list[Chart]:
        charts = [
            self._chart("Iterations", "iterations", m.TRAIN_ITERATIONS_END),
            self._chart("Iteration time", "ms", BETWEEN, m.TRAIN_ITERATIONS_TIME_MSECS_AVG,
                        m.TRAIN_ITERATIONS_TIME_MSECS_MIN),
            self._chart("Throughput", "TFLOP/s a GPU", m.TRAIN_THROUGHPUT_PER_GPU, m.TRAIN_THROUGHPUT_PER_GPU_MAX),
            Chart("Checkpoint saves", "s in total", {m.SAVE_CHECKPOINT_SYNC_TIME_TOTAL: self.saves.curve(1)}),
        ]  # fmt: skip
        for name, other in self.others.items():
            if other.curve:
                charts.append(Chart(f.clean(name, 80), "", {f.clean(name, 80): other.curve}, times=False))
        for chart in charts:
            chart.curves = {name: curve for name, curve in chart.curves.items() if curve}
        return [chart for chart in charts if any(len(curve) > 1 for curve in chart.curves.values())]

    def _chart(self, title: str, unit: str, *names: str) -> Chart:
        return Chart(title, unit, {name: self.curve(name) for name in names})


def shown(name: str, value: Any, wire: str = DEFAULT) -> str:
    """A value as text, by the unit of its metric in the version ``wire``; nothing that is named like a secret."""
    if any(word in name.lower() for word in _SECRET):
        return "(not shown)"
    return f.by_unit(value, m.unit(name, wire) if name in m.UNITS else None)


def _of(
    value: Optional[float], target: Optional[float], before: str = "", shown: Callable[[float], str] = f.count
) -> Optional[str]:
    if value is None:
        return None
    if not target:
        return before + shown(value)
    return f"{before}{shown(value)} of {shown(target)} ({f.percent(value / target)})"


def _share(seconds: float, app: Optional[float], label: str) -> str:
    if not app or app <= 0 or label == "application" or seconds < 0:
        return ""
    return f" ({f.percent(seconds / app)})"


def _ys(curve: list[tuple[float, float]]) -> list[float]:
    return [y for _, y in curve]

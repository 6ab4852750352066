"""Random jobs: the calls in an order that makes sense, and then v1's accidents in it."""

from __future__ import annotations

from random import Random
from typing import Any

from .configurations import core_config, slurm, utils_config

Step = dict[str, Any]
T0 = 1700000000.0

_PHASES = {
    "model_init": ("app_model_init_start_time", "app_model_init_finish_time"),
    "dataloader_init": ("app_build_dataiters_start_time", "app_build_dataiters_finish_time"),
    "optimizer_init": ("app_build_optimizer_start_time", "app_build_optimizer_finish_time"),
    "load_checkpoint": ("load_checkpoint_start_time", "load_checkpoint_finish_time"),
}
#: what a second call of the same kind needs as arguments
_ARGUMENTS = {
    "on_train_start": {"train_iterations_start": 0},
    "on_save_checkpoint_start": {"global_step": 1},
    "on_save_checkpoint_end": {"global_step": 1},
    "on_save_checkpoint_success": {"global_step": 1},
}
_CALLS = (
    *(f"on_{phase}_{edge}" for phase in ("app", "train", "validation", "test", *_PHASES) for edge in ("start", "end")),
    "on_train_batch_start", "on_train_batch_end", "on_validation_batch_start", "on_validation_batch_end",
    "on_save_checkpoint_start", "on_save_checkpoint_end", "on_save_checkpoint_success",
)  # fmt: skip


def make(seed: int, number: int) -> dict[str, Any]:
    """Job ``number`` of ``seed``: a recorded job without its ``expect``. The same two numbers make the same job."""
    rng = Random(f"{seed}/{number}")
    about = f"random job {number} of seed {seed}"
    job: dict[str, Any] = {"name": f"random_{seed}_{number}", "about": about}
    if rng.random() < 0.2:
        job.update(target="OneLogger", config=core_config(rng), t0=T0, steps=_core_steps(rng))
    else:
        steps = _life(rng)
        if rng.random() < 0.2:
            _rows_of_the_core(rng, steps)
        if rng.random() < 0.5:
            _accidents(rng, steps)
        config = utils_config(rng)
        if config.get("quiet"):  # whether the core goes on after a failure that was kept quiet is not known
            steps = [step for step in steps if not step["call"].startswith("one_logger.")]
        job.update(config=config, t0=T0, steps=steps)
    if rng.random() < 0.4:
        job["environment"] = slurm(rng)
    if rng.random() < 0.1 and not any(step["call"] == "on_app_end" for step in job["steps"]):
        job["uncaught"] = "the job's own"  # after all calls
    job["steps"] = [dict(step) for step in job["steps"]]  # one that is repeated has a time of its own
    at = 0.0
    for step in job["steps"]:
        at = round(at + rng.choice((0, 0.125, 1, rng.randrange(5000) / 1000)), 6)
        step["at"] = at
    return job


def _call(name: str, *args: Any, **kwargs: Any) -> Step:
    given = {"args": list(args), "kwargs": kwargs}
    return {"at": 0.0, "call": name, **{name: value for name, value in given.items() if value}}


def _life(rng: Random) -> list[Step]:
    steps: list[Step] = []
    before = [step for phase in _PHASES if rng.random() < 0.6 for step in _phase(rng, phase)]
    if rng.random() < 0.9:
        start = {"app_start_time": _instant(rng)} if rng.random() < 0.15 else {}
        before.insert(rng.choice((0, 0, len(before))), _call("on_app_start", **start))
    steps += before
    for _ in range(rng.choices((0, 1, 2, 3), (2, 14, 3, 1))[0]):
        steps += _training(rng)
    if rng.random() < 0.9:
        finish = {"app_finish_time": _instant(rng)} if rng.random() < 0.1 else {}
        steps.append(_call("on_app_end", **finish))
    if rng.random() < 0.9:
        steps.append(_call("finish"))
    return steps


def _phase(rng: Random, phase: str) -> list[Step]:
    names = _PHASES[phase]
    given = [{name: _instant(rng)} if rng.random() < 0.1 else {} for name in names]
    pair = [_call(f"on_{phase}_start", **given[0]), _call(f"on_{phase}_end", **given[1])]
    return pair * rng.choices((1, 2), (6, 1))[0]


def _instant(rng: Random) -> Any:
    return rng.choice((1699999500000, 1699999500000.25, 1699999500.5, None))


def _training(rng: Random) -> list[Step]:
    first = rng.choice((0, 0, 1, 10, 103))
    start: Step = _call("on_train_start", train_iterations_start=rng.choice((first, first, str(first))))
    if rng.random() < 0.2:
        start["kwargs"]["train_samples_start"] = rng.choice((first * 8, 5, "12", None))
    if rng.random() < 0.1:
        start["kwargs"]["set_barrier"] = True
    steps = [start]
    open_saves: list[int] = []
    for number in range(rng.choice((0, 1, 3, 7, 12, 25))):
        steps += [_call("on_train_batch_start"), _call("on_train_batch_end")]
        done = first + number + 1
        if rng.random() < 0.12:
            steps += _validation(rng)
        if rng.random() < 0.2:
            steps += _save(rng, done, open_saves)
            if rng.random() < 0.15:  # Lightning's save_last
                steps += _save(rng, done, open_saves)
        if open_saves and rng.random() < 0.4:  # an asynchronous save has come home, not always the oldest one
            step = open_saves.pop(rng.randrange(len(open_saves)))
            steps.append(_call("on_save_checkpoint_success", global_step=step))
    if rng.random() < 0.2:
        steps += [_call("on_test_start"), _call("on_test_end")]
    return [*steps, _call("on_train_end")]


def _validation(rng: Random) -> list[Step]:
    batches = [_call("on_validation_batch_start"), _call("on_validation_batch_end")]
    return [_call("on_validation_start"), *batches * rng.choice((1, 2, 3)), _call("on_validation_end")]


def _save(rng: Random, step: int, open_saves: list[int]) -> list[Step]:
    start, end, success = (
        _call(f"on_save_checkpoint_{edge}", global_step=step) for edge in ("start", "end", "success")
    )
    how = rng.random()
    if how < 0.4:
        return [start, end, success]
    if how < 0.6:
        return [start, success, end]
    if how < 0.9:
        open_saves.append(step)
    return [start, end]  # a success that comes later, or never


def _rows_of_the_core(rng: Random, steps: list[Step]) -> None:
    """Rows and tags through the ``OneLogger`` of ``OneLoggerUtils``, between the callbacks' own."""
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < 0.7:
            step = _call("one_logger.log_metrics", _anything(rng))
        else:
            step = _call("one_logger.log_app_tag", rng.choice(("grown", ["one", "two"])))
        steps.insert(rng.randrange(len(steps) + 1), step)


def _accidents(rng: Random, steps: list[Step]) -> None:
    """What v1 crashed on: lost calls, calls made twice, in the wrong order, at the wrong time, with wrong arguments."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(steps)) if steps else 0
        kind = rng.randrange(5)
        if kind == 0 and steps:
            del steps[at]
        elif kind == 1 and steps:
            steps.insert(rng.randrange(at, len(steps) + 1), dict(steps[at]))
        elif kind == 2 and at + 1 < len(steps):
            steps[at], steps[at + 1] = steps[at + 1], steps[at]
        elif kind == 3:
            name = rng.choice(_CALLS)
            steps.insert(at, _call(name, **_ARGUMENTS.get(name, {})))
        elif steps:
            steps[at] = _wrong(rng, steps[at])


def _wrong(rng: Random, step: Step) -> Step:
    if step["call"] == "finish" or "args" in step:
        return step
    kwargs = dict(step.get("kwargs", {}))
    wrong = rng.randrange(3)
    if wrong == 0:
        kwargs["unheard_of"] = 1
    elif wrong == 1:
        kwargs["set_barrier"] = True
    elif "global_step" in kwargs:
        kwargs["global_step"] = rng.choice((1, "last"))
    else:
        kwargs.clear()
    return _call(step["call"], **kwargs)


# -- v1's core, as Megatron-LM and its forks call it ---------------------------------------------------------------


def _core_steps(rng: Random) -> list[Step]:
    begin = {"train_iterations_warmup": 5, "world_size": 2, "app_tag_run_name": rng.choice((None, "gpt"))}
    steps = [_call("log_metrics", begin)]
    for number in range(rng.randrange(1, 20)):
        how = rng.random()
        if how < 0.5:
            steps.append(_call("log_metrics", _progress(rng, number)))
        elif how < 0.65:
            tags = ("gpt_1.0_8_2_128", "gpt_1.0_16_2_128", ["a", "b"], ["b", "c", "c"], [])
            steps.append(_call("log_app_tag", rng.choice(tags)))
        elif how < 0.75:
            steps.append(_call("store_set", "key", number))
            steps.append(_call(rng.choice(("store_get", "store_pop")), rng.choice(("key", "no"))))
        elif how < 0.8:
            steps.append(_call("log_metrics", rng.choice(({}, None))))
        else:
            steps.append(_call("log_metrics", _anything(rng)))
        if rng.random() < 0.1:
            steps.append(_call("guarded", _progress(rng, number)))
    steps += [_call("finish")] * rng.choices((0, 1, 2), (2, 7, 1))[0]
    if rng.random() < 0.1:
        steps.append(_call("log_metrics", {"late": 1}))
    return steps


def _progress(rng: Random, number: int) -> dict[str, Any]:
    return {
        "train_iterations_end": number, "train_samples_end": number * 8, "train_iterations": number,
        "train_iterations_time_msecs_avg": rng.random() * 1000, "validation_iterations_time_msecs_avg": None,
        "train_iterations_time_total": number * rng.random(), "train_throughput_per_gpu": rng.choice((0, 123.456)),
        "last_logged_train_iterations_finish_time": round(T0 * 1000) + number,
    }  # fmt: skip


def _anything(rng: Random) -> dict[str, Any]:
    values = (  # W&B itself stores nothing for an empty dict
        None, True, False, 0, -1, 1.5, -0.0, 2**53, 10**18, 1e300, float("nan"), float("inf"), "", "é", "x" * 3000,
        [], [1, 2.5, None], ["a"], {"b": {"c": 1}}, [{"d": 1}],
    )  # fmt: skip
    names = ("loss", "train/loss", "a.b", "with space", "ключ", "_under", "step", "app_finish_time")
    return {name: rng.choice(values) for name in rng.sample(names, rng.randrange(1, 5))}

"""Random configurations: every key that any v1 took, in every form in which somebody passed it."""

from __future__ import annotations

from random import Random
from typing import Any

Config = dict[str, Any]

_TAGS = ("perf-tag", "job_1.0.0_8_2_128", "réseau", "タグ", "a b")
_SIZES = (1, 2, 4, 8, 32, 256)


def utils_config(rng: Random) -> Config:
    """A configuration of ``OneLoggerUtils``, as a recorded job spells it. Some are refused by v1."""
    throughput, saving = rng.random() < 0.35, rng.random() < 0.8
    size = rng.choice(_SIZES)
    config: Config = {
        "enable_for_current_rank": rng.random() > 0.02,
        "one_logger_project": "random",
        "app_tag": _tag(rng),
        "app_tag_run_name": rng.choice(("job", "träining", "a/b", "x" * 200)),
        "world_size": _number(rng, rng.choice((1, 2, 8, 1024))),
        "global_batch_size": _number(rng, size),
        "is_train_iterations_enabled": _flag(rng),
        "is_validation_iterations_enabled": _flag(rng),
        "is_save_checkpoint_enabled": saving,
        "is_log_throughput_enabled": throughput,
    }
    optional: dict[str, Any] = {
        "one_logger_run_name": "run",
        "one_logger_async": rng.random() < 0.5,
        "log_every_n_train_iterations": rng.choice((1, 2, 3, 5, 7, 50, "3", 0)),
        "app_tag_run_version": rng.choice(("0.0.0", "1.0.0", {"$callable": "2.0"})),
        "batch_size": _number(rng, rng.choice((size, 1, 3))),
        "micro_batch_size": rng.choice((None, _number(rng, 2))),
        "train_iterations_target": _number(rng, 100),
        "train_samples_target": rng.choice((None, _number(rng, 6400))),
        "is_baseline_run": _flag(rng),
        "is_test_iterations_enabled": _flag(rng),
        "quiet": rng.random() < 0.2,
        "barrier": {"$callable": None},
        "summary_data_schema_version": "1.0.0",
        "app_run_type": rng.choice(("training", "inference")),
        "app_metrics_feature_tags": "full",
        "app_start_time": rng.choice((1699999000000, 1699999000123.5, {"$callable": 1699999000000})),
        "seq_length": rng.choice((None, _number(rng, 128))),
        "metadata": _metadata(rng),
    }
    config.update({key: value for key, value in optional.items() if rng.random() < 0.6})
    if saving and rng.random() < 0.8:
        config["save_checkpoint_strategy"] = rng.choice(("sync", "async", {"$callable": "async"}, "local"))
    if throughput and rng.random() < 0.97:  # v1 missed it at on_train_start only
        config["flops_per_sample"] = _number(rng, rng.choice((10**9, 8255229077929)))
    _ramp_up(rng, config)
    _spoil(rng, config, throughput, saving)
    return config


def core_config(rng: Random) -> Config:
    """A configuration of v1's core ``OneLogger``: flat, nested as in January 2024, or empty."""
    flat: Config = {"project": "random", "name": rng.choice((None, "run")), "async": rng.random() < 0.5}
    kind = rng.random()
    if kind < 0.1:
        return {}
    if kind < 0.2:
        return {"enable_one_logger": True, "is_baseline_run": False, "wandb": {"project": "random", "name": "run"}}
    for key in ("quiet", "no_exception"):
        if rng.random() < 0.3:
            flat[key] = rng.random() < 0.5
    return flat


def slurm(rng: Random) -> dict[str, str]:
    """The environment of a job step of SLURM, as far as the cluster tells it."""
    start = 1699990000 + rng.randrange(1000)
    told = {
        "SLURM_JOBID": "4711", "SLURM_JOB_ACCOUNT": "acc_ai", "SLURM_JOB_NUM_NODES": "2", "SLURM_CLUSTER_NAME": "c1",
        "SLURM_JOB_START_TIME": str(start), "SLURM_JOB_END_TIME": str(start + rng.choice((60, 14400, 604800))),
        "SLURM_JOB_NODELIST": "node[01-02]", "SLURM_JOB_USER": "u", "SLURM_JOB_NAME": rng.choice(("train", "träin")),
        "SLURM_JOB_PARTITION": "batch", "SLURM_JOB_RESERVATION": "", "SLURM_ARRAY_JOB_ID": "4700",
        "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_ID": "0", "SLURM_STEP_ID": "0", "SLURM_STEPID": "1",
        "SLURM_STEP_NODELIST": "node01",
    }  # fmt: skip
    return {name: value for name, value in told.items() if rng.random() < 0.8}


def _number(rng: Random, value: int) -> Any:
    return rng.choices((value, str(value), {"$callable": value}), (8, 1, 1))[0]


def _flag(rng: Random) -> Any:
    value = rng.random() < 0.5
    return rng.choices((value, {"$callable": value}), (8, 1))[0]


def _tag(rng: Random) -> Any:
    one, two = rng.sample(_TAGS, 2)
    grows = {"$sequence": [one, one, two, [two, "third"], one]}
    return rng.choices((one, [one, two], [], {"$callable": one}, grows), (6, 2, 0.3, 1, 2))[0]


def _metadata(rng: Random) -> Any:
    values = (True, 3, 0.0003, None, "text", ["a", "b"], {"deep": {"er": 1}}, 2**53, "", float("inf"))
    metadata = {f"k{number}": rng.choice(values) for number in range(rng.randrange(4))}
    return rng.choices((metadata, {"$callable": metadata}), (8, 1))[0]


def _ramp_up(rng: Random, config: Config) -> None:
    """A batch size that grows is read once by the constructor and once by each iteration."""
    if rng.random() < 0.1:
        config["batch_size"] = 8  # whether v1 read the other one in its place, and when, is not known
        config["global_batch_size"] = {"$sequence": [8, 8, 8, 16, 16, 32]}


def _spoil(rng: Random, config: Config, throughput: bool, saving: bool) -> None:
    """Now and then what v1 refused, or took as if it were not there."""
    if rng.random() < 0.02:
        config["unheard_of"] = 1
    if rng.random() < 0.02:
        del config[rng.choice(("app_tag", "world_size", "is_train_iterations_enabled"))]
    if rng.random() < 0.02:
        config["metadata"] = {"world_size": 1}
    for key, on in (("flops_per_sample", throughput), ("save_checkpoint_strategy", saving)):
        if not on and rng.random() < 0.05:
            config[key] = rng.choice((None, 1))

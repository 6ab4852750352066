"""A small transformers job, run by the tests in a process of its own: ``python huggingface_job.py '<settings>'``.

Writes ``facts.json``: what transformers itself says about the job. ``settings``: see ``DEFAULTS``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

DEFAULTS: dict[str, Any] = {
    "hooked": True,
    "user_adds": False,  # the callback, by the user's hand as well
    "steps": 40,
    "batch": 2,
    "accumulate": 2,
    "processes": 1,
    "validate_every": 20,
    "save_every": 10,
    "two_datasets": False,
    "resume": None,
    "event": None,  # [global_step, "raise" | "sigint" | "stop"]
    "enabled": "rank0",  # or "no"
    "config": {},
}

settings: dict[str, Any] = {**DEFAULTS, **json.loads(sys.argv[1])}

import torch  # noqa: E402
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments  # noqa: E402

from one_logger_v1_shim.utils.huggingface import TimeEventCallback, hook_trainer_cls  # noqa: E402

RANK = int(os.environ.get("RANK", "0"))
torch.set_num_threads(1)


class UserError(Exception):
    """The job's own."""


class Tokens(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, count: int) -> None:
        self.rows = torch.randint(0, 31, (count, 8), generator=torch.Generator().manual_seed(count))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int) -> dict[str, Any]:
        return {"input_ids": self.rows[at], "labels": self.rows[at]}


class Count(TrainerCallback):  # type: ignore[misc]
    """What transformers itself tells a callback."""

    def __init__(self) -> None:
        self.steps = self.substeps = self.evaluations = self.prediction_steps = 0
        self.saves: list[int] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps += 1
        if settings["event"] and state.global_step == settings["event"][0]:
            happen(settings["event"][1], control)

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.substeps += 1

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.evaluations += 1

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.prediction_steps += 1

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.saves.append(state.global_step)


def happen(what: str, control: Any) -> None:
    if what == "raise":
        raise UserError("out of luck")
    if what == "sigint":
        os.kill(os.getpid(), signal.SIGINT)
    elif what == "stop":
        control.should_training_stop = True


def callback_config() -> dict[str, Any]:
    everyone = settings["batch"] * settings["accumulate"] * settings["processes"]
    return {
        "enable_for_current_rank": RANK == 0 and settings["enabled"] != "no",
        "one_logger_project": "tests",
        "one_logger_async": True,
        "log_every_n_train_iterations": 5,
        "app_tag": "tag",
        "app_tag_run_name": "job",
        "app_tag_run_version": "1.0.0",
        "world_size": os.environ.get("WORLD_SIZE", -1),  # a string or -1, as VILA passes it
        "global_batch_size": str(everyone),
        "batch_size": str(everyone),
        "train_iterations_target": settings["steps"],
        "train_samples_target": settings["steps"] * everyone,
        "is_train_iterations_enabled": True,
        "is_validation_iterations_enabled": True,
        "save_checkpoint_strategy": "sync",
        **settings["config"],
    }


def main() -> None:
    callback = TimeEventCallback(callback_config())
    callback.on_model_init_start()
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=32, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    )
    callback.on_model_init_end()
    trainer_cls = hook_trainer_cls(Trainer, one_logger_callback_utils=callback) if settings["hooked"] else Trainer
    count = Count()
    evaluation: Any = Tokens(12)
    if settings["two_datasets"]:
        evaluation = {"a": Tokens(12), "b": Tokens(12)}
    trainer = trainer_cls(
        model=model,
        args=TrainingArguments(
            output_dir="out",
            max_steps=settings["steps"],
            per_device_train_batch_size=settings["batch"],
            per_device_eval_batch_size=4,
            gradient_accumulation_steps=settings["accumulate"],
            eval_strategy="steps",
            eval_steps=settings["validate_every"],
            save_steps=settings["save_every"],
            logging_steps=1000,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            ddp_backend="gloo" if settings["processes"] > 1 else None,
        ),
        train_dataset=Tokens(90),
        eval_dataset=evaluation,
        callbacks=[count, *([callback] if settings["user_adds"] else [])],
    )
    if settings["user_adds"]:
        trainer.add_callback(callback)
    error = None
    try:
        trainer.train(resume_from_checkpoint=settings["resume"])
        trainer.predict(Tokens(12))  # no validation
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        if RANK == 0:
            facts = {
                "global_step": trainer.state.global_step,
                "steps": count.steps,
                "substeps": count.substeps,
                "evaluations": count.evaluations,
                "prediction_steps": count.prediction_steps,
                "saves": count.saves,
                "files": sorted(path.name for path in Path("out").glob("checkpoint-*")),
                "error": error,
                "heavy": sorted({"wandb", "nv_one_logger"} & set(sys.modules)),
            }
            Path("facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
    # torch wants it: a process that exits with its group may be aborted by a thread of the group's ("terminate called")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()

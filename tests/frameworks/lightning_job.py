"""A small Lightning job, run by the tests in a process of its own: ``python lightning_job.py '<settings as JSON>'``.

Writes ``facts.json``: what Lightning itself says about the job. ``settings``: see ``DEFAULTS``.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

DEFAULTS: dict[str, Any] = {
    "family": "lightning.pytorch",
    "via": "hook",  # hook: hook_trainer_cls, trainer: OneLoggerPTLTrainer, callback: TimeEventCallback, none: bare
    "user_adds": "",  # the callback, by the user's hand: "before" the trainer is made, "after", "append" or ""
    "steps": 40,
    "batch": 4,
    "devices": 1,
    "validate_every": 20,
    "save_every": 10,
    "asynchronous": False,
    "fail_save": None,  # the global_step whose asynchronous save fails
    "resume": None,  # path of a checkpoint
    "event": None,  # [global_step, "raise" | "sigint" | "stop"]
    "then": [],  # stages after fit: "validate", "test", "fit", "save"
    "first": [],  # stages before fit
    "enabled": "rank0",  # or "no", "yes"
    "config": {},
}

settings: dict[str, Any] = {**DEFAULTS, **json.loads(sys.argv[1])}
pl: Any = importlib.import_module(settings["family"])
torch: Any = importlib.import_module("torch")

from one_logger_v1_shim.utils import pytorch_lightning as shim  # noqa: E402

RANK = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))
torch.set_num_threads(1)


class UserError(Exception):
    """The job's own."""


class Net(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)
        self.samples = 0
        self.batches = 0
        self.validation_batches = 0
        self.dumped: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.samples += len(batch)
        self.batches += 1
        if settings["event"] and self.trainer.global_step == settings["event"][0]:
            happen(settings["event"][1], self.trainer)
        return self.layer(batch).pow(2).mean()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validation_batches += 1
        self.log("val_loss", self.layer(batch).pow(2).mean(), sync_dist=settings["devices"] > 1)

    test_step = validation_step

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.dumped.append(checkpoint["global_step"])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def happen(what: str, trainer: Any) -> None:
    if what == "raise":
        raise UserError("out of luck")
    if what == "sigint":
        os.kill(os.getpid(), signal.SIGINT)
    elif what == "stop":
        trainer.should_stop = True


def loader(count: int) -> Any:
    return torch.utils.data.DataLoader(torch.randn(count, 8), batch_size=settings["batch"])


def callback_config() -> dict[str, Any]:
    everyone = settings["batch"] * settings["devices"]
    return {
        "enable_for_current_rank": {"rank0": RANK == 0, "yes": True, "no": False}[settings["enabled"]],
        "one_logger_project": "tests",
        "one_logger_run_name": "lightning",
        "one_logger_async": True,
        "log_every_n_train_iterations": 5,
        "app_tag": "tag",
        "app_tag_run_name": "job",
        "app_tag_run_version": "0.0.0",
        "world_size": settings["devices"],
        "global_batch_size": everyone,
        "batch_size": everyone,
        "train_iterations_target": settings["steps"],
        "train_samples_target": settings["steps"] * everyone,
        "is_train_iterations_enabled": True,
        "is_validation_iterations_enabled": True,
        "save_checkpoint_strategy": "async" if settings["asynchronous"] else "sync",
        **settings["config"],
    }


def failing_io() -> Any:
    class Failing(pl.plugins.io.TorchCheckpointIO):  # type: ignore[misc,name-defined]
        def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
            if checkpoint["global_step"] == settings["fail_save"]:
                raise OSError("no space left")
            super().save_checkpoint(checkpoint, path, storage_options)

    return Failing()


def make_trainer() -> Any:
    checkpoints = pl.callbacks.ModelCheckpoint(
        dirpath="checkpoints",
        filename="{step}",
        save_top_k=-1,
        every_n_train_steps=settings["save_every"],
    )
    arguments: dict[str, Any] = {
        "max_steps": settings["steps"],
        "val_check_interval": settings["validate_every"],
        "check_val_every_n_epoch": None,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 3,
        "accelerator": "cpu",
        "devices": settings["devices"],
        "strategy": "ddp" if settings["devices"] > 1 else "auto",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "callbacks": [checkpoints],
        "plugins": [failing_io()] if settings["fail_save"] else None,
    }
    if settings["via"] == "trainer":
        return shim.OneLoggerPTLTrainer(trainer_config=arguments, callback_config=callback_config())
    if settings["via"] == "none":
        return pl.Trainer(**arguments)
    if settings["via"] == "callback":
        callback = shim.TimeEventCallback(callback_config())
        arguments["callbacks"].append(callback)
        return pl.Trainer(**arguments)
    hooked, callback = shim.hook_trainer_cls(pl.Trainer, callback_config=callback_config())
    assert issubclass(hooked, pl.Trainer)
    if settings["asynchronous"]:
        arguments["plugins"] = [shim.AugmentedAsyncCheckpointIO()]
    if settings["user_adds"] == "before":  # Boltz: before the trainer is made
        arguments["callbacks"].append(callback)
    trainer = hooked(**arguments)
    if settings["user_adds"] == "after":  # CodonFM: overwrites the list
        trainer.callbacks = [checkpoints, callback]
    elif settings["user_adds"] == "append":
        trainer.callbacks.append(callback)
    return trainer


def main() -> None:
    torch.manual_seed(0)
    trainer = make_trainer()
    net = Net()
    error = None
    try:
        for stage in [*settings["first"], "fit", *settings["then"]]:
            if stage == "fit":
                trainer.fit(net, loader(256), loader(32), ckpt_path=settings["resume"])
            elif stage == "save":
                trainer.save_checkpoint("last.ckpt")
            else:
                getattr(trainer, stage)(net, loader(32), verbose=False)
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        if RANK == 0:
            facts = {
                "global_step": trainer.global_step,
                "batches": net.batches,
                "samples": net.samples * settings["devices"],
                "validation_batches": net.validation_batches,
                "dumped": net.dumped,
                "files": sorted(path.name for path in Path("checkpoints").glob("*.ckpt")),
                "error": error,
                "heavy": sorted({"wandb", "nv_one_logger"} & set(sys.modules)),
                "other_family": [one for one in shim.installed() if one in sys.modules and one != settings["family"]],
            }
            Path("facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
    # torch wants it: a process that exits with its group may be aborted by a thread of the group's ("terminate called")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()

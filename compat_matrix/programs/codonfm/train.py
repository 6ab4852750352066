"""A small model, trained and then trained on, in the order of CodonFM's tasks."""

import os
import sys
import tempfile

import lightning.pytorch as pl
import torch
from one_logger_utils.pytorch_lightning import hook_trainer_cls

BATCH = 4


class CodonModel(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch).pow(2).mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer(batch).pow(2).mean())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.01)


def get_callback_config(name, steps):
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    return {
        "one_logger_async": True,
        "one_logger_project": "codonfm",
        "one_logger_run_name": name,
        "log_every_n_train_iterations": 10,
        "app_tag_run_version": "1.0.0",
        "summary_data_schema_version": "1.0.0",
        "app_run_type": "training",
        "app_tag": f"codonfm_{BATCH * world_size}_{world_size}",
        "app_tag_run_name": name,
        "world_size": world_size,
        "global_batch_size": BATCH * world_size,
        "batch_size": BATCH * world_size,
        "micro_batch_size": BATCH,
        "seq_length": 8,
        "train_iterations_target": steps,
        "train_samples_target": steps * BATCH * world_size,
        "is_train_iterations_enabled": True,
        "is_baseline_run": False,
        "is_test_iterations_enabled": False,
        "is_validation_iterations_enabled": True,
        "is_save_checkpoint_enabled": True,
        "is_log_throughput_enabled": False,
        "save_checkpoint_strategy": "sync",
    }


def run(folder, steps, resume):
    pl.seed_everything(0)
    config = get_callback_config("codonfm-tiny", steps)
    config["enable_for_current_rank"] = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
    trainer_cls, one_logger_callback = hook_trainer_cls(pl.Trainer, callback_config=config)

    one_logger_callback.on_model_init_start()
    model = CodonModel()
    one_logger_callback.on_model_init_end()
    checkpoint = os.path.join(folder, "last.ckpt") if resume else None
    if checkpoint:
        one_logger_callback.on_load_checkpoint_start()
        assert torch.load(checkpoint, weights_only=False)["global_step"] > 0
        one_logger_callback.on_load_checkpoint_end()

    trainer = trainer_cls(
        accelerator="cpu",
        devices=1,
        max_steps=steps,
        val_check_interval=20,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    saver = pl.callbacks.ModelCheckpoint(dirpath=folder, filename="last", every_n_train_steps=20, save_top_k=1)
    trainer.callbacks = [saver, pl.callbacks.EarlyStopping("val_loss", patience=100), one_logger_callback]

    data = torch.randn(256, 8, generator=torch.Generator().manual_seed(0))
    trainer.fit(
        model,
        torch.utils.data.DataLoader(data, batch_size=BATCH),
        torch.utils.data.DataLoader(data[:8], batch_size=BATCH),
        ckpt_path=checkpoint,
    )
    assert trainer.global_step == steps


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    run(folder, 40, resume=False)
    run(folder, 60, resume=True)

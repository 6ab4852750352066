"""A small regression in the order of boltz-cp's train()."""

import tempfile

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

STEPS = 40


class Boltz(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch).pow(2).mean()

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.layer(batch).pow(2).mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def train():
    pl.seed_everything(0)
    output = tempfile.mkdtemp()
    wandb_config = {"name": "boltz", "group": None, "save_dir": output, "project": "boltz", "entity": "team"}
    batch_size = 4

    trainer_cls, callbacks = pl.Trainer, [ModelCheckpoint(dirpath=output, every_n_train_steps=20)]
    try:
        from one_logger_utils.pytorch_lightning import hook_trainer_cls

        callback_config = {"global_batch_size": batch_size, **wandb_config, "log_model": False}
        trainer_cls, one_logger_callback = hook_trainer_cls(pl.Trainer, callback_config=callback_config)
        callbacks.append(one_logger_callback)
    except ImportError:
        print("one_logger_utils is not installed")

    trainer = trainer_cls(
        default_root_dir=output,
        accelerator="cpu",
        devices=1,
        max_steps=STEPS,
        val_check_interval=20,
        check_val_every_n_epoch=None,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = torch.randn(STEPS * batch_size, 8)
    trainer.fit(
        Boltz(),
        train_dataloaders=torch.utils.data.DataLoader(data, batch_size=batch_size),
        val_dataloaders=torch.utils.data.DataLoader(data[:8], batch_size=batch_size),
    )
    assert trainer.global_step == STEPS


if __name__ == "__main__":
    train()

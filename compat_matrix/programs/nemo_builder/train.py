"""A small model with the methods that NeMo's ModelPT has, in a trainer made as NeMo's builder makes it."""

import os
import tempfile

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from one_logger_utils.nemo import get_hooked_model, hook_model_cls
from one_logger_utils.pytorch_lightning import OneLoggerPTLTrainer

STEPS = 40
BATCH = 4


class ModelPT(pl.LightningModule):
    def __init__(self, cfg, trainer=None):
        super().__init__()
        self.cfg = cfg
        self.layer = torch.nn.Linear(8, 1)
        self.setup_training_data(cfg["train_ds"])

    @classmethod
    def restore_from_pretrained_models(cls, cfg, trainer=None):
        model = cls(cfg, trainer)
        model.maybe_init_from_pretrained_checkpoint(cfg)
        return model

    def setup_training_data(self, train_data_config):
        data = torch.randn(train_data_config["samples"], 8, generator=torch.Generator().manual_seed(0))
        self._train_dl = torch.utils.data.DataLoader(data, batch_size=BATCH)

    def maybe_init_from_pretrained_checkpoint(self, cfg, map_location="cpu"):
        torch.nn.init.ones_(self.layer.weight)

    def train_dataloader(self):
        return self._train_dl

    def val_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(8, 8), batch_size=BATCH)

    def training_step(self, batch, batch_idx):
        return self.layer(batch).pow(2).mean()

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer(batch).pow(2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


class MegatronTrainerBuilder:
    def __init__(self, cfg):
        self.cfg = cfg

    def _callback_config(self):
        world_size = os.environ.get("WORLD_SIZE", "1")
        return {
            "enable_for_current_rank": os.environ.get("RANK", "0") == "0",
            "one_logger_async": True,
            "one_logger_project": "nemo-llm",
            "one_logger_run_name": "megatron-tiny",
            "log_every_n_train_iterations": 10,
            "app_tag_run_version": "0.0.0",
            "summary_data_schema_version": "1.0.0",
            "app_run_type": "training",
            "app_tag": f"megatron-tiny_0.0.0_{BATCH}_{world_size}",
            "app_tag_run_name": "megatron-tiny",
            "world_size": world_size,
            "global_batch_size": BATCH,
            "batch_size": BATCH,
            "micro_batch_size": BATCH,
            "seq_length": 1,
            "train_iterations_target": STEPS,
            "train_samples_target": STEPS * BATCH,
            "is_train_iterations_enabled": True,
            "is_baseline_run": False,
            "is_test_iterations_enabled": False,
            "is_validation_iterations_enabled": True,
            "is_save_checkpoint_enabled": True,
            "is_log_throughput_enabled": False,
            "save_checkpoint_strategy": "async",
        }

    def create_trainer(self, callbacks=None, inference=False):
        strategy = pl.strategies.SingleDeviceStrategy(device="cpu")
        plugins = [LightningEnvironment()]
        return OneLoggerPTLTrainer(
            trainer_config=dict(plugins=plugins, strategy=strategy, **self.cfg["trainer"], callbacks=callbacks),
            callback_config={} if inference else self._callback_config(),
        )


def main():
    pl.seed_everything(0)
    cfg = {
        "trainer": {
            "accelerator": "cpu",
            "max_steps": STEPS,
            "val_check_interval": 20,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
        },
        "model": {"train_ds": {"samples": 256}},
    }
    saver = pl.callbacks.ModelCheckpoint(dirpath=tempfile.mkdtemp(), every_n_train_steps=20, save_top_k=-1)
    trainer = MegatronTrainerBuilder(cfg).create_trainer(callbacks=[saver])

    imported_cls = hook_model_cls(ModelPT, trainer)
    trainer.time_event_callback.logtimeevent.on_model_init_start()
    model = imported_cls.restore_from_pretrained_models(cfg["model"], trainer=trainer)
    trainer.time_event_callback.logtimeevent.on_model_init_end()
    trainer.fit(model)
    assert trainer.global_step == STEPS

    inference = MegatronTrainerBuilder(cfg).create_trainer(inference=True)
    model = get_hooked_model(model_class=ModelPT, cfg=cfg["model"], trainer=inference)
    inference.time_event_callback.logtimeevent.on_load_checkpoint_start()
    inference.validate(model, verbose=False)


if __name__ == "__main__":
    main()

"""NVIDIA/NeMo, Edresson/NeMo, NVIDIA-BioNeMo/boltz-cp, CodonFM."""

class TimeEventCallback:
    def __init__(self, callback_config):
        """stevehuang52/NeMo workspace/one_logger_utils_nemo.py: `TimeEventCallback(callback_config)`"""

class OneLoggerPTLTrainer:
    def __init__(self, trainer_config, callback_config):
        """
        NVIDIA/NeMo 356e4e01e2 nemo/collections/nlp/parts/megatron_trainer_builder.py:
            `OneLoggerPTLTrainer(trainer_config=dict(plugins=plugins, **cfg), callback_config=callback_config)`
        Edresson/NeMo examples/tts/audio_codec.py:
            `OneLoggerPTLTrainer(trainer_config=cfg.trainer, callback_config=callback_config)`
        """

class AugmentedAsyncCheckpointIO:
    def __init__(self, checkpoint_io=None):
        """stevehuang52/NeMo workspace/one_logger_utils_nemo.py: `AugmentedAsyncCheckpointIO()`"""

def hook_trainer_cls(cls, callback_config):
    """
    NVIDIA-BioNeMo/boltz-cp src/boltz/distributed/train.py:
        `hook_trainer_cls(pl.Trainer, callback_config=one_logger_config)`
    CodonFM src/tasks.py: `hook_trainer_cls(Trainer, callback_config=config)`
    """

"""NVlabs/VILA, NVIDIA/audio-flamingo, NVlabs/Eagle. No implementation is public: the call sites are all we have."""

class TimeEventCallback:
    def __init__(self, callback_config):
        """NVlabs/VILA llava/train/train.py: `TimeEventCallback(one_logger_callback_config)`"""
    def on_model_init_start(self):
        """NVlabs/VILA llava/train/train.py: `cb.on_model_init_start()`"""
    def on_model_init_end(self):
        """NVlabs/Eagle Eagle2_5/eaglevl/train/eagle_2_5_vl_finetune.py: `cb.on_model_init_end()`"""
    def on_save_checkpoint_start(self, set_barrier=False, **kwargs):
        """NVlabs/VILA llava/train/train.py: `cb.on_save_checkpoint_start(global_step=10)`"""
    def on_save_checkpoint_success(self, set_barrier=False, **kwargs):
        """NVlabs/VILA llava/train/train.py: `cb.on_save_checkpoint_success(global_step=10)`"""
    def on_save_checkpoint_end(self, set_barrier=False, **kwargs):
        """NVlabs/VILA llava/train/train.py: `cb.on_save_checkpoint_end(global_step=10)`"""
    def on_app_end(self):
        """NVlabs/VILA llava/train/train.py: `cb.on_app_end()`"""

def hook_trainer_cls(trainer_cls, one_logger_callback_utils):
    """NVlabs/VILA llava/train/train.py: `hook_trainer_cls(LLaVATrainer, one_logger_callback_utils=cb)`"""

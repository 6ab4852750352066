"""Edresson/NeMo examples/tts/audio_codec.py, NVIDIA/NeMo examples/multimodal/speech_llm."""

def get_hooked_model(model_class, cfg, trainer):
    """
    Edresson/NeMo examples/tts/audio_codec.py:
        `get_hooked_model(model_class=AudioCodecModel, cfg=cfg, trainer=trainer)`
    """

def hook_model_cls(model_cls, trainer):
    """
    NVIDIA/NeMo examples/multimodal/speech_llm/modular_audio_gpt_train.py:
        `hook_model_cls(imported_cls, trainer)`
    """

class OneLoggerNemoModel:
    """
    stevehuang52/NeMo workspace/speech_pretrain_denoise2.py:
        `OneLoggerNemoModel(model_class=cls, cfg=cfg, trainer=trainer)`
    """

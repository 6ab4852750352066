"""NVIDIA/NeMo c118621412, renamed to pytorch_lightning nine days later."""

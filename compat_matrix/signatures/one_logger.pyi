"""NVIDIA/Megatron-LM megatron/training/global_vars.py, since July 2024."""

"""NVlabs/LongLive trainer/distillation.py, tmfs10/verl, NVlabs/Sana."""

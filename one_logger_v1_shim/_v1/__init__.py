"""What did v1 send? The arithmetic of OneLogger v1: no W&B, no v2, no clock of its own."""

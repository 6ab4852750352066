"""What v1 sent: the arithmetic of OneLogger v1: no W&B, no v2, no clock of its own. Runs in the job's process."""

"""What if a release of v2 or wandb renames a private name that we use? Each is renamed alone, in a copy."""

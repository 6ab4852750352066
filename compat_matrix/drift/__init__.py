"""``python -m compat_matrix drift``: what is lost if a release of v2 or wandb renames a private name that we touch."""

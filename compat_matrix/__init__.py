"""The proof that legacy code runs: every recorded job and every program, on every Python and wandb we claim."""

"""What the shim costs a job, beside what v2 and wandb cost it. Figures, not verdicts."""

"""Writes one of the files beside it: ``python write.py`` with the wandb of that version."""

import wandb

run = wandb.init(
    project="p",
    name="n",
    tags=["t"],
    config={"a": {"b": 1}},
    mode="offline",  # 0.18 does not ask WANDB_MODE when it is given settings
    settings=wandb.Settings(_disable_stats=True),
)
run.log({"x": 1, "y": None, "z": [1, 2], "d": {"k": 1.5}, "b": True, "s": "é", "f": 1700000000123.4567})
run.log({"x": float("nan"), "big": 2.0**70, "neg": -3, "long": "a" * 33000})
run.finish()

"""What the hooks cost a framework job: pairs of 40-step CPU runs, with and without them.

    python compat_matrix/bench/frameworks.py [--pairs N] [--framework lightning|huggingface] [--steps N]

Each round has a bare run, a second bare one (its ratio to the first is the noise), one with the hooks and W&B disabled
(the callbacks, v1's arithmetic and v2), and one with W&B offline (in addition the journal, and on the other cores the
worker and W&B's own process). Prints the median of the ratios to the bare run of the same round, of the time inside
the training loop, and the span of their middle half. W&B's start-up, once per job, is not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from compat_matrix.bench.lanes import CONFIG as _CONFIG

CONFIG: dict[str, Any] = {
    **_CONFIG, "log_every_n_train_iterations": 5, "global_batch_size": 32, "batch_size": 32,
}  # fmt: skip

BARE = "bare"
#: kinds of runs, and W&B's mode in them (None: no hooks)
KINDS = {"bare again": None, "hooks alone": "disabled", "hooks and W&B offline": "offline"}

#: seconds before the training loop, whatever the kind: a core that has just slept is slower for a while
_PAUSE = 2.0

Seconds = tuple[float, float]  # of the wall clock, of the training thread's CPU
Job = Callable[[bool], Seconds]


def lightning_job(steps: int) -> Job:
    import lightning.pytorch as pl
    import torch

    from one_logger_v1_shim.utils.pytorch_lightning import hook_trainer_cls

    class Net(pl.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            wide = (layer for _ in range(4) for layer in (torch.nn.Linear(1024, 1024), torch.nn.ReLU()))
            self.net = torch.nn.Sequential(*wide, torch.nn.Linear(1024, 1))

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.net(batch).pow(2).mean()

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.net(batch).pow(2).mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    data = torch.randn(32 * steps, 1024)

    def run(hooked: bool) -> Seconds:
        cls: Any = pl.Trainer
        if hooked:
            cls, _ = hook_trainer_cls(pl.Trainer, callback_config=CONFIG)
            _await_run()
        time.sleep(_PAUSE)
        with tempfile.TemporaryDirectory() as folder:
            trainer = cls(
                max_steps=steps,
                val_check_interval=steps // 2,
                check_val_every_n_epoch=None,
                num_sanity_val_steps=0,
                limit_val_batches=3,
                accelerator="cpu",
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                callbacks=[
                    Stopwatch(),
                    pl.callbacks.ModelCheckpoint(dirpath=folder, every_n_train_steps=steps // 2, save_top_k=-1),
                ],
            )
            loader = torch.utils.data.DataLoader(data, batch_size=32)
            trainer.fit(Net(), loader, loader)
            return next(one.seconds for one in trainer.callbacks if isinstance(one, Stopwatch))

    class Stopwatch(pl.Callback):  # type: ignore[misc]
        def on_train_start(self, *args: Any) -> None:
            self.began = _now()

        def on_train_end(self, *args: Any) -> None:
            self.seconds = _since(self.began)

    return run


def huggingface_job(steps: int) -> Job:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

    from one_logger_v1_shim.utils.huggingface import TimeEventCallback, hook_trainer_cls

    rows = torch.randint(0, 31, (32 * steps, 16))
    data = [{"input_ids": row, "labels": row} for row in rows]

    class Stopwatch(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            self.began = _now()

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            self.seconds = _since(self.began)

    def run(hooked: bool) -> Seconds:
        watch = Stopwatch()
        cls: Any = Trainer
        callback = None
        if hooked:
            callback = TimeEventCallback(CONFIG)
            cls = hook_trainer_cls(Trainer, one_logger_callback_utils=callback)
            _await_run()
        time.sleep(_PAUSE)
        config = GPT2Config(
            vocab_size=32, n_positions=16, n_embd=128, n_layer=4, n_head=2, bos_token_id=0, eos_token_id=0
        )
        with tempfile.TemporaryDirectory() as folder:
            trainer = cls(
                model=GPT2LMHeadModel(config),
                args=TrainingArguments(
                    output_dir=folder,
                    max_steps=steps,
                    per_device_train_batch_size=32,
                    eval_strategy="steps",
                    eval_steps=steps // 2,
                    save_steps=steps // 2,
                    logging_steps=steps,
                    report_to=[],
                    disable_tqdm=True,
                    use_cpu=True,
                ),
                train_dataset=data,
                eval_dataset=data[:32],
                callbacks=[watch],
            )
            trainer.train()
        if callback is not None:
            callback._close()
        return watch.seconds

    return run


def _await_run() -> None:
    """Wait until W&B has opened the run: that takes a second or two of the other core, once per job."""
    if os.environ["WANDB_MODE"] == "disabled":
        return
    until, before = time.monotonic() + 60, _files()
    while time.monotonic() < until and _files() == before:
        time.sleep(0.1)


def _files() -> int:
    return sum(1 for _ in Path(os.environ["WANDB_DIR"]).rglob("*.wandb"))


def measure(job: Job, rounds: int) -> dict[str, list[tuple[Seconds, Seconds]]]:
    """Pairs of times, of each kind of run and of the bare run of the same round; the order changes each time."""
    found: dict[str, list[tuple[Seconds, Seconds]]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        kinds = [BARE, *KINDS]
        times = {}
        for kind in kinds[number % len(kinds) :] + kinds[: number % len(kinds)]:
            os.environ["WANDB_MODE"] = KINDS.get(kind) or "disabled"
            times[kind] = job(KINDS.get(kind) is not None)
        for kind in KINDS:
            found[kind].append((times[kind], times[BARE]))
    return found


def told(name: str, both: list[tuple[Seconds, Seconds]]) -> str:
    """The wall clock, then the CPU of the training thread, which other programs on the machine disturb less."""
    wall, cpu = ([(second[clock], bare[clock]) for second, bare in both] for clock in (0, 1))
    return "\n".join((_ratio(f"{name}, wall", wall), _ratio(f"{name}, CPU", cpu)))


def _now() -> Seconds:
    return time.perf_counter(), time.thread_time()


def _since(began: Seconds) -> Seconds:
    wall, cpu = _now()
    return wall - began[0], cpu - began[1]


def _ratio(name: str, pairs: list[tuple[float, float]]) -> str:
    low, middle, high = statistics.quantiles([second / bare for second, bare in pairs], n=4)
    more = statistics.median(second - bare for second, bare in pairs) * 1000
    bare_ms = statistics.median(bare for _, bare in pairs) * 1000
    return (
        f"{name}: {middle:.3f} (middle half {low:.3f} to {high:.3f}; {len(pairs)} pairs; "
        f"{more:+.1f} ms on {bare_ms:.0f} ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--framework", choices=["lightning", "huggingface"], action="append")
    options = parser.parse_args()
    os.environ["WANDB_SILENT"] = "true"
    # Before torch is imported: threads that wait for each other are most of the noise.
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WANDB_DIR"] = folder
        for framework in options.framework or ["lightning", "huggingface"]:
            make = {"lightning": lightning_job, "huggingface": huggingface_job}[framework]
            job = make(options.steps)
            for name in ("lightning.pytorch", "transformers", "one_logger_v1_shim"):
                logging.getLogger(name).setLevel(logging.ERROR)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                measure(job, 1)  # imports, caches
                measured = measure(job, options.pairs)
            for kind, pairs in measured.items():
                print(told(f"{framework}, {options.steps} steps, {kind} / {BARE}", pairs), flush=True)


if __name__ == "__main__":
    main()

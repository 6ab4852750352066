"""A small language model, fine-tuned as Eagle 2.5 is."""

import os
import sys
import tempfile

import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # eaglevl/train, as torchrun puts it there
from one_logger import get_one_logger_callback, get_one_logger_trainer

STEPS = 40


class Tokens(torch.utils.data.Dataset):
    def __init__(self, count):
        self.rows = torch.randint(0, 31, (count, 8), generator=torch.Generator().manual_seed(count))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return {"input_ids": self.rows[at], "labels": self.rows[at]}


def main():
    transformers.set_seed(0)
    use_onelogger = os.environ.get("USE_ONELOGGER", "1") == "1"
    training_args = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=STEPS,
        per_device_train_batch_size=4,
        save_steps=20,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    callback = get_one_logger_callback(use_onelogger, training_args, STEPS)
    callback.on_model_init_start()
    config = GPT2Config(vocab_size=32, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config)
    callback.on_model_init_end()
    trainer_cls = get_one_logger_trainer(Trainer, callback) if use_onelogger else Trainer
    trainer = trainer_cls(model=model, args=training_args, train_dataset=Tokens(160))
    trainer.train()
    trainer.save_state()


if __name__ == "__main__":
    main()

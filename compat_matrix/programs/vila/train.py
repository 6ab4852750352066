"""A small language model, fine-tuned as VILA fine-tunes its large one."""

import os
import tempfile

import torch
import transformers
from one_logger_utils.huggingface import TimeEventCallback, hook_trainer_cls
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

STEPS = 40


def one_logger_callback_config(args):
    world_size = os.environ.get("WORLD_SIZE", -1)
    batch_size = str(args.per_device_train_batch_size * args.gradient_accumulation_steps)
    return {
        "enable_for_current_rank": os.environ.get("RANK", "0") == "0",
        "one_logger_async": True,
        "one_logger_project": os.getenv("ONE_LOGGER_PROJECT", "vila"),
        "log_every_n_train_iterations": 10,
        "app_tag_run_version": "0.0.0",
        "summary_data_schema_version": "1.0.0",
        "app_run_type": "training",
        "app_tag": f"vila_{batch_size}_{world_size}",
        "app_tag_run_name": "vila-tiny",
        "world_size": world_size,
        "global_batch_size": batch_size,
        "batch_size": batch_size,
        "micro_batch_size": str(args.per_device_train_batch_size),
        "seq_length": 8,
        "train_iterations_target": STEPS,
        "train_samples_target": STEPS * int(batch_size),
        "is_train_iterations_enabled": True,
        "is_baseline_run": False,
        "is_test_iterations_enabled": False,
        "is_validation_iterations_enabled": True,
        "is_save_checkpoint_enabled": True,
        "is_log_throughput_enabled": False,
        "save_checkpoint_strategy": "sync",
    }


class Tokens(torch.utils.data.Dataset):
    def __init__(self, count):
        self.rows = torch.randint(0, 31, (count, 8), generator=torch.Generator().manual_seed(count))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return {"input_ids": self.rows[at], "labels": self.rows[at]}


class LLaVATrainer(Trainer):
    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def train():
    transformers.set_seed(0)
    training_args = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=STEPS,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        eval_strategy="steps",
        eval_steps=20,
        save_steps=20,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    time_event_callback = TimeEventCallback(one_logger_callback_config(training_args))

    time_event_callback.on_model_init_start()
    config = GPT2Config(vocab_size=32, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config)
    time_event_callback.on_model_init_end()

    trainer_cls = hook_trainer_cls(LLaVATrainer, one_logger_callback_utils=time_event_callback)
    trainer = trainer_cls(model=model, args=training_args, train_dataset=Tokens(90), eval_dataset=Tokens(8))
    trainer.train()

    # the LoRA weights are saved by hand
    global_step = trainer.state.global_step
    time_event_callback.on_save_checkpoint_start(global_step=global_step)
    torch.save(model.state_dict(), os.path.join(training_args.output_dir, "non_lora_trainables.bin"))
    time_event_callback.on_save_checkpoint_success(global_step=global_step)
    time_event_callback.on_save_checkpoint_end(global_step=global_step)

    time_event_callback.on_app_end()


if __name__ == "__main__":
    train()

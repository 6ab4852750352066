"""Pretraining with the configuration of a default.yaml."""

import time

from one_logger.core import OneLogger

DEFAULT_YAML = {
    "enable_one_logger": True,
    "wandb": {
        "host": "https://api.wandb.ai",
        "api_key": "${oc.env:WANDB_API_KEY}",
        "entity": "hwinf_dcm",
        "project": "e2e-tracking",
        "name": "first-try",
        "tags": ["e2e_metrics_enabled", "e2e_metrics_testing"],
    },
}


def main():
    configured = OneLogger(DEFAULT_YAML)
    configured.log_metrics({"train_iterations_warmup": 5})
    configured.log_metrics({"train_iterations_start": 0, "train_samples_start": 0})
    for iteration in range(1, 4):
        time.sleep(1 / 256)
        configured.log_app_tag("None_32_1")
        configured.log_metrics({"train_iterations_end": iteration, "train_samples_end": 32 * iteration})
    configured.finish()

    plain = OneLogger()
    plain.log_metrics({"train_iterations_end": 3, "finished": True})
    plain.log_app_tag("None_32_1")
    plain.log_metrics({})
    plain.finish()


if __name__ == "__main__":
    main()

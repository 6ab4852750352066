"""Submits a scenario of tests and reports each submission."""

from one_logger.core import OneLogger


class TelemetryLogger:
    def __init__(self, enabled, project):
        self.one_logger = OneLogger(
            {
                "enable_one_logger": enabled,
                "is_baseline_run": False,
                "wandb": {
                    "host": "https://api.wandb.ai",
                    "entity": "cloudai-team",
                    "project": project,
                    "name": "cloudai_submit",
                    "save_dir": ".",
                },
            }
        )

    def submit_scenario(self, name, runs):
        self.one_logger.log_metrics(
            {"test_scenario_name": name, "test_runs": len(runs), "event_name": "submit_scenario"}
        )
        for run in runs:
            self.submit_test(**run)

    def submit_test(self, name, nodes):
        self.one_logger.log_metrics({"test_name": name, "num_nodes": nodes, "event_name": "submit_test"})


def main():
    telemetry = TelemetryLogger(True, "cloudai")
    telemetry.submit_scenario(
        "nccl nightly",
        [
            {"name": "nccl_all_reduce", "nodes": 2},
            {"name": "nccl_all_gather: 8 GPUs", "nodes": 16},
            {"name": "sleep 💤", "nodes": None},
        ],
    )
    telemetry.one_logger.log_metrics({"nested": {"cluster": {"gpus": 8}}, "nodes": [1, 2, 3], "ratio": 0.1})


if __name__ == "__main__":
    main()

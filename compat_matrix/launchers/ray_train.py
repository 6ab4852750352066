"""Ray Train: two workers, of which the first is the enabled rank; an actor of Ray's beside them."""

import os

import ray
from ray import train

from compat_matrix.launchers.job import work

# Each of Ray Train's two APIs refuses the other's RunConfig.
if hasattr(train, "UserCallback"):
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
else:
    from ray.train.data_parallel_trainer import DataParallelTrainer


def train_loop():
    if train.get_context().get_world_rank() == 0:
        work("run 0")
    train.report({"loss": 1.0})


@ray.remote
class Actor:
    def train(self):
        work("run 1")


ray.init(num_cpus=3, include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=os.environ["RAY_FOLDER"])
DataParallelTrainer(
    train_loop,
    scaling_config=train.ScalingConfig(num_workers=2),
    run_config=train.RunConfig(storage_path=os.path.abspath("results")),
).fit()
actor = Actor.remote()
ray.get(actor.train.remote())
ray.kill(actor)

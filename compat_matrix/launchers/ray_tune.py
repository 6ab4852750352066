"""Ray Tune: two trials, each in a process of Ray's, in a working directory of its own."""

import os

import ray
from ray import train, tune

from compat_matrix.launchers.job import work


def trainable(config):
    work(f"run {config['number']}")
    getattr(tune, "report", train.report)({"loss": 1.0})


ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=os.environ["RAY_FOLDER"])
tune.Tuner(
    trainable,
    param_space={"number": tune.grid_search([0, 1])},
    run_config=getattr(tune, "RunConfig", train.RunConfig)(storage_path=os.path.abspath("results"), verbose=0),
).fit()

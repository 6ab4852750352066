"""The way of the journal to W&B. What runs in the worker's process, and the only room that imports wandb.

The worker may run on another interpreter than the job, in an environment of its own. It is started as the file
:mod:`.start`; :mod:`.main` follows the journal.
"""

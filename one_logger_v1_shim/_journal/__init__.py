"""What the job's process and the worker's process share: the journal's format, calls as data, how a worker is started.

Both processes import this room, on two interpreters that may be different ones: it needs the standard library alone.
A journal is a folder beside the W&B run:

- ``run.json`` (:class:`~.records.RunRecord`): what the run is and where it goes. It never holds a key.
- ``rows-000001.jsonl`` and so on (:mod:`.calls`): the rows, v1's calls, and the end, in the order of the job.
- ``mark.json`` (:class:`~.records.Mark`): how far W&B has taken it. The worker writes it.
- ``played``: how many of the calls v2 has heard. The worker writes it.
- ``sent`` (:class:`~.records.Sent`): how far an OpenTelemetry collector has taken it. The worker writes it.
- ``worker.log``: what the worker, wandb and v2 have printed.
"""

"""Jobs that nobody wrote: what v1 sends for them, what we send, and whether it is the same.

``configurations`` and ``sequences`` make a job from a seed and a number; the oracle (``oracle/record_jobs.py``) says
what v1 sends for it; ``trial`` runs it through the real worker and W&B offline (``inside/many.py``: each in its
own process) and compares; ``shrink`` makes a job that differs small; ``command`` is ``python -m compat_matrix random``.
"""

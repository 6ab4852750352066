"""What OpenTelemetry hears of a run: spans from v1's calls, metrics from v1's rows.

Who has calls and rows (the worker, from the journal; an exporter of v2's, in the job's process) gives them to
:class:`.trace.Trace` and :class:`.meter.Meter`, and what these make to :class:`.sender.Sender`. OpenTelemetry itself is
imported in :mod:`.sender` only. Each module says in which process it runs.
"""

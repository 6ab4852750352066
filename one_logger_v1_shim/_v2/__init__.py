"""How v2 hears v1's calls, and what it tells our exporter. The only room that knows v2's names.

It runs where v2 does: in the worker's process, or in the job's process if the application uses v2 there.
"""

"""The application that uwsgi runs: a request is a job. ``NUMBER`` in the environment names its run."""

import os

from compat_matrix.launchers.job import work


def application(environ, start_response):
    work(f"run {os.environ['NUMBER']}")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]

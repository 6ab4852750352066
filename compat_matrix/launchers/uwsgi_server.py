"""uwsgi, which embeds Python: without and with threads; a request logs, then SIGINT ends the server."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

LIMIT = 120.0  # seconds until it answers


def answer(port):
    limit = time.monotonic() + LIMIT
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=LIMIT) as found:
                return found.read()
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.2)


command = [str(Path(sys.executable).with_name("uwsgi")), "--venv", sys.prefix, "--need-app"]
for number, options in enumerate(([], ["--enable-threads", "--threads", "2"])):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = ["--http-socket", f"127.0.0.1:{port}", "--wsgi-file", str(Path(__file__).with_name("uwsgi_app.py"))]
    server = subprocess.Popen([*command, *where, *options], env={**os.environ, "NUMBER": str(number)})
    try:
        assert answer(port) == b"done"
        server.send_signal(signal.SIGINT)
        server.wait(LIMIT)
    finally:
        server.kill()

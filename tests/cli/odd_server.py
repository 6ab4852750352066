"""What answers at ``WANDB_BASE_URL`` and is no W&B server, or one with something in front of it."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.delivery.server import Server

_REDIRECTS = ("301", "302", "307", "308")
_PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"


class OddServer(Server):
    """As :class:`Server`; further modes: ``html``, ``empty``, ``204``, ``301`` ... ``308``, ``list``, ``text``.

    Redirects lead to :attr:`elsewhere`, or below this server's own ``/there``; ``prefix`` stands before all paths.
    """

    def __init__(self, mode: str = "ok", prefix: str = "") -> None:
        self.prefix = prefix
        self.elsewhere = "http://127.0.0.1:9"
        super().__init__(mode)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self.prefix and request.path.startswith(self.prefix):
            request.path = request.path[len(self.prefix) :] or "/"
        elif self.prefix:
            self._say(request, 404, b"")
            return
        if request.path.startswith("/there/"):
            request.path = request.path[6:]
            super().answer(request)
        elif self.mode == "html":
            self._say(request, 200, _PAGE)
        elif self.mode in ("empty", "list", "text"):
            self._say(request, 200, {"empty": b"", "list": b"[]", "text": b"OK"}[self.mode], "application/json")
        elif self.mode == "204":
            self._say(request, 204, b"")
        elif self.mode in _REDIRECTS:
            self._say(request, int(self.mode), b"", Location=self.elsewhere + request.path)
        elif self.mode.startswith("moved:"):
            self._say(request, int(self.mode[6:]), b"", Location=f"{self.url}/there{request.path}")
        else:
            super().answer(request)

    def _say(self, request: Any, status: int, content: bytes, kind: str = "text/html", **headers: str) -> None:
        request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append(f"{request.command} {request.path}")
        self.authorized.add(request.headers.get("Authorization", ""))
        request.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

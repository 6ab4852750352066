"""A W&B server as far as wandb's own process needs one, on loopback, that can misbehave when told to."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

KEY = "5ec7e7" + "0123456789abcdef" * 2 + "99"  # 40 characters, as W&B wants them


class Server:
    """Behaves as :attr:`mode` says, and that may change while a job runs.

    ``ok``; ``hang``: no answer; ``drop``: the connection is closed; a number: that HTTP status. ``init:<mode>`` and
    ``rows:<mode>`` are ``ok`` but for the request that makes the run, and for those that bring rows.
    ``entity:<name>`` refuses to make runs of that entity. It can also be asked as an HTTP proxy.
    ``certificate``: a file with a certificate and its key; then it speaks HTTPS.
    """

    def __init__(self, mode: str = "ok", certificate: Optional[Path] = None) -> None:
        self.mode = mode
        #: step -> row, as they came in
        self.rows: dict[int, dict[str, Any]] = {}
        self.requests: list[str] = []
        #: run id -> step -> row
        self.runs: dict[str, dict[int, dict[str, Any]]] = {}
        #: what the requests that made runs said
        self.made: list[dict[str, Any]] = []
        #: a header and the value that every request must have
        self.wants: Optional[tuple[str, str]] = None
        #: how an entity is refused: an HTTP status, or ``errors``: 200 and GraphQL's errors
        self.refusal = "403"
        self.authorized: set[str] = set()
        #: what an agent of a sweep is told at its first question
        self.commands: list[dict[str, Any]] = []
        self._released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                server.answer(self)

            do_POST = do_PUT = do_GET

        class Http(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                pass

        self._http = Http(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # the handshake comes with the first read, in the request's own thread
            self._http.socket = context.wrap_socket(self._http.socket, True, do_handshake_on_connect=False)
        #: where it listens
        self.port = self._http.server_port
        self.url = f"http{'s' * (certificate is not None)}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def environment(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ENTITY": "team"}

    def stop(self) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append(f"{request.command} {request.path}")
        request.path = urlsplit(request.path).path  # a proxy is asked for the whole address
        self.authorized.add(request.headers.get("Authorization", ""))
        mode = self._mode(request.path, body)
        if mode == "hang":
            self._released.wait(120)
            mode = "drop"
        if mode == "drop":
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        status = int(mode) if mode.isdigit() else 200
        if self.wants is not None and request.headers.get(self.wants[0]) != self.wants[1]:
            status = 403
        content: Any = {"error": "told to fail"}
        if mode == "errors":
            status, content = (
                200,
                {"data": None, "errors": [{"message": "permission denied", "path": ["upsertBucket"]}]},
            )
        elif status == 200:
            content = (
                self._graphql(json.loads(body)) if request.path == "/graphql" else self._stream(request.path, body)
            )
        data = json.dumps(content).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _mode(self, path: str, body: bytes) -> str:
        where, colon, what = self.mode.partition(":")
        if not colon:
            return self.mode
        if where == "init":
            return what if b"upsertBucket" in body else "ok"
        if where == "entity":
            asked = (json.loads(body).get("variables") or {}).get("entity") if b"upsertBucket" in body else None
            return self.refusal if asked == what else "ok"
        return what if path != "/graphql" else "ok"

    def _stream(self, path: str, body: bytes) -> dict[str, Any]:
        try:
            files = json.loads(body).get("files") or {}
        except ValueError:
            files = {}
        for line in (files.get("wandb-history.jsonl") or {}).get("content", []):
            row = json.loads(line)
            step = row.get("_step", len(self.rows))  # wandb 0.20 has none in shared mode
            self.rows[step] = row
            self.runs.setdefault(path.split("/")[-2], {})[step] = row
        return {"exitcode": None, "limits": {}}

    def _graphql(self, asked: dict[str, Any]) -> dict[str, Any]:
        query, variables = asked.get("query", ""), asked.get("variables") or {}
        if "upsertBucket" in query:
            entity, project = variables.get("entity") or "team", variables.get("project") or "p"
            name = variables.get("name") or "run"
            self.made.append(variables)
            bucket = {
                "id": "UnVuOjE=", "name": name, "displayName": variables.get("displayName") or name, "config": "{}",
                "description": "", "sweepName": None, "historyLineCount": 0,
                "project": {"id": "p1", "name": project, "entity": {"id": "e1", "name": entity}},
            }  # fmt: skip
            return {"data": {"upsertBucket": {"bucket": bucket, "inserted": not self.rows}}}
        if "bucket(" in query or "RunResumeStatus" in query:
            return {"data": {"model": {"id": "p1", "name": "p", "entity": {"id": "e1", "name": "team"},
                                       "bucket": self._bucket(variables)}}}  # fmt: skip
        if "createAgent(" in query:
            return {"data": {"createAgent": {"agent": {"id": "QWdlbnQ6MQ=="}}}}
        if "agentHeartbeat(" in query:
            commands, self.commands = self.commands, []
            return {"data": {"agentHeartbeat": {"agent": {"id": "QWdlbnQ6MQ=="}, "commands": json.dumps(commands)}}}
        if "createRunFiles" in query:
            return {"data": {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": []}}}
        if "viewer" in query or "serverInfo" in query:
            viewer = {"id": "v1", "entity": "team", "username": "user", "flags": "{}", "teams": {"edges": []}}
            return {"data": {"viewer": viewer, "serverInfo": {"cliVersionInfo": {"max_cli_version": "9.9"}}}}
        return {"data": {"__type": None, "__schema": None}}

    def _bucket(self, variables: dict[str, Any]) -> Optional[dict[str, Any]]:
        if not self.rows:
            return None
        last = json.dumps(self.rows[max(self.rows)])
        return {"id": "UnVuOjE=", "name": variables.get("name"), "summaryMetrics": last, "displayName": "job",
                "logLineCount": 0, "historyLineCount": len(self.rows), "eventsLineCount": 0,
                "historyTail": json.dumps([last]), "eventsTail": "[]", "config": "{}", "tags": [],
                "wandbConfig": json.dumps({"t": 1})}  # fmt: skip


def closed_port() -> str:
    """The address of a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"

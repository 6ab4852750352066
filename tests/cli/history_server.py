"""A W&B server with the histories of runs, as far as ``wandb.Api`` asks for them, on loopback."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Optional

from tests.delivery.server import Server


@dataclass
class Stored:
    """A run on the server. ``rows``: those without ``_step`` get the next one."""

    id: str
    rows: Sequence[dict[str, Any]]
    state: str = "finished"
    name: str = "llama-7b"
    tags: list[str] = field(default_factory=lambda: ["e2e_metrics_enabled"])
    config: dict[str, Any] = field(default_factory=dict)
    created: str = "2023-11-14T22:13:20Z"

    def history(self) -> list[dict[str, Any]]:
        return [{"_step": step, "_runtime": 1.5, **row} for step, row in enumerate(self.rows)]

    def node(self) -> dict[str, Any]:
        summary: dict[str, Any] = {}
        for row in self.history():
            summary.update(row)
        return {
            "id": f"id-{self.id}", "internalId": "7", "projectId": "7", "name": self.id, "displayName": self.name,
            "sweepName": None, "state": self.state, "group": None, "jobType": None, "commit": None, "readOnly": False,
            "config": json.dumps({key: {"value": value} for key, value in self.config.items()}), "notes": None,
            "createdAt": self.created, "heartbeatAt": self.created, "description": None, "systemMetrics": "{}",
            "summaryMetrics": json.dumps(summary), "historyLineCount": len(self.rows), "tags": self.tags,
            "user": {"name": "user", "username": "user"}, "historyKeys": self.keys(),
        }  # fmt: skip

    def keys(self) -> dict[str, Any]:
        return {"lastStep": len(self.rows) - 1, "keys": {}, "sets": []}


class HistoryServer(Server):
    """Has :attr:`stored`, by entity and project. ``pages:N``: after N pages no further one comes;
    ``gone:N``: then nothing is answered at all; ``run:ID``: the history of that run fails."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[tuple[str, str], list[Stored]] = {}
        #: run id -> its history as a file, which newer releases of wandb read where the server has one
        self.parquet: dict[str, bytes] = {}
        #: where those files lie; None: here
        self.files: Optional[HistoryServer] = None
        #: run id and first step of each page that was asked for
        self.pages: list[tuple[str, int]] = []
        self.queries: list[str] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        data = self.parquet.get(request.path[1:])
        if request.command != "GET" or data is None:
            super().answer(request)
            return
        self.requests.append(f"GET {request.path}")
        self.authorized.add(request.headers.get("Authorization", ""))
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _mode(self, path: str, body: bytes) -> str:
        where, _, what = self.mode.partition(":")
        if where == "pages":
            return "drop" if b"maxStep" in body and len(self.pages) >= int(what) else "ok"
        if where == "gone":
            return "hang" if len(self.pages) >= int(what) else "ok"
        if where == "run":
            return "500" if b"maxStep" in body and what.encode() in body else "ok"
        return super()._mode(path, body)

    def _graphql(self, asked: dict[str, Any]) -> dict[str, Any]:
        query, told = asked.get("query", ""), asked.get("variables") or {}
        self.queries.append(query)
        runs = self.stored.get((told.get("entity"), told.get("project")))  # type: ignore[arg-type]
        if "ProbeRunInput" in query:  # wandb 0.20 asks what the server knows
            return {"data": {"RunType": {"fields": [{"name": "projectId"}]}}}
        if "runs(" in query:
            return {"data": {"project": None if runs is None else self._listed(runs, told)}}
        if "project(" not in query:
            return super()._graphql(asked)
        name = told.get("name") or told.get("run") or told.get("runName")
        run = next((one for one in runs or [] if one.id == name), None)
        if run is None:
            return {"data": {"project": None if runs is None else {"internalId": "7", "run": None}}}
        store = self.files or self
        urls = [f"{store.url}/{run.id}"] if run.id in store.parquet else []
        answer: dict[str, Any] = {**run.node(), "parquetHistory": {"parquetUrls": urls, "liveData": []}}
        if "history(" in query:
            answer["history"] = self._page(run, told)
        return {"data": {"project": {"internalId": "7", "id": "7", "run": answer}}}

    def _listed(self, runs: list[Stored], told: dict[str, Any]) -> dict[str, Any]:
        first, size = int(told.get("cursor") or 0), int(told.get("perPage") or 50)
        some = runs[first : first + size]
        edges = [{"node": run.node(), "cursor": str(first + index)} for index, run in enumerate(some, 1)]
        more = {"endCursor": str(first + len(some)), "hasNextPage": first + len(some) < len(runs)}
        return {"internalId": "7", "runCount": len(runs), "readOnly": False,
                "runs": {"edges": edges, "pageInfo": more}}  # fmt: skip

    def _page(self, run: Stored, told: dict[str, Any]) -> list[str]:
        least, most, size = int(told["minStep"]), int(told["maxStep"]), int(told["pageSize"])
        self.pages.append((run.id, least))
        return [json.dumps(row) for row in run.history() if least <= row["_step"] < most][:size]


def project(server: HistoryServer, runs: Sequence[Stored], name: str = "pretraining") -> Optional[str]:
    """Put ``runs`` there; returns what a command is to be asked for."""
    server.stored["team", name] = list(runs)
    return f"team/{name}"

"""Server and key before ``wandb.init``: what keeps a run offline, and what does not. The server is one of loopback."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

import pytest

from one_logger_v1_shim._journal import server as module
from one_logger_v1_shim._journal.destination import RunSpec
from one_logger_v1_shim._journal.server import Found, credentials, malformed, unreachable, why_offline

KEY = "a" * 40
NOTHING = RunSpec(chosen={}, default={})
GRAPHQL = b'{"data": {}}'


class Server(ThreadingHTTPServer):
    """Answers each question with ``code`` and ``body``; keeps what was asked."""

    code = 200
    body = GRAPHQL
    wait = 0.0

    def handle_error(self, *_: Any) -> None:
        """Who asked has gone, which nobody is to read in another test's output."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Optional[str], Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Authorization"], json.loads(data)))
        time.sleep(self.server.wait)
        self.send_response(self.server.code)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("HOME", str(tmp_path))
    one = Server()
    thread = threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()


def found(url: str, key: Optional[str] = KEY, mode: str = "online", direct: bool = True, **more: Any) -> Found:
    return Found(mode, url, key, direct, **more)


@pytest.mark.parametrize(
    ("code", "body", "certain", "doubt"),
    [
        (200, GRAPHQL, None, None), (200, b'{"errors": []}', None, None), (400, GRAPHQL, None, None),
        (200, b"<html>", None, "does not answer as W&B does (HTTP 200)"),
        (200, b"[]", None, "does not answer as W&B does (HTTP 200)"),
        (200, b'{"other": 1}', None, "does not answer as W&B does (HTTP 200)"),
        (429, b"slow", None, "does not answer as W&B does (HTTP 429)"),
        (302, b"", None, "does not answer as W&B does (HTTP 302)"),
        (401, b"", "refuses the API key (HTTP 401)", ""), (403, b"", "refuses the API key (HTTP 403)", ""),
        (404, b"", "is no W&B server or is out of order (HTTP 404)", ""),
        (500, b"", "is no W&B server or is out of order (HTTP 500)", ""),
        (499, b"", None, "does not answer as W&B does (HTTP 499)"),
    ],
)  # fmt: skip
def test_answers(code: int, body: bytes, certain: Optional[str], doubt: Optional[str], server: Server) -> None:
    server.code, server.body = code, body
    why = unreachable(server.url, KEY, 5.0)
    assert why == (certain and f"{server.url} {certain}")
    why = unreachable(server.url, KEY, 5.0, doubts=True)
    expected = doubt or certain
    assert why == (expected and f"{server.url} {expected}")
    path, key, question = server.asked[0]
    assert (path, key) == ("/graphql", "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode())
    assert "viewer" in question["query"]
    assert len(server.asked) == 2  # nothing is followed


def test_without_a_key_a_refusal_says_nothing(server: Server) -> None:
    server.code = 401
    assert unreachable(server.url, None, 5.0) is None
    assert server.asked[0][1] is None


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{one.getsockname()[1]}"
    assert unreachable(url, KEY, 5.0) == f"{url} cannot be reached (Connection refused)"


def test_a_server_that_is_silent(server: Server) -> None:
    server.wait = 2.0
    began = time.monotonic()
    why = unreachable(server.url, KEY, 0.2)
    assert time.monotonic() - began < 1.8
    assert why == f"{server.url} cannot be reached (no answer in 0.2 s)"


def test_another_address_of_a_name_that_answers(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address is dead: wandb tries them all."""
    asked: list[Any] = []

    def addresses(*given: Any, **more: Any) -> list[Any]:
        asked.append(given)
        stream = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        every = ("192.0.2.1", "127.0.0.2", "127.0.0.1", "127.0.0.1")
        return [(*stream, (host, given[1])) for host in (every if len(asked) == 1 else given[:1])]

    open_ones: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    module._dial_others(server.url, 5.0, open_ones)
    limit = time.monotonic() + 5
    while not open_ones and time.monotonic() < limit:
        time.sleep(0.01)
    assert open_ones == ["127.0.0.1"]
    assert asked[0] == ("127.0.0.1", server.server_port)
    module._dial_others("https://h", 5.0, []), module._dial_others("http://h", 5.0, [])
    assert [one for one in asked if one[0] == "h"] == [("h", 443), ("h", 80)]
    monkeypatch.setattr(module, "_ask", lambda *_: "http://h cannot be reached (x)")
    monkeypatch.setattr(module, "_dial_others", lambda base, limit, dialled: dialled.append("1.2.3.4"))
    assert unreachable("http://h", None, 1.0) is None
    monkeypatch.setattr(module, "_ask", lambda *_: "refuses")
    assert unreachable("http://h", None, 1.0) == "refuses"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (None, None), ("", None), (KEY, None), (f"local-{KEY}", None), ("a.b.c", None),
        ("a" * 39, "the API key has 39 characters, wandb expects 40 or more"),
        (f"local-{'a' * 39}", "the API key has 39 characters, wandb expects 40 or more"),
        (f'"{KEY}"', "the API key has a character that wandb does not take (a quote, a blank)"),
    ],
)  # fmt: skip
def test_keys(key: Optional[str], why: Optional[str]) -> None:
    assert malformed(key) == why
    assert why is None or module.is_about_key(why)
    assert not module.is_about_key("no API key")


def test_who_has_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    url = "https://user@own:8080/"
    assert credentials(None, {}, url) == (None, False)
    assert credentials("a", {"WANDB_API_KEY": "b"}, url) == ("a", True)
    assert credentials(None, {"WANDB_API_KEY": "b"}, url) == ("b", True)
    assert credentials(None, {"WANDB_IDENTITY_TOKEN_FILE": "f"}, url) == (None, True)
    for number, path in enumerate((tmp_path / "_netrc", tmp_path / ".netrc", tmp_path / "named")):
        environ = {"NETRC": str(path)} if path.name == "named" else {}
        path.write_text(f"machine other login user password no\nmachine own:8080 login user password k{number}\n")
        path.chmod(0o600)
        assert credentials(None, environ, url) == (f"k{number}", True)
    assert credentials(None, {}, url, complete=True) == (None, False)
    (tmp_path / ".netrc").write_text("machine own login user password by-name\n")
    assert credentials(None, {}, url) == ("by-name", True)
    (tmp_path / ".netrc").write_text("machine own login user password\n")  # broken: wandb may find what we do not
    (tmp_path / "_netrc").unlink()
    assert credentials(None, {}, url) == (None, True)
    (tmp_path / ".netrc").write_text("machine api.forge.coreweave.com login user password cloud\n")
    assert credentials(None, {}, "https://api.wandb.ai")[0] == "cloud"
    assert credentials(None, {}, url) == (None, True)


def test_why_a_run_is_offline(server: Server, tmp_path: Path) -> None:
    url = server.url
    assert why_offline(NOTHING, found(url), {}) is None
    assert len(server.asked) == 1
    assert why_offline(NOTHING, found(url, mode="offline"), {"WANDB_MODE": "dryrun"}) == "WANDB_MODE=offline"
    name = "ONE_LOGGER_V1_INIT_TIMEOUT"
    assert why_offline(NOTHING, found(url), {name: "0"}) == f"{name}=0"
    refused = why_offline(NOTHING, found(url, refused="no key"), {})
    assert refused == "the API key is refused by wandb (no key)"
    assert why_offline(NOTHING, found(url, key=None, complete=True), {}) == "no API key"
    assert why_offline(NOTHING, found(url, key="short"), {}) == "the API key has 5 characters, wandb expects 40 or more"
    own = RunSpec(chosen={"api_key": "x", "host": "http://127.0.0.1:1/"}, default={})
    assert why_offline(own, found(url), {}) == "the API key has 1 characters, wandb expects 40 or more"
    assert module.address(own, found(url)) == "http://127.0.0.1:1"
    assert module.address(NOTHING, found(f"{url}/")) == url
    assert len(server.asked) == 1
    server.code = 401
    assert why_offline(NOTHING, found(url), {}) == f"{url} refuses the API key (HTTP 401)"
    assert why_offline(NOTHING, module.unasked(found(url)), {}) is None
    assert module.why_incomplete(NOTHING, found(url), {}) == f"{url} refuses the API key (HTTP 401)"
    assert module.why_incomplete(NOTHING, found(url, direct=False), {}) is None


def test_a_token_instead_of_a_key(server: Server, tmp_path: Path) -> None:
    token = tmp_path / "token"
    environ = {"WANDB_IDENTITY_TOKEN_FILE": str(token)}

    def why() -> Optional[str]:
        return why_offline(NOTHING, found(server.url, key=None), environ)

    assert str(why()).endswith("names a file that cannot be read (No such file or directory)")
    token.write_text(" \n")
    assert why() == "WANDB_IDENTITY_TOKEN_FILE names an empty file"
    assert module.is_about_key(str(why()))
    token.write_text("token")
    assert why() is None
    assert server.asked[0][1] is None


def test_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl
    import urllib.error

    def raises(error: BaseException) -> Any:
        def opened(*_: Any, **__: Any) -> None:
            raise urllib.error.URLError(error)  # type: ignore[arg-type]

        monkeypatch.setattr(urllib.request.OpenerDirector, "open", opened)
        return unreachable("https://h", KEY, 1.0), unreachable("https://h", KEY, 1.0, doubts=True)

    monkeypatch.setattr(module, "_dial_others", lambda *_: None)
    untrusted = ssl.SSLCertVerificationError(1, "bad")
    assert raises(untrusted) == (None, "the certificate of https://h is not trusted here")
    monkeypatch.setenv("WANDB_INSECURE_DISABLE_SSL", "True")
    assert raises(untrusted) == (None, None)
    other = ssl.SSLError(1, "wrong")
    other.reason = "WRONG_VERSION_NUMBER"
    assert raises(other) == (None, "https://h does not answer as W&B does (WRONG_VERSION_NUMBER)")
    assert raises(TimeoutError()) == ("https://h cannot be reached (no answer in 1 s)",) * 2
    assert raises(ValueError("x")) == ("https://h cannot be reached (ValueError)",) * 2

"""A server that speaks HTTPS, and a proxy with a password before it."""

from __future__ import annotations

import base64
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from one_logger_v1_shim._worker.opening import _MAY_NOT
from tests.delivery import jobs
from tests.delivery.server import Server
from tests.support import clean_environment

pytestmark = [
    pytest.mark.ci,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the certificate"),
]

ROWS = list(range(5))
JOB = """
one = one_logger()
log(one, 5)
one.finish()
print("done")
"""
NAME = "wandb.invalid"  # only a proxy knows where that is: none is asked for 127.0.0.1
USER, PASSWORD = "jane", "pass-word-of-jane"


def certificate(folder: Path) -> Path:
    """A certificate of nobody's for our server, with its key, in one file."""
    folder.mkdir(parents=True)
    path = folder / "server.pem"
    names = f"subjectAltName=IP:127.0.0.1,DNS:{NAME}"
    use = "keyUsage=digitalSignature,keyCertSign"
    command = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext {names} -addext {use} -keyout -"
    )
    key = subprocess.run([*command.split(), "-out", str(path)], check=True, capture_output=True).stdout
    with path.open("ab") as file:
        file.write(key)
    return path


class Proxy:
    """An HTTP proxy that makes tunnels (CONNECT), all to ``port``, for who knows the password."""

    def __init__(self, port: int) -> None:
        #: the tunnels that were asked for: where to, and whether the password was right
        self.asked: list[tuple[str, bool]] = []
        right = b"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode())
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                where = self.rfile.readline().split()[1].decode()
                headers = [line.strip() for line in iter(self.rfile.readline, b"\r\n")]
                known = any(one.lower().startswith(b"proxy-authorization:") and one.endswith(right) for one in headers)
                proxy.asked.append((where, known))
                if not known:
                    self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                    return
                with socket.create_connection(("127.0.0.1", port)) as there:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=_pass_on, args=(there, self.connection), daemon=True)
                    back.start()
                    _pass_on(self.connection, there)
                    back.join()

        class Tcp(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                pass

        self._tcp = Tcp(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._tcp.server_address[1]}"
        threading.Thread(target=self._tcp.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._tcp.shutdown()
        self._tcp.server_close()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


Environment = dict[str, Optional[str]]
#: a job's result, its server, and the proxy before that, if there is one
Outcome = tuple[jobs.Result, Server, Optional[Proxy]]


def with_server(home: Path, trusted: bool = True, more: Optional[Callable[[Server], Environment]] = None) -> Outcome:
    file = certificate(home)
    server = Server(certificate=file)
    try:
        # wandb's process hears the first one; the second one is known to Python's requests alone
        trust = {"SSL_CERT_FILE" if trusted else "REQUESTS_CA_BUNDLE": str(file)}
        wanted: Environment = {"WANDB_MODE": None, **server.environment(), **trust}
        return jobs.run(JOB, home, {**wanted, **(more(server) if more is not None else {})}), server, None
    finally:
        server.stop()


def with_proxy(home: Path, where: str, password: str = PASSWORD) -> Outcome:
    """``where`` the proxy's address stands: a variable, or a file."""
    proxies = []

    def more(server: Server) -> Environment:
        proxies.append(Proxy(server.port))
        address = f"http://{USER}:{password}@{proxies[0].address}"
        if where == "a file":
            file = home / ".config" / "wandb" / "settings"
            file.parent.mkdir(parents=True)
            file.write_text(f"[default]\nhttps_proxy = {address}\n")
        named: Environment = {} if where == "a file" else {where: address}
        return {"WANDB_BASE_URL": f"https://{NAME}", **named}

    try:
        result, server, _ = with_server(home, more=more)
        return result, server, proxies[0]
    finally:
        for proxy in proxies:
            proxy.stop()


SCENARIOS: dict[str, Callable[[Path], Outcome]] = {
    "trusted": with_server,
    "untrusted": lambda home: with_server(home, trusted=False),
    "HTTPS_PROXY": lambda home: with_proxy(home, "HTTPS_PROXY"),
    "WANDB_HTTPS_PROXY": lambda home: with_proxy(home, "WANDB_HTTPS_PROXY"),
    "https_proxy in a settings file": lambda home: with_proxy(home, "a file"),
    "wrong password": lambda home: with_proxy(home, "HTTPS_PROXY", f"wrong-{PASSWORD}"),
}
#: what the one line says of those that get no row
WHY = {
    "untrusted": ("certificate signed by unknown authority",),
    "wrong password": ("Proxy Authentication Required", "timed out"),  # wandb 0.20 says no more
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_all_rows(name: str, outcome: Callable[[str], Outcome]) -> None:
    result, server, proxy = outcome(name)
    assert (result.code, result.out) == (0, "done\n"), result.err
    assert result.values() == ROWS
    assert jobs.mark(result.home)["state"] == "finished"
    sent = [server.rows[step]["i"] for step in sorted(server.rows)]
    if name in WHY:
        (line,) = result.lines
        assert "W&B run is offline (" in line
        assert any(why in line for why in WHY[name])
        assert "may this API key" not in line
        assert sent == []
    else:
        assert (result.lines, sent) == ([], ROWS)
    if proxy is not None:
        asked = {known for where, known in proxy.asked if where == f"{NAME}:443"}  # wandb 0.20 asks others, too
        assert asked == {name not in WHY}
        assert [path for path in written(result.home) if PASSWORD.encode() in path.read_bytes()] == []
        assert PASSWORD not in result.out + result.err


def written(home: Path) -> Iterator[Path]:
    """All files below ``home`` but the user's settings, with the output."""
    files = [path for path in home.rglob("*") if path.is_file() and path.name != "settings"]
    assert {"job.err", "worker.log", "debug-internal.log", "run.json"} <= {path.name for path in files}
    yield from files


@pytest.mark.parametrize(
    ("said", "of_the_entity"),
    [
        ("proxyconnect tcp: dial tcp: lookup proxy on 10.0.0.1:53: no such host", False),
        ("returned error 403", True),
        ("no such entity", True),
    ],
)
def test_a_name_that_is_not_known_says_nothing_of_the_entity(said: str, of_the_entity: bool) -> None:
    assert bool(_MAY_NOT.search(said)) == of_the_entity


@pytest.mark.parametrize("trusted", [True, False])
def test_doctor_says_what_wandb_will_find(trusted: bool, tmp_path: Path) -> None:
    file = certificate(tmp_path / "certificate")
    server = Server(certificate=file)
    try:
        told = {**server.environment(), **({"SSL_CERT_FILE": str(file)} if trusted else {})}
        done = subprocess.run(
            [sys.executable, "-m", "one_logger_v1_shim", "doctor"], cwd=tmp_path,
            env=clean_environment(tmp_path, told), capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        server.stop()
    assert done.returncode == (0 if trusted else 1), done.stdout
    assert ("is not trusted here" in done.stdout) is not trusted

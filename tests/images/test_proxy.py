"""The proxy's container starts it with the words that the hub gives a proxy of its own."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, free_port

SHOWS = "console.log(JSON.stringify(process.argv.slice(2)));"
CASES = {
    "one address": (
        {
            "DAAS_HOSTING": "paths",
            "DAAS_URL": "http://127.0.0.1:8123/",
            "DAAS_RUN": "/srv/daas/run",
        },
        [
            *("--port", "8123", "--ip", "127.0.0.1", "--api-socket", "/srv/daas/run/proxy.sock"),
            *("--error-target", "http+unix://%2Fsrv%2Fdaas%2Frun%2Fhub%2Fhub.sock/hub/error"),
        ],
    ),
    "hosts of their own, below a path": (
        {"DAAS_URL": "http://0.0.0.0:8000/daas/", "DAAS_RUN": "/run/daas"},
        [
            *("--port", "8000", "--ip", "0.0.0.0", "--api-socket", "/run/daas/proxy.sock"),
            *("--error-target", "http+unix://%2Frun%2Fdaas%2Fhub%2Fhub.sock/daas/hub/error"),
            "--host-routing",
        ],
    ),
    "in a cluster": (
        {
            "DAAS_URL": "http://0.0.0.0:8000/daas/",
            "DAAS_HUB_CONNECT": "http://hub:8081/",
            "DAAS_PROXY_API": "http://0.0.0.0:8001",
            "CONFIGPROXY_AUTH_TOKEN": "of-no-worth",
        },
        [
            *("--port", "8000", "--ip=", "--api-ip=", "--api-port", "8001"),
            *("--error-target", "http://hub:8081/daas/hub/error", "--host-routing"),
        ],
    ),
}


def start(environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    shutil.copy(REPOSITORY / "images" / "proxy" / "start.mjs", folder)
    (folder / "proxy.mjs").write_text(SHOWS)
    node = REPOSITORY / ".node" / "node"
    command = [node, folder / "start.mjs"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("environment", "wanted"), CASES.values(), ids=CASES.keys())
def test_the_proxy_is_started_as_the_hub_would(
    environment: dict[str, str], wanted: list[str], tmp_path: Path
) -> None:
    assert json.loads(start(environment, tmp_path).stdout) == wanted


def test_an_api_in_a_network_has_a_token(tmp_path: Path) -> None:
    environment = dict(CASES["in a cluster"][0])
    del environment["CONFIGPROXY_AUTH_TOKEN"]
    done = start(environment, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "CONFIGPROXY_AUTH_TOKEN must be set" in done.stderr


class Proxy:
    """A proxy that was started a moment ago, on two ports of this machine."""

    def __init__(self) -> None:
        self.port, self.api_port = free_port(), free_port()

    def ask(self, path: str) -> int:
        """Return the status that a browser gets."""
        return self._ask(self.port, "GET", path)

    def give_a_route(self, path: str) -> int:
        """Lead *path* to where nobody listens, as the hub tells it."""
        body = json.dumps({"target": f"http://127.0.0.1:{free_port()}"})
        return self._ask(self.api_port, "POST", f"/api/routes{path}", body)

    def _ask(self, port: int, method: str, path: str, body: str = "") -> int:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, path, body, {"Authorization": "token of-no-worth"})
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    made = Proxy()
    shutil.copy(REPOSITORY / "tools" / "proxy.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to((REPOSITORY / ".node" / "node_modules").resolve())
    ports = (f"--port={made.port}", "--api-ip=127.0.0.1", f"--api-port={made.api_port}")
    running = subprocess.Popen(
        [REPOSITORY / ".node" / "node", tmp_path / "proxy.mjs", "--ip=127.0.0.1", *ports],
        env={"CONFIGPROXY_AUTH_TOKEN": "of-no-worth"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for port in (made.port, made.api_port):
            wait_for(port)
        yield made
    finally:
        running.kill()
        running.wait()


def wait_for(port: int) -> None:
    """Return once somebody listens on *port* of this machine."""
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def test_a_proxy_that_was_started_anew_asks_to_try_again(proxy: Proxy) -> None:
    """Its routes come from the hub; what it does not have yet may be there in a moment."""
    assert proxy.ask("/user/pi/") == 503
    assert proxy.give_a_route("/there/") == 201
    assert proxy.ask("/user/pi/") == 404
    assert proxy.ask("/there/") == 503

"""The proxy's container starts it with the words that the hub gives a proxy of its own."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

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

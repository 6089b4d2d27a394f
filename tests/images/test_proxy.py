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
        ["127.0.0.1", "8123", "/srv/daas/run", "/hub/error"],
    ),
    "hosts of their own, below a path": (
        {"DAAS_URL": "http://0.0.0.0:8000/daas/", "DAAS_RUN": "/run/daas"},
        ["0.0.0.0", "8000", "/run/daas", "/daas/hub/error", "--host-routing"],
    ),
}


@pytest.mark.parametrize(("environment", "wanted"), CASES.values(), ids=CASES.keys())
def test_the_proxy_is_started_as_the_hub_would(
    environment: dict[str, str], wanted: list[str], tmp_path: Path
) -> None:
    shutil.copy(REPOSITORY / "images" / "proxy" / "start.mjs", tmp_path)
    (tmp_path / "proxy.mjs").write_text(SHOWS)
    node = REPOSITORY / ".node" / "node"
    said = subprocess.run(
        [node, tmp_path / "start.mjs"], env=environment, capture_output=True, text=True, check=True
    )
    host, port, run, error, *more = wanted
    hub = "http+unix://" + f"{run}/hub/hub.sock".replace("/", "%2F") + error
    api = ["--api-socket", f"{run}/proxy.sock"]
    assert json.loads(said.stdout) == [
        *("--ip", host, "--port", port, *api, "--error-target", hub, *more)
    ]

"""Where hub, proxy and portal meet: what the environment may say, and what comes of it."""

from pathlib import Path

import pytest
from traitlets.config import Config

import daas_portal
import daas_spawner
from daas_model.hosting import Hosting
from daas_model.meeting import Meeting

ADDRESSES = ("http://:8081", "http://hub:8081", "http://proxy-api:8001", "http://hub:8083")
HOSTING = Hosting.parse("paths", "", "http://127.0.0.1:8000/")


def configured(meeting: Meeting, folder: Path) -> Config:
    c = Config()
    daas_spawner.configure(c, HOSTING, meeting, run_folder=folder, state_folder=folder)
    daas_portal.configure(c, HOSTING, meeting, config_file=folder / "config.py")
    return c


def test_without_a_word_they_meet_at_sockets_that_nobody_else_reaches(tmp_path: Path) -> None:
    c = configured(Meeting.parse("", "", "", ""), tmp_path)
    assert c.JupyterHub.hub_bind_url == c.JupyterHub.hub_connect_url
    assert c.JupyterHub.hub_bind_url.startswith("http+unix://")
    assert c.ConfigurableHTTPProxy.api_url.startswith("http+unix://")
    assert c.JupyterHub.services[0]["url"].startswith("http://127.0.0.1:")
    assert (tmp_path / "hub").stat().st_mode & 0o777 == 0o700


def test_in_a_cluster_they_meet_by_name(tmp_path: Path) -> None:
    c = configured(Meeting.parse(*ADDRESSES), tmp_path)
    found = (
        c.JupyterHub.hub_bind_url,
        c.JupyterHub.hub_connect_url,
        c.ConfigurableHTTPProxy.api_url,
        c.JupyterHub.services[0]["url"],
    )
    assert found == ADDRESSES
    assert "hub_socket_mode" not in c.JupyterHub


@pytest.mark.parametrize(
    ("place", "address", "sentence"),
    [
        pytest.param(0, "", "set all four", id="one is missing"),
        pytest.param(1, "http://:8081", "DAAS_HUB_CONNECT must be", id="a name is missing"),
        pytest.param(1, "http://hub", "DAAS_HUB_CONNECT must be", id="a port is missing"),
        pytest.param(2, "https://proxy:8001", "DAAS_PROXY_API must be", id="no certificates here"),
        pytest.param(3, "http://hub:8083/x", "DAAS_PORTAL_CONNECT must be", id="a path"),
        pytest.param(3, "http://hub:x", "DAAS_PORTAL_CONNECT must be", id="a port of letters"),
        pytest.param(0, "unix:/run/hub", "DAAS_HUB_BIND must be", id="a socket"),
    ],
)
def test_an_address_that_cannot_work_stops_the_start_with_a_sentence(
    place: int, address: str, sentence: str
) -> None:
    addresses = list(ADDRESSES)
    addresses[place] = address
    with pytest.raises(ValueError, match=sentence):
        Meeting.parse(*addresses)

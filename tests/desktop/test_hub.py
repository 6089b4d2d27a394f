"""The hub's API over a unix socket, as a session without network sees it."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RequestHandler

from daas_desktop.door.hub import Hub, HubSettings, HubUnreachableError

ENVIRONMENT = {
    "JUPYTERHUB_API_TOKEN": "t",
    "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-pi-desk",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/pi/desk/",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!user=pi"]',
    "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
}


class Api(RequestHandler):
    def get(self, status: str) -> None:
        self.set_status(int(status))
        self.write({"asked_with": self.request.headers.get("Authorization")})


class Refuses(RequestHandler):
    def post(self) -> None:
        self.set_status(403)

    def delete(self) -> None:
        self.set_status(403)


class Garbage(RequestHandler):
    def get(self, status: str) -> None:
        self.set_status(int(status))
        self.set_header("Location", "/hub/api/200")
        self.finish("<html>A page of somebody else's</html>")


@pytest.fixture
async def hub(directory: Path) -> AsyncIterator[Hub]:
    # Capitals: a path must not go through a host name's rules.
    path = directory / "Hub.sock"
    handlers = [(r"/hub/api/(\d+)", Api), (r"/hub/api/(\d+)/garbage", Garbage)]
    handlers.append((r"/hub/api/invitations", Refuses))
    server = HTTPServer(Application(handlers))
    server.add_socket(bind_unix_socket(str(path)))
    address = f"http+unix://{quote(str(path), safe='')}/hub/api"
    yield Hub(HubSettings.from_environment({**ENVIRONMENT, "JUPYTERHUB_API_URL": address}))
    server.stop()


async def test_the_hub_is_reached_through_its_socket(hub: Hub) -> None:
    answer = await hub.call(f"{hub.settings.api_url}/200", token="secret")
    assert answer == {"asked_with": "token secret"}


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_is_no_answer(hub: Hub, status: int) -> None:
    assert await hub.call(f"{hub.settings.api_url}/{status}") is None


async def test_an_invitation_that_is_not_taken_back_does_not_count_as_done(hub: Hub) -> None:
    """The facility may refuse to invite; what was given must go."""
    assert await hub.call_invitations("POST") is None
    with pytest.raises(HubUnreachableError):
        await hub.call_invitations("DELETE")


@pytest.mark.parametrize("status", [200, 302, 404, 408, 429, 500, 503])
async def test_an_ill_hub_or_a_proxy_in_between_says_nothing_about_the_person(
    hub: Hub, status: int
) -> None:
    with pytest.raises(HubUnreachableError):
        await hub.call(f"{hub.settings.api_url}/{status}/garbage")


async def test_a_missing_hub_says_nothing_about_the_person(directory: Path) -> None:
    address = f"http+unix://{quote(str(directory / 'none'), safe='')}/hub/api"
    settings = HubSettings.from_environment({**ENVIRONMENT, "JUPYTERHUB_API_URL": address})
    with pytest.raises(HubUnreachableError):
        await Hub(settings).call(f"{address}/user")


@pytest.mark.parametrize(
    ("extra", "authorize", "callback"),
    [
        pytest.param({}, "/hub/api/oauth2/authorize", "/user/pi/desk/oauth_callback", id="plain"),
        pytest.param(
            {
                "JUPYTERHUB_BASE_URL": "/jupyter/",
                "JUPYTERHUB_HOST": "https://hub.example",
                "JUPYTERHUB_OAUTH_CALLBACK_URL": "https://pi.hub.example/user/pi/desk/oauth_callback",
            },
            "https://hub.example/jupyter/hub/api/oauth2/authorize",
            "https://pi.hub.example/user/pi/desk/oauth_callback",
            id="sub-domains",
        ),
    ],
)
def test_addresses_come_from_the_spawner(
    extra: dict[str, str], authorize: str, callback: str
) -> None:
    settings = HubSettings.from_environment({**ENVIRONMENT, **extra})
    assert settings.authorize_url == authorize
    assert settings.callback_url == callback


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        HubSettings.from_environment({k: v for k, v in ENVIRONMENT.items() if k != name})

"""The door, with a real hub, a real proxy and a real session behind it."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from daas_desktop.door.hub_login import inside
from tests.desktop.plain_hub import api, cookies_for, signed_in


@pytest.fixture
def browser(hub: Any, desktop: str) -> Iterator[requests.Session]:
    with signed_in(hub, "pi") as session:
        yield session


def test_the_api_answers_without_a_login(desktop: str) -> None:
    for path in ("api", "api/"):
        answer = requests.get(desktop + path, timeout=5)
        assert answer.status_code == 200
        assert answer.json()["version"]


def test_a_page_leads_through_the_hubs_login_and_back(
    desktop: str, browser: requests.Session
) -> None:
    answer = browser.get(desktop, timeout=10)
    assert answer.url == desktop
    assert 'id="screen"' in answer.text
    cookie = next(c for c in browser.cookies if c.path == "/user/pi/desk/")
    assert cookie.name == "jupyterhub-user-pi-desk"
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_the_login_request_proves_who_began_it(desktop: str) -> None:
    answer = requests.get(desktop, allow_redirects=False, timeout=5)
    assert answer.status_code == 302
    address = urlsplit(answer.headers["Location"])
    assert address.path == "/hub/api/oauth2/authorize"
    query = parse_qs(address.query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    (cookie,) = answer.cookies
    assert cookie.path == "/user/pi/desk/"
    assert query["state"][0] not in cookie.name


def test_two_tabs_may_sign_in_at_once(desktop: str, browser: requests.Session) -> None:
    first = browser.get(desktop, allow_redirects=False, timeout=5)
    second = browser.get(desktop, allow_redirects=False, timeout=5)
    for begun in (second, first):
        assert browser.get(begun.next.url, timeout=10).url == desktop


@pytest.mark.parametrize(
    "query",
    ["", "?code=x", "?state=x", "?code=x&state=x"],
    ids=["nothing", "code", "state", "both"],
)
def test_a_login_begun_elsewhere_is_refused(
    desktop: str, browser: requests.Session, query: str
) -> None:
    answer = browser.get(f"{desktop}oauth_callback{query}", timeout=5)
    assert answer.status_code == 403
    assert "begun elsewhere" in answer.text


def test_a_code_works_only_with_the_browser_that_asked_for_it(
    hub: Any, desktop: str, browser: requests.Session
) -> None:
    begun = browser.get(desktop, allow_redirects=False, timeout=5)
    confirmed = browser.get(begun.next.url, allow_redirects=False, timeout=5)
    callback = requests.compat.urljoin(hub.url, confirmed.headers["Location"])
    with signed_in(hub, "other") as thief:
        assert thief.get(callback, timeout=5).status_code == 403
    assert browser.get(callback, timeout=5).url == desktop


@pytest.mark.parametrize(
    "path", ["state", "log", "icon", "static/desktop.js", "static/novnc.js", "no/such/page"]
)
def test_data_without_a_login_is_refused_and_not_redirected(desktop: str, path: str) -> None:
    answer = requests.get(desktop + path, allow_redirects=False, timeout=5)
    assert answer.status_code == 403
    assert requests.post(desktop + "again", timeout=5).status_code == 403


def test_another_person_is_refused_without_a_loop(hub: Any, desktop: str) -> None:
    with signed_in(hub, "other") as stranger:
        answer = stranger.get(desktop, timeout=10)
        assert answer.status_code == 403
        assert len(answer.history) < 5


def test_a_signed_out_person_is_out(hub: Any, desktop: str, browser: requests.Session) -> None:
    assert browser.get(desktop, timeout=10).ok
    kept = next(c for c in browser.cookies if c.name == "jupyterhub-user-pi-desk")
    assert browser.get(desktop + "state", timeout=5).status_code == 200
    browser.get(f"{hub.url}/hub/logout", timeout=5)
    # The desktop's own cookie is still there; the hub no longer knows it.
    assert kept in list(browser.cookies)
    assert browser.get(desktop + "state", timeout=5).status_code == 403


async def closed(connection: WebSocketClientConnection) -> None:
    """Close it before the test's event loop is gone."""
    connection.close()
    while await connection.read_message() is not None:
        pass


@pytest.mark.parametrize(
    ("signed", "origin", "expected"),
    [
        pytest.param(True, "own", 101, id="our own page"),
        pytest.param(True, "http://elsewhere.example", 403, id="a foreign page"),
        pytest.param(True, "null", 403, id="a page without origin"),
        pytest.param(False, "own", 403, id="nobody"),
    ],
)
async def test_the_web_socket_asks_for_login_and_origin(
    hub: Any, desktop: str, browser: requests.Session, signed: bool, origin: str, expected: int
) -> None:
    browser.get(desktop, timeout=10)
    address = desktop + "rfb"
    headers = {"Origin": hub.url if origin == "own" else origin}
    if signed:
        headers["Cookie"] = cookies_for(browser, address)
    request = HTTPRequest(address.replace("http", "ws", 1), headers=headers)
    if expected != 101:
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(request)
        assert refused.value.code == expected
        return
    connection = await websocket_connect(request)
    assert await connection.read_message() == b"RFB 003.008\n"
    await closed(connection)


async def test_input_is_reported_to_the_hub_and_pictures_are_not(
    hub: Any, desktop: str, browser: requests.Session, wait_until: Callable[..., Any]
) -> None:
    def last_activity() -> str:
        servers = api(hub, "GET", "users/pi").json()["servers"]
        return str(servers["desk"]["last_activity"])

    browser.get(desktop, timeout=10)
    address = desktop + "rfb"
    headers = {"Origin": hub.url, "Cookie": cookies_for(browser, address)}
    request = HTTPRequest(address.replace("http", "ws", 1), headers=headers)
    connection = await websocket_connect(request)
    for part in (b"RFB 003.008\n", b"\1", b"\1"):
        await connection.read_message()
        await connection.write_message(part, binary=True)
    await connection.read_message()
    await connection.write_message(bytes([3, 0, 0, 0, 0, 0, 0, 9, 0, 9]), binary=True)
    await connection.read_message()
    before = last_activity()
    assert last_activity() == before
    await connection.write_message(bytes([4, 1, 0, 0, 0, 0, 0, 0x61]), binary=True)
    await asyncio.to_thread(wait_until, lambda: last_activity() > before, "the report", 5)
    await closed(connection)


def test_no_code_or_token_is_logged(hub: Any, desktop: str, browser: requests.Session) -> None:
    browser.get(desktop, timeout=10)
    sessions_own = re.findall(r"oauth_callback\?\S*code=\S+", hub.log.read_text())
    # The hub writes the address it redirects to, masked; the session writes none.
    assert all("[secret]" in line for line in sessions_own)


def test_jupyterlab_starts_with_its_tiles_and_without_open_ports(hub: Any, desktop: str) -> None:
    assert api(hub, "POST", "users/pi/servers/lab").status_code == 201, hub.log.read_text()
    with signed_in(hub, "pi") as browser:
        lab = f"{hub.url}/user/pi/lab/"
        page = browser.get(lab, timeout=20)
        assert page.url == lab + "lab"
        config = json.loads(page.text.partition('type="application/json">')[2].partition("<")[0])
        assert "@jupyterlab/hub-extension:connectionlost" in config["disabledExtensions"]
        tiles = browser.get(lab + "server-proxy/servers-info", timeout=5).json()["server_processes"]
        assert [tile["name"] for tile in tiles] == ["tile"]
        port = urlsplit(hub.inner).port
        for way in (f"proxy/{port}/hub/api", f"proxy/127.0.0.1:{port}/hub/api"):
            assert browser.get(lab + way, timeout=5).status_code == 404
        state = browser.get(lab + "tile/state", timeout=30)
        assert state.json() == {"phase": "starting", "status": None}
        assert api(hub, "DELETE", "users/pi/servers/lab").status_code == 204


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/user/pi/desk/", "/user/pi/desk/"),
        ("/user/pi/desk/?a=b", "/user/pi/desk/?a=b"),
        ("/user/pi/other/", "/user/pi/desk/"),
        ("//elsewhere.example/", "/user/pi/desk/"),
        ("/user/pi/desk/../other/", "/user/pi/desk/"),
        ("/user/pi/desk//elsewhere.example", "/user/pi/desk/"),
        ("/user/pi/desk/\\elsewhere.example", "/user/pi/desk/"),
        ("/user/pi/desk/\r\nSet-Cookie: a=b", "/user/pi/desk/"),
        ("https://elsewhere.example/user/pi/desk/", "/user/pi/desk/"),
    ],
)
def test_a_login_leads_back_into_the_session_only(address: str, expected: str) -> None:
    assert inside("/user/pi/desk/", address) == expected

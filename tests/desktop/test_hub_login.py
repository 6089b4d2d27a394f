"""The door, with a real hub, a real proxy and a real session behind it."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from daas_desktop.hub_login import inside

ROOT = Path(__file__).parents[2]
TOKEN = "service-token-for-the-tests-only"
CONFIG = """
import json, os, socket, subprocess
from jupyterhub.spawner import Spawner

class SocketSpawner(Spawner):
    process = None
    async def start(self):
        listener = socket.create_server(("127.0.0.1", 0))
        settings = json.loads(os.environ["SESSION"])
        env = {**self.get_env(), **settings["env"], "LISTEN_FDS": "1", "DAAS_HUB_VERSION": "6.1.1"}
        env["JUPYTERHUB_SERVICE_URL"] = "http+unix://%2Fs" + env["JUPYTERHUB_SERVICE_PREFIX"]
        command = settings["lab" if self.name == "lab" else "desktop"]
        log = open(os.environ["LOG"], "ab")
        self.process = subprocess.Popen(
            command, env=env, pass_fds=(3,), stdout=log, stderr=log,
            preexec_fn=lambda: os.dup2(listener.fileno(), 3, inheritable=True))
        address = listener.getsockname()
        listener.close()
        return address
    async def poll(self):
        return 0 if self.process is None else self.process.poll()
    async def stop(self, now=False):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)

c.JupyterHub.spawner_class = SocketSpawner
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = os.urandom(32)
c.JupyterHub.cleanup_servers = True
c.JupyterHub.bind_url = os.environ["PUBLIC"]
c.JupyterHub.hub_bind_url = os.environ["HUB"]
c.ConfigurableHTTPProxy.api_url = os.environ["PROXY_API"]
c.ConfigurableHTTPProxy.command = [os.environ["PROXY"]]
c.ConfigurableHTTPProxy.pid_file = os.environ["PROXY_PID"]
c.JupyterHub.services = [{"name": "tester", "api_token": os.environ["SERVICE_TOKEN"]}]
c.JupyterHub.load_roles = [{"name": "tester", "services": ["tester"],
    "scopes": ["admin:servers", "admin:users", "read:users"]}]
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture(scope="module")
def hub(session_python: Path) -> Iterator[Any]:
    proxy = ROOT / ".node" / "node_modules" / ".bin" / "configurable-http-proxy"
    if not proxy.exists():
        pytest.skip("configurable-http-proxy is missing: run `make`")
    public, inner, proxy_api = (f"http://127.0.0.1:{port}" for port in free_ports(3))
    with tempfile.TemporaryDirectory(prefix="hub-", dir="/tmp", ignore_cleanup_errors=True) as name:
        home = Path(name)
        (home / "config.py").write_text(CONFIG)
        log = home / "log"
        environment = {
            "PATH": f"{session_python.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": name,
            "XDG_RUNTIME_DIR": name,
        }
        start = "from daas_desktop.{0} import main; main()"
        tile = {"name": "tile", "title": "Tile", "command": ["sleep", "100"]}
        session = {
            "env": {**environment, "DAAS_TILES": json.dumps([tile]), "JUPYTERHUB_ROOT_DIR": name},
            "desktop": [
                *(str(session_python), "-m", "daas_desktop", "serve"),
                *("--title", "Sleep", "--", "sleep", "100"),
            ],
            "lab": [str(session_python), "-c", start.format("notebook"), "--allow-root"],
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", home / "config.py"],
                env={
                    **os.environ,
                    **{"PUBLIC": public, "HUB": inner, "PROXY_API": proxy_api, "PROXY": str(proxy)},
                    **{"PROXY_PID": str(home / "pid"), "SERVICE_TOKEN": TOKEN, "LOG": str(log)},
                    "SESSION": json.dumps(session),
                },
                cwd=home,
                stdout=output,
                stderr=output,
            )
        try:
            yield SimpleNamespace(process=process, url=public, inner=inner, log=log)
        finally:
            process.terminate()
            process.wait(20)


def api(hub: Any, method: str, path: str) -> requests.Response:
    return requests.request(
        method,
        f"{hub.url}/hub/api/{path}",
        headers={"Authorization": f"token {TOKEN}"},
        timeout=30,
    )


@pytest.fixture(scope="module")
def desktop(hub: Any, wait_until: Callable[..., Any]) -> str:
    """The address of pi's desktop."""

    def up() -> bool:
        assert hub.process.poll() is None, hub.log.read_text()
        try:
            return requests.get(f"{hub.url}/hub/api/", timeout=5).ok
        except requests.ConnectionError:
            return False

    wait_until(up, "the hub answers", 30)
    for person in ("pi", "other"):
        assert api(hub, "POST", f"users/{person}").status_code == 201
    assert api(hub, "POST", "users/pi/servers/desk").status_code == 201, hub.log.read_text()
    return f"{hub.url}/user/pi/desk/"


def signed_in(hub: Any, name: str) -> requests.Session:
    browser = requests.Session()
    browser.headers["Sec-Fetch-Mode"] = "navigate"
    browser.get(f"{hub.url}/hub/login", timeout=10)
    answer = browser.post(
        f"{hub.url}/hub/login",
        params={"next": "/hub/home"},
        data={"username": name, "password": "x", "_xsrf": browser.cookies["_xsrf"]},
        timeout=10,
    )
    assert answer.ok
    return browser


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


def cookies_for(browser: requests.Session, url: str) -> str:
    prepared = browser.prepare_request(requests.Request("GET", url))
    return prepared.headers["Cookie"]


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
    connection.close()


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
    connection.close()


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

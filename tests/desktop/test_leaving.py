"""Signing out closes what is open; nothing else does. A real hub, desktop and JupyterLab."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
import requests
from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientWebSocketResponse,
    WSServerHandshakeError,
)

from daas_desktop.door.hub import CALL_TIMEOUT_S
from daas_desktop.door.open_connections import ASK_EVERY_S
from tests.desktop.plain_hub import PlainHub, api, cookies_for, signed_in

ASKED_EVERY_S = 0.5
SESSION = {"DAAS_ASK_EVERY_S": str(ASKED_EVERY_S)}

#: tornado lets a peer that does not answer "close" speak for so long.
CLOSING_S = 5


def test_even_at_the_worst_everything_is_closed_within_30_seconds() -> None:
    assert ASK_EVERY_S + CALL_TIMEOUT_S + CLOSING_S <= 30


class Visit:
    """A person's browser in one session, with everything open that a page opens."""

    def __init__(self, browser: requests.Session, http: ClientSession, url: str, token: str = ""):
        self.browser, self.http, self.url = browser, http, url
        self.headers = {"Origin": "/".join(url.split("/")[:3])}
        if token:
            self.headers["Authorization"] = f"token {token}"
        self.sockets: dict[str, ClientWebSocketResponse] = {}
        self.streams: list[ClientResponse] = []

    def _as_the_browser(self, address: str) -> dict[str, str]:
        # Without the page's token, which a web socket cannot carry in a header.
        return {"Cookie": cookies_for(self.browser, address), "Origin": self.headers["Origin"]}

    async def open_socket(self, path: str) -> ClientWebSocketResponse:
        address = self.url + path
        socket = await self.http.ws_connect(address, headers=self._as_the_browser(address))
        self.sockets[path] = socket
        return socket

    async def open_viewer(self, path: str) -> None:
        """Get as far as the picture: the X server shuts out who goes away before, five times."""
        socket = await self.open_socket(path)
        for said in (b"RFB 003.008\n", b"\1", b"\1"):
            await socket.receive_bytes()
            await socket.send_bytes(said)

    async def open_stream(self, path: str) -> None:
        address = self.url + path
        headers = {**self._as_the_browser(address), "Accept": "text/event-stream"}
        stream = await self.http.get(address, headers=headers)
        assert stream.content_type == "text/event-stream"
        self.streams.append(stream)

    async def all_closed(self) -> set[int | None]:
        """Wait until nothing is open; return how the web sockets were closed."""
        async with asyncio.timeout(10):
            for socket in self.sockets.values():
                async for _ in socket:
                    pass
            for stream in self.streams:
                with contextlib.suppress(ClientError):
                    await stream.read()
        return {socket.close_code for socket in self.sockets.values()}

    async def all_open(self, seconds: float) -> bool:
        """Say whether everything stays open for so long."""
        ends = asyncio.ensure_future(self._first_end())
        done, _ = await asyncio.wait({ends}, timeout=seconds)
        ends.cancel()
        return not done

    async def _first_end(self) -> None:
        async def read(socket: ClientWebSocketResponse) -> None:
            async for _ in socket:
                pass

        tasks = [asyncio.ensure_future(read(socket)) for socket in self.sockets.values()]
        tasks += [asyncio.ensure_future(stream.read()) for stream in self.streams]  # type: ignore[arg-type]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def ask(self, method: str, path: str) -> tuple[int, Any]:
        address = self.url + path
        headers = {"Cookie": cookies_for(self.browser, address), **self.headers}
        async with self.http.request(method, address, headers=headers) as answer:
            said = await answer.json() if answer.content_type == "application/json" else None
            return answer.status, said

    async def aclose(self) -> None:
        for socket in self.sockets.values():
            await socket.close()
        for stream in self.streams:
            stream.close()

    async def sign_out(self) -> None:
        await asyncio.to_thread(self.browser.get, f"{self.headers['Origin']}/hub/logout", timeout=5)


@pytest.fixture(scope="module")
def lab(hub: PlainHub) -> str:
    assert api(hub, "POST", "users/pi/servers/lab").status_code == 201, hub.log.read_text()
    return f"{hub.url}/user/pi/lab/"


@pytest.fixture(autouse=True)
def provider_is_well_again(hub: PlainHub) -> Iterator[None]:
    yield
    hub.refuse_refreshes(False)


@asynccontextmanager
async def at_the_desktop(hub: PlainHub, url: str) -> AsyncIterator[Visit]:
    async with ClientSession() as http:
        with await asyncio.to_thread(signed_in, hub, "pi") as browser:
            await asyncio.to_thread(browser.get, url, timeout=10)
            visit = Visit(browser, http, url)
            async with aclosing(visit):
                await visit.open_viewer("rfb")
                await visit.open_stream("state")
                yield visit


@asynccontextmanager
async def in_jupyterlab(hub: PlainHub, url: str) -> AsyncIterator[Visit]:
    async with ClientSession() as http:
        with await asyncio.to_thread(signed_in, hub, "pi") as browser:
            page = (await asyncio.to_thread(browser.get, url, timeout=20)).text
            config = json.loads(page.partition('type="application/json">')[2].partition("<")[0])
            visit = Visit(browser, http, url, config["token"])
            async with aclosing(visit):
                _, kernel = await visit.ask("POST", "api/kernels")
                _, terminal = await visit.ask("POST", "api/terminals")
                await visit.open_socket(f"api/kernels/{kernel['id']}/channels")
                await visit.open_socket(f"terminals/websocket/{terminal['name']}")
                await visit.open_socket("api/events/subscribe")
                await visit.open_stream("tile/state")
                await visit.open_viewer("tile/rfb")
                yield visit


AT_WORK = {"desktop": at_the_desktop, "lab": in_jupyterlab}
#: What needs a login, and what it answers when nobody can tell who asks.
DATA = {"desktop": ("state", 503), "lab": ("api/contents", 500)}
BOTH = pytest.mark.parametrize("where", list(AT_WORK))


@pytest.fixture
def come(request: pytest.FixtureRequest, hub: PlainHub) -> Callable[[str], Any]:
    """Come to work in one of the two sessions, in a browser of its own."""
    return lambda where: AT_WORK[where](hub, request.getfixturevalue(where))


@BOTH
async def test_attack_13_signing_out_leaves_nothing_open(
    come: Callable[[str], Any], where: str
) -> None:
    async with come(where) as visit:
        cookies = visit.browser.cookies.copy()
        await visit.sign_out()
        assert await visit.all_closed() == {1001}
        # Neither the session's own cookie nor the token of the page opens anything again.
        visit.browser.cookies = cookies
        assert (await visit.ask("GET", DATA[where][0]))[0] == 403
        for path in list(visit.sockets):
            with pytest.raises(WSServerHandshakeError, match="403"):
                await visit.open_socket(path)


@BOTH
async def test_attack_13_a_tab_that_was_closed_before_keeps_no_other_open(
    come: Callable[[str], Any], where: str
) -> None:
    async with come(where) as visit:
        gone = visit.sockets.pop(next(iter(visit.sockets)))
        await gone.close()
        await asyncio.sleep(4 * ASKED_EVERY_S)  # time for questions in which it is found closed
        await visit.sign_out()
        assert await visit.all_closed() <= {1001}


def of_browsers(hub: PlainHub) -> list[dict[str, Any]]:
    return [t for t in api(hub, "GET", "users/pi/tokens").json()["api_tokens"] if t["session_id"]]


@BOTH
async def test_attack_16_whom_the_hub_throws_out_is_out_in_all_browsers(
    hub: PlainHub, come: Callable[[str], Any], where: str
) -> None:
    async with come(where) as first, come(where) as second:
        while tokens := [t["id"] for t in of_browsers(hub)]:
            # The hub deletes all that belong to one session at once.
            assert api(hub, "DELETE", f"users/pi/tokens/{tokens[0]}").status_code == 204
        for visit in (first, second):
            assert await visit.all_closed() == {1001}
            assert (await visit.ask("GET", DATA[where][0]))[0] == 403


async def test_what_ran_in_jupyterlab_is_there_after_signing_in_again(
    come: Callable[[str], Any],
) -> None:
    async def running(visit: Visit) -> set[str]:
        kernels = (await visit.ask("GET", "api/kernels"))[1]
        terminals = (await visit.ask("GET", "api/terminals"))[1]
        return {each["id"] for each in kernels} | {each["name"] for each in terminals}

    async with come("lab") as visit:
        before = await running(visit)
        await visit.sign_out()
        await visit.all_closed()
    async with come("lab") as visit:
        assert len(before) >= 2
        assert before < await running(visit)


@BOTH
async def test_a_login_that_the_provider_has_ended_closes_nothing(
    hub: PlainHub, come: Callable[[str], Any], where: str, wait_until: Callable[..., Any]
) -> None:
    async with come(where) as visit:
        hub.refuse_refreshes()
        stale = "stale auth info. Cannot refresh on API requests"
        told = hub.log.read_text().count(stale)
        await asyncio.to_thread(
            wait_until,
            lambda: hub.log.read_text().count(stale) > told + 3,
            "the hub was asked, and could not refresh",
        )
        home = f"{hub.url}/hub/home"
        page = await asyncio.to_thread(visit.browser.get, home, allow_redirects=False, timeout=5)
        assert page.status_code == 302, "the login itself has ended"
        assert await visit.all_open(2 * ASKED_EVERY_S)


async def test_the_hub_is_asked_once_for_a_person_however_much_she_has_open(
    hub: PlainHub, come: Callable[[str], Any]
) -> None:
    async with come("desktop") as visit:
        for viewer in range(4):
            await visit.open_viewer(f"rfb?viewer={viewer}")
        question = "GET /hub/api/user (pi@"
        before, began = hub.log.read_text().count(question), time.monotonic()
        assert await visit.all_open(4 * ASKED_EVERY_S)
        asked = hub.log.read_text().count(question) - before
        rounds = (time.monotonic() - began) / ASKED_EVERY_S
        assert 2 <= asked <= rounds + 1


async def test_a_hub_that_is_away_closes_nothing(hub: PlainHub, come: Callable[[str], Any]) -> None:
    """The last test of this module: the hub does not come back."""
    async with come("desktop") as desktop, come("lab") as lab:
        hub.process.kill()
        hub.process.wait()
        for visit, (path, nobody_can_tell) in ((desktop, DATA["desktop"]), (lab, DATA["lab"])):
            async with asyncio.timeout(10):
                while (await visit.ask("GET", path))[0] != nobody_can_tell:
                    await asyncio.sleep(0.05)
            assert await visit.all_open(2 * ASKED_EVERY_S)

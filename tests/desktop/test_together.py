"""Watching together, with a real X server and a real hub: who looks can do nothing else (S1)."""

import asyncio
import json
import re
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import requests
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from daas_desktop.picture.viewers import MOST_OF_A_GUEST
from tests.desktop.plain_hub import PlainHub, api, cookies_for, signed_in

CTRL, A = 0xFFE3, 0x61


def key(keysym: int, *, down: bool = True) -> bytes:
    return struct.pack(">BBHI", 4, down, 0, keysym)


def size(width: int, height: int) -> bytes:
    screen = struct.pack(">IHHHHI", 0, 0, 0, width, height, 0)
    return struct.pack(">BxHHBx", 251, width, height, 1) + screen


def said(desktop: Any) -> str:
    text: str = desktop.ask("/log")[2].decode()
    return text


def test_only_the_newest_tab_types(
    shown: Any,
    view: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    """Input of the earlier one is dropped on the server, whatever its page thinks."""
    earlier = view(shown, "one").look()
    earlier.send(key(CTRL))
    later = view(shown, "two").look()
    for letter in b"xyz":
        earlier.send(key(letter) + key(letter, down=False))
    earlier.send(struct.pack(">BBHH", 5, 1, 10, 10))
    earlier.send(struct.pack(">B3xi", 6, 6) + b"secret")
    earlier.send(size(800, 600))
    # Without Ctrl, which the earlier tab held down when it lost the keyboard.
    later.send(key(A) + key(A, down=False))
    wait_until(lambda: "key a" in said(shown), "the later tab's key arrives")
    assert not any(f"key {letter}" in said(shown) for letter in "xyz")
    assert "secret" not in said(shown)
    assert view(shown, "three").handshake() == (1920, 1080)


def test_an_earlier_tab_takes_control_back(
    shown: Any,
    view: Callable[..., Any],
    wait_until: Callable[..., Any],
) -> None:
    earlier, later = view(shown, "one").look(), view(shown, "two").look()
    page = shown.ask("/")[2].decode()
    token = {"X-XSRFToken": page.partition('name="xsrf" content="')[2].partition('"')[0]}
    assert shown.ask("/control?tab=one", "POST")[0] == 403
    assert shown.ask("/control?tab=none", "POST", token)[0] == 404
    assert shown.ask("/control?tab=one", "POST", token)[0] == 204
    earlier.send(size(1024, 768))
    later.send(size(800, 600))
    earlier.send(key(A) + key(A, down=False))
    wait_until(lambda: "key a" in said(shown), "the earlier tab's key arrives")
    assert view(shown).handshake() == (1024, 768)


class Guest:
    """Somebody else's browser, seen from its network."""

    def __init__(self, browser: requests.Session, http: ClientSession, url: str) -> None:
        self.browser, self.http, self.url = browser, http, url
        self.open: list[ClientWebSocketResponse] = []

    def headers(self, address: str) -> dict[str, str]:
        origin = "/".join(self.url.split("/")[:3])
        return {"Cookie": cookies_for(self.browser, address), "Origin": origin}

    async def look(self, tab: str) -> ClientWebSocketResponse:
        address = f"{self.url}rfb?tab={tab}"
        socket = await self.http.ws_connect(address, headers=self.headers(address))
        for words in (b"RFB 003.008\n", b"\1", b"\1"):
            await socket.receive(timeout=10)
            await socket.send_bytes(words)
        self.open.append(socket)  # else it is closed when nobody holds it
        return socket

    async def status(self, method: str, path: str, token: str = "") -> int:
        address = self.url + path
        headers = {**self.headers(address), **({"X-XSRFToken": token} if token else {})}
        async with self.http.request(method, address, headers=headers) as answer:
            return answer.status


@asynccontextmanager
async def guest(hub: PlainHub, name: str, url: str) -> AsyncIterator[Guest]:
    browser = await asyncio.to_thread(signed_in, hub, name)
    await asyncio.to_thread(go_in, browser, url)
    async with ClientSession() as http:
        yield Guest(browser, http, url)


def go_in(browser: requests.Session, url: str) -> None:
    """Open the session; the hub asks a guest once whether it may say who she is."""
    answer = browser.get(url, timeout=20)
    if answer.ok and "/oauth2/authorize" in answer.url:
        data = {"_xsrf": browser.cookies["_xsrf"], "scopes": "identify"}
        scopes = re.findall(r'name="scopes"[^>]*value="([^"]+)"', answer.text)
        answer = browser.post(answer.url, data={**data, "scopes": scopes}, timeout=20)
        assert answer.url == url, answer.text


@pytest.fixture
def shared(hub: PlainHub, desktop: str) -> str:
    """pi's desktop, at which `other` may look."""
    share = {"user": "other", "scopes": ["access:servers!server=pi/desk"]}
    answer = api(hub, "POST", "shares/pi/desk", share)
    assert answer.status_code in (200, 201), answer.text
    return desktop


def page_token(visit: Guest) -> str:
    text = visit.browser.get(visit.url, timeout=20).text
    return text.partition('name="xsrf" content="')[2].partition('"')[0]


async def test_without_a_grant_nobody_else_gets_in(hub: PlainHub, desktop: str) -> None:
    """On HTTP and on the web socket."""
    async with guest(hub, "third", desktop) as third:
        assert await third.status("GET", "state") == 403
        with pytest.raises(WSServerHandshakeError) as refused:
            await third.look("t")
        assert refused.value.status == 403


async def test_a_guest_looks_and_that_is_all(hub: PlainHub, shared: str) -> None:
    async with guest(hub, "pi", shared) as pi, guest(hub, "other", shared) as other:
        await other.look("o")
        token = await asyncio.to_thread(page_token, other)
        assert token
        for method, path in (
            ("POST", "control?tab=o"),
            ("POST", "again"),
            ("GET", "log"),
            ("DELETE", "guests/1"),
            ("POST", "invitations"),
            ("DELETE", "invitations"),
            ("GET", "files"),
            ("GET", "files/download?path=.bashrc"),
            ("POST", "files/upload"),
            ("PUT", "files/upload/x"),
            ("DELETE", "files/upload/x"),
            ("POST", "end?how=force"),
        ):
            assert await other.status(method, path, token) == 403, path
        await pi.look("p")
        role = await told(other, "o", "role")
        assert role == {"control": False, "why": "watching", "by": "pi"}


async def test_a_guest_has_a_few_pictures_and_no_more(hub: PlainHub, shared: str) -> None:
    async with guest(hub, "other", shared) as other:
        for number in range(MOST_OF_A_GUEST):
            await other.look(f"many{number}")
        address = f"{other.url}rfb"
        one_more = await other.http.ws_connect(address, headers=other.headers(address))
        assert (await one_more.receive(timeout=10)).data == 4004


async def test_a_guest_is_told_in_a_few_places_and_no_more(hub: PlainHub, shared: str) -> None:
    async with guest(hub, "other", shared) as other, AsyncExitStack() as streams:
        address = f"{other.url}state"
        headers = {**other.headers(address), "Accept": "text/event-stream"}
        for _ in range(MOST_OF_A_GUEST):
            last = await streams.enter_async_context(other.http.get(address, headers=headers))
            assert last.status == 200
        assert await _status(other, address, headers) == 429
        last.close()
        async with asyncio.timeout(10):
            while await _status(other, address, headers) != 200:
                await asyncio.sleep(0.05)


async def _status(visit: Guest, address: str, headers: dict[str, str]) -> int:
    async with visit.http.get(address, headers=headers) as answer:
        return answer.status


async def test_the_person_gives_control_takes_it_back_and_sends_the_guest_out(
    hub: PlainHub, shared: str
) -> None:
    async with guest(hub, "pi", shared) as pi, guest(hub, "other", shared) as other:
        socket = await other.look("o2")
        await pi.look("p2")
        viewers = await told(pi, "p2", "viewers")
        (number,) = [one["number"] for one in viewers if one["name"] == "other"]
        assert {one["name"] for one in viewers if one["here"]} == {"pi"}
        token = await asyncio.to_thread(page_token, pi)
        assert await pi.status("POST", f"control?to={number}", token) == 204
        assert (await told(other, "o2", "role"))["control"] is True
        assert (await told(pi, "p2", "role"))["why"] == "given"
        assert await pi.status("POST", "control?tab=p2", token) == 204
        assert (await told(other, "o2", "role"))["control"] is False
        events = asyncio.create_task(all_told(other))
        # The plain hub of the tests knows no invitations: she is out all the same.
        assert await pi.status("DELETE", f"guests/{number}", token) == 503
        while (message := await socket.receive(timeout=10)).type is WSMsgType.BINARY:
            pass
        assert message.data == 4003
        async with asyncio.timeout(5):
            await events
        assert await other.status("GET", "state") == 403
        assert await pi.status("DELETE", f"guests/{number}", token) == 404


async def all_told(visit: Guest) -> None:
    """Listen to what a page is told until that ends."""
    headers = {**visit.headers(f"{visit.url}state"), "Accept": "text/event-stream"}
    async with visit.http.get(f"{visit.url}state", headers=headers) as answer:
        async for _ in answer.content:
            pass


async def told(visit: Guest, tab: str, event: str) -> Any:
    """Give the first of the named events that a page with this tab is told."""
    address = f"{visit.url}state?tab={tab}"
    headers = {**visit.headers(address), "Accept": "text/event-stream"}
    async with asyncio.timeout(10), visit.http.get(address, headers=headers) as answer:
        async for line in answer.content:
            if line == f"event: {event}\n".encode():
                return json.loads((await answer.content.readline()).removeprefix(b"data: "))
    raise AssertionError(event)

"""Every address behind nginx: under a path, on sub-domains or not, with and without a slash."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from html import unescape
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import pytest

from daas_demo.__main__ import run_folder
from daas_model.hosting import ONE_ADDRESS
from tests.hosting.guest import Guest
from tests.hosting.place import DOMAIN, SESSIONS_DOMAIN, Place, running_place
from tests.spawner.test_one_door import token_below
from tests.visitor import hidden_fields

PLACES = {
    "sub-domains": ("/", "subdomains", DOMAIN),
    "sub-domains of another domain, under a path": ("/daas/", "subdomains", SESSIONS_DOMAIN),
    "one address, under a path": ("/deep/daas/", "paths", DOMAIN),
}

HOME = "services/portal/"
SESSION = "pymca-2026-0142"
#: Below the public address: the status, and where one arrives if it is elsewhere.
ADDRESSES: dict[str, tuple[int, str]] = {
    "services/portal": (200, HOME),
    "services/portal/open": (400, ""),
    "services/portal/open?app=pymca&proposal=2026-0142": (200, ""),
    "services/portal/sessions/nothing": (403, ""),
    "services/portal/stop": (405, ""),
    "services/portal/nothing": (404, ""),
    "services/portal/apps/pymca/icon": (200, ""),
    "hub": (200, HOME),
    "hub/home": (200, HOME),
    "hub/spawn": (200, HOME),
    "hub/spawn/pi/x": (200, HOME),
    "hub/spawn-pending/pi/x": (200, HOME),
    "hub/login": (200, HOME),
    "hub/token": (200, ""),
    "hub/admin": (403, ""),
    "hub/nothing": (404, ""),
    "hub/health": (200, ""),
    "hub/api": (200, ""),
    "hub/user/pi/x": (424, ""),
    "user/pi": (424, "hub/user/pi/"),
    "user/pi/x": (424, "hub/user/pi/x"),
    "user/contact/x": (404, "hub/user/contact/x"),
}


@pytest.fixture(scope="module", params=PLACES.values(), ids=PLACES.keys())
def somewhere(request: pytest.FixtureRequest) -> Iterator[Place]:
    base, hosting, sessions = request.param
    if base == "/":
        yield request.getfixturevalue("place")
        return
    with running_place(base, hosting, sessions) as place:
        yield place


async def test_every_address_works_with_and_without_a_slash(somewhere: Place) -> None:
    place = somewhere
    async with Guest(place) as pi:
        await pi.arrive("pi")
        for address, (status, elsewhere) in ADDRESSES.items():
            path, mark, query = address.partition("?")
            for asked in (path, f"{path}/"):
                answer = await pi.get(f"{place.url}{asked}{mark}{query}")
                assert answer.status == status, asked
                expected = f"{place.url}{elsewhere or path}"
                assert answer.url.partition("?")[0].rstrip("/") == expected.rstrip("/"), asked
                assert answer.url.partition("?")[2] == query, asked
        front = await pi.get(place.url)
        assert (front.status, front.url) == (200, place.portal)


async def test_every_link_of_the_pages_leads_somewhere(somewhere: Place) -> None:
    async with Guest(somewhere) as pi:
        await pi.arrive("pi")
        seen = set()
        for start in (somewhere.portal, f"{somewhere.url}hub/token", f"{somewhere.url}hub/nothing"):
            page = await pi.get(start)
            links = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
            seen |= {urljoin(page.url, unescape(link)) for link in links}
        assert len(seen) > 8
        for address in seen - {f"{somewhere.url}hub/logout"}:
            assert address.startswith(somewhere.url)
            assert (await pi.get(address)).status == 200, address


async def test_where_all_share_one_address_the_home_page_and_the_log_say_so(
    somewhere: Place,
) -> None:
    async with Guest(somewhere) as pi:
        await pi.arrive("pi")
        page = await pi.get(somewhere.portal)
    shared = somewhere.hosting == "paths"
    assert (ONE_ADDRESS in unescape(page.text)) == shared
    assert (f"Known limit: {ONE_ADDRESS}" in somewhere.log) == shared


@pytest.mark.parametrize("page", ["hub/token", "services/portal/", "hub/login"])
def test_a_window_that_opens_a_page_keeps_no_hold_of_it(somewhere: Place, page: str) -> None:
    _, headers = somewhere.ask(urlsplit(somewhere.url).path + page)
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"


async def test_both_apps_open_on_the_persons_host_with_and_without_a_slash(
    somewhere: Place,
) -> None:
    async with Guest(somewhere) as pi:
        await pi.arrive("pi")
        for app in ("pymca", "jupyterlab"):
            address = await pi.open_session(app, "2026-0142")
            session = f"{somewhere.sessions_of('pi')}{app}-2026-0142"
            assert address.startswith(f"{session}/")
            plain = await pi.get(session)
            assert (plain.status, plain.url) == (200, address)
            # A link of before the move to sub-domains, or one that somebody typed.
            old = await pi.get(f"{somewhere.url}user/pi/{app}-2026-0142/")
            assert old.status == 200
            assert old.url.partition("?")[0] == address
            await pi.stop(f"{app}-2026-0142")


FORGED = {
    "X-Real-IP": "203.0.113.9",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Scheme": "http",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=http",
}


def test_a_browser_cannot_say_from_where_it_comes(place: Place) -> None:
    before = len(place.log)
    status, answer = place.ask("/hub/token", **FORGED)
    assert status == 302
    assert "evil" not in str(answer)
    assert place.logged("GET /hub/token", before)
    assert "(@127.0.0.1)" in place.log[before:]
    assert "203.0.113.9" not in place.log[before:]


def test_the_hub_learns_from_nginx_who_asks_and_from_no_other_header(place: Place) -> None:
    before = len(place.log)
    with socket.create_connection(("127.0.0.1", place.hub_port)) as raw:
        headers = {**FORGED, "Host": DOMAIN, "X-Forwarded-For": "192.0.2.7", "Connection": "close"}
        lines = ["GET /hub/nothing HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        raw.sendall("\r\n".join(lines).encode())
        assert raw.recv(20).startswith(b"HTTP/1.1 404")
    assert place.logged("(@192.0.2.7)", before)


def test_below_a_persons_host_there_is_no_page_of_the_hub(place: Place) -> None:
    for path in ("/", "/hub/login", "/hub/token", "/services/portal/", "/user/../hub/login"):
        status, answer = place.ask(path, host=f"pi.{DOMAIN}")
        assert status == 302, path
        assert answer["location"] == f"{place.url.rstrip('/')}{path}"


def test_plain_http_leads_to_https_and_browsers_remember_it(place: Place) -> None:
    asked = http.client.HTTPConnection("127.0.0.1", place.http_port)
    asked.request("GET", "/hub/token", headers={"Host": f"pi.{DOMAIN}"})
    answer = asked.getresponse()
    asked.close()
    assert answer.status == 301
    assert answer.headers["Location"] == f"https://pi.{DOMAIN}/hub/token"
    assert "includeSubDomains" in place.ask("/hub/health")[1]["strict-transport-security"]


async def test_nobody_signs_in_below_a_persons_host_whatever_stands_in_front(place: Place) -> None:
    """Straight to the proxy, as if something else than our nginx file stood before it."""
    address = f"http://127.0.0.1:{place.hub_port}"
    elsewhere = {"Host": f"contact.{DOMAIN}", "X-Forwarded-Proto": "https"}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http_session:
        ask = {"headers": elsewhere, "allow_redirects": False}
        async with http_session.get(f"{address}/hub/oauth_login", **ask) as begun:
            waiting = begun.cookies
            state = parse_qs(urlsplit(begun.headers["Location"]).query)["state"][0]
        assert any("daas-login" in name for name in waiting)
        elsewhere["Cookie"] = "; ".join(f"{name}={c.coded_value}" for name, c in waiting.items())
        answer = f"/hub/oauth_callback?state={state}&code=x&iss={place.issuer}"
        async with http_session.get(f"{address}{answer}", **ask) as refused:
            assert refused.status == 400
            assert "not the address at which people sign in" in await refused.text()
            assert "hub-login" not in str(refused.cookies)


async def test_a_guest_comes_from_her_hub_to_anothers_host(somewhere: Place) -> None:
    """An invitation is an address of the hub's; what it leads to lives where its person's do."""
    async with Guest(somewhere) as pi, Guest(somewhere) as guest:
        await pi.arrive("pi")
        await pi.open_session("pymca", "2026-0142")
        try:
            token = token_below(run_folder(somewhere.folder), SESSION)
            asked = await pi.post(
                f"{somewhere.url}hub/api/invitations",
                {},
                headers={"Authorization": f"token {token}"},
            )
            link = json.loads(asked.text)["url"]
            assert link.startswith(f"{somewhere.url}hub/watch?code=")
            await guest.arrive("coproposer")
            page = await guest.get(link)
            page = await guest.post(page.url, hidden_fields(page.text))
            assert "oauth2/authorize" in page.url
            page = await guest.post(page.url, hidden_fields(page.text))
            assert page.url == f"{somewhere.sessions_of('pi')}{SESSION}/"
            assert page.status == 200
        finally:
            await pi.stop(SESSION)

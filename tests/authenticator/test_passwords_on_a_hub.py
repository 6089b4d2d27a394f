"""Signing in with a password on a real hub: the page, the limits, the log, and what lasts."""

import asyncio
import base64
import re
import shutil
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from tornado.httpclient import HTTPResponse

from daas_authenticator.passwords.limits import ADDRESS, PAIR
from tests.conftest import REPOSITORY, short_folder

from .conftest import (
    HUB_CONFIG,
    Browser,
    Hub,
    LyingProvider,
    free_port,
    running_hub,
    serving,
    wait_for,
)
from .pam_here import pam_here
from .signing_in import answer_to, sentences, signed_in
from .slapd import BASE, READER, READERS_PASSWORD, Slapd, person
from .user_office import UserOffice, open_office

CONFIG = """
c.JupyterHub.public_url = "http://127.0.0.1:{hub}/"
c.DaasAuthenticator.issuer = ""
c.DaasAuthenticator.rights, c.DaasAuthenticator.step_up = [], {{}}
c.DaasAuthenticator.oauth_callback_url = ""
c.DaasAuthenticator.renewal_seconds = 1
c.DaasAuthenticator.rights = [
    {{"right": "admin", "provider": "sso", "claim": "groups", "value": "staff"}},
]
c.DaasAuthenticator.step_up = {{"sso": {{"rights_without_step_up": True}}}}
c.DaasAuthenticator.password_refusal_seconds = 0.2
c.DaasAuthenticator.providers = {{
    "sso": {{"profile": "keycloak", "issuer": "http://127.0.0.1:{provider}",
             "client_id": "hub", "client_secret": "secret-of-the-hub"}},
}}
c.DaasAuthenticator.password_ways = {{
    "staff": {{
        "kind": "ldap", "title": "Staff account", "for_whom": "For <b>staff</b>.",
        "servers": [{ldap!r}], "ca_file": {ca!r}, "people_base": {people!r},
        "bind_dn": {reader!r}, "bind_password_file": {password!r},
        "groups_attribute": "employeeType",
    }},
    "here": {{"kind": "pam", "title": "Account of this machine", "command": {pam!r}}},
    "guests": {{"kind": "user-office", "title": "User office", "url": {office!r},
                "subject_field": "id"}},
    "former": {{"kind": "pam", "title": "Former way", "enabled": False}},
}}
"""
WONDER, LAND, HORSE = "wonder-land-1", "looking-glass-2", "correct horse"
NUMBERS = count(1)
WRONG = "Name or password is wrong. Try again."


@dataclass(frozen=True)
class Facility:
    hub: Hub
    slapd: Slapd
    folder: Path
    office_port: int
    sso_port: int


@pytest.fixture(scope="module")
def facility() -> Iterator[Facility]:
    with short_folder() as folder:
        (folder / "ldap").mkdir()
        slapd = Slapd(folder / "ldap")
        (folder / "pam").mkdir()
        pam = pam_here(folder / "pam", f"alice:{LAND}", "eve:m", "root:toor")
        office_port, sso_port = free_port(), free_port()
        try:
            slapd.start(
                person("alice", 1, 1, "/", userPassword=WONDER, employeeType="staff"),
                person("bob", 2, 2, "/", userPassword=WONDER),
                person("carol", 3, 3, "/", userPassword=WONDER),
                person("root", 0, 0, "/", userPassword=WONDER),
                person("eve", 4, 4, "/", userPassword=WONDER),
            )
            (folder / "hub").mkdir()
            with running_hub(
                folder / "hub",
                HUB_CONFIG + CONFIG,
                provider=sso_port,
                ldap=slapd.tls,
                ca=str(slapd.ca_file),
                people=f"ou=people,{BASE}",
                reader=READER,
                password=str(slapd.password_file),
                pam=pam,
                office=f"http://127.0.0.1:{office_port}/login",
            ) as hub:
                yield Facility(hub, slapd, folder, office_port, sso_port)
        finally:
            slapd.stop()


@pytest.fixture
async def office(facility: Facility) -> AsyncIterator[UserOffice]:
    async with open_office(facility.office_port) as opened:
        yield opened


def browser_at(facility: Facility, address: str) -> "Person":
    return Person(facility.hub.url, address)


class Person(Browser):
    """A browser at an address, seen through a proxy that ends TLS."""

    def __init__(self, hub_url: str, address: str) -> None:
        super().__init__(hub_url)
        self.headers = {"X-Forwarded-For": address, "X-Forwarded-Proto": "https"}

    async def page(self, query: str = "") -> str:
        return (await self.get(f"/hub/login{query}", **self.headers)).body.decode()

    async def type(
        self, way: str, name: str, password: str | bytes, query: str = ""
    ) -> HTTPResponse:
        """Open the sign-in page, fill in the form of *way* and send it to where it says."""
        page = await self.page(query)
        (action,) = [
            unescape(found)
            for found in re.findall(r'<form[^>]* action="([^"]*)"', page)
            if f"/password/{way}/" in found
        ]
        token = re.search(r'name="_xsrf" value="([^"]*)"', page)
        assert token
        fields = {"_xsrf": token[1], "username": name, "password": password}
        return await self.post(action, urlencode(fields), **self.headers)


@pytest.mark.parametrize(
    ("way", "name", "password", "who"),
    [
        ("staff", "bob", WONDER, "bob"),
        ("here", "alice", LAND, "alice"),
        ("guests", "grace@example.org", HORSE, "grace"),
    ],
)
async def test_each_way_signs_in_and_leads_where_the_person_wanted_to_go(
    facility: Facility, office: UserOffice, way: str, name: str, password: str, who: str
) -> None:
    person = browser_at(facility, "192.0.2.1")
    wanted = f"/services/portal/open?app=pymca&{'proposal=2026-0142&' * 230}"
    assert len(wanted) > 4096
    end = await person.type(way, name, password, f"?next={quote(wanted, safe='')}")
    assert end.code == 302
    assert end.headers["Location"] == wanted
    assert signed_in(person)
    token_page = (await person.get("/hub/token", **person.headers)).body.decode()
    assert f"My account: <strong>{who}</strong>" in token_page


async def test_a_further_identity_is_linked_after_the_password_once_more(
    facility: Facility,
) -> None:
    bob = browser_at(facility, "192.0.2.9")
    await bob.type("staff", "bob", WONDER)

    async def press(path: str, **fields: str) -> HTTPResponse:
        page = await bob.get("/hub/account", **bob.headers)
        token = re.search(rb'name="_xsrf" value="([^"]*)"', page.body)
        assert token
        body = urlencode({"_xsrf": token[1].decode(), **fields})
        return await bob.post(f"/hub/account/{path}", body, **bob.headers)

    lying = LyingProvider(facility.sso_port, person={"sub": "sso-bob", "name": "Bob"})
    lying.token_claims = {"auth_time": int(time.time())}
    async with serving(lying):
        asked = await press("link", provider="sso")
        assert asked.headers["Location"] == "/hub/account/prove"
        assert "password once more" in sentences((await bob.get(asked.headers["Location"])).body)
        # Neither a wrong password nor a colleague's right one.
        for name, password in (("bob", "wrong"), ("carol", WONDER)):
            refused = await press("prove", username=name, password=password)
            assert refused.code == 403
        onward = await press("prove", username="bob", password=WONDER)
        assert "Link this identity" in sentences((await bob.get(onward.headers["Location"])).body)
        await press("confirm", subject="sso-bob")
        other = facility.hub.browser()
        await other.get(await answer_to(other, way="/hub/oidc/sso/login"), follow=0)
        assert "Your name bob" in sentences((await other.get("/hub/account")).body)


async def test_the_page_has_each_way_with_labels_and_leaves_out_what_is_off(
    facility: Facility,
) -> None:
    page = await browser_at(facility, "192.0.2.1").page()
    said = sentences(page.encode())
    titles = ["Facility account", "Staff account", "Account of this machine", "User office"]
    assert sorted(titles, key=said.index) == titles
    assert "Former way" not in said
    assert "For &lt;b&gt;staff&lt;/b&gt;." in page
    assert page.count('autocomplete="username"') == page.count('type="password"') == 3
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<label for="([^"]*)"', page)) <= set(ids)


async def test_a_wrong_password_is_said_in_place_and_the_name_stays(facility: Facility) -> None:
    person = browser_at(facility, "192.0.2.2")
    page = await person.type("staff", "carol", "wrong-1", "?next=%2Fthere")
    assert page.code == 403
    text = page.body.decode()
    staff = text[text.index("Staff account") : text.index("Account of this machine")]
    assert WRONG in staff
    assert text.count(WRONG) == 1
    assert 'value="carol"' in staff
    assert 'action="/hub/password/staff/login?next=%2Fthere"' in staff
    assert "wrong-1" not in text
    assert not signed_in(person)


@pytest.mark.parametrize(
    "path", ["/hub/password/former/login", "/hub/password/nobody/login", "/hub/login"]
)
async def test_a_form_that_is_not_offered_signs_nobody_in(facility: Facility, path: str) -> None:
    person = browser_at(facility, "192.0.2.3")
    token = re.search(r'name="_xsrf" value="([^"]*)"', await person.page())
    assert token
    body = urlencode({"_xsrf": token[1], "username": "carol", "password": WONDER})
    page = await person.post(path, body, **person.headers)
    assert page.code == 400
    assert not signed_in(person)


async def test_a_form_without_its_token_is_not_looked_at(facility: Facility) -> None:
    person = browser_at(facility, "192.0.2.3")
    await person.page()
    body = urlencode({"username": "carol", "password": WONDER})
    page = await person.post("/hub/password/staff/login", body, **person.headers)
    assert page.code == 403
    assert not signed_in(person)


async def test_a_name_and_password_in_the_address_are_not_read(facility: Facility) -> None:
    person = browser_at(facility, "192.0.2.3")
    token = re.search(r'name="_xsrf" value="([^"]*)"', await person.page())
    assert token
    page = await person.post(
        "/hub/password/staff/login?username=carol&password=in-the-address",
        urlencode({"_xsrf": token[1]}),
        **person.headers,
    )
    assert page.code == 400
    assert not signed_in(person)


async def test_over_plain_http_the_ways_are_off_and_say_why(facility: Facility) -> None:
    person = browser_at(facility, "192.0.2.4")
    secure = dict(person.headers)
    page = await person.page()
    person.headers["X-Forwarded-Proto"] = "http"
    said = sentences((await person.page()).encode())
    assert said.count("Switched off here. Passwords may not be sent over this connection") == 3
    assert "Facility account" in said
    token = re.search(r'name="_xsrf" value="([^"]*)"', page)
    assert token
    body = urlencode({"_xsrf": token[1], "username": "carol", "password": WONDER})
    refused = await person.post("/hub/password/staff/login", body, **person.headers)
    assert refused.code == 403
    assert "not encrypted" in sentences(refused.body)
    assert not signed_in(person)
    assert (await person.post("/hub/password/staff/login", body, **secure)).code == 302


@pytest.mark.parametrize("words", ["https,http", "https, http"])
async def test_attack_30_a_browser_cannot_say_for_itself_that_it_is_safe(
    facility: Facility, words: str
) -> None:
    person = browser_at(facility, "192.0.2.5")
    person.headers["X-Forwarded-Proto"] = words
    person.headers |= {"X-Scheme": "https", "Forwarded": "proto=https", "Origin": "https://x"}
    assert "Switched off here." in sentences((await person.page()).encode())


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        pytest.param("carol", "", 400, id="empty"),
        pytest.param("carol", " \t ", 400, id="blank"),
        pytest.param("carol", WONDER + "\0", 403, id="NUL"),
        pytest.param("carol", WONDER + "\r\n", 403, id="a line end"),
        pytest.param("carol", "pässwörd-3", 403, id="letters beyond ASCII"),
        pytest.param("carol", "x" * 10_000, 403, id="10 kB"),
        pytest.param("carol", b"\xff\xfe", 403, id="no text"),
        pytest.param("*", WONDER, 403, id="a star for a name"),
        pytest.param("carol)(uid=*", WONDER, 403, id="a filter for a name"),
        pytest.param("root", WONDER, 403, id="root"),
    ],
)
async def test_attack_30_odd_input_gets_a_sentence_and_no_login(
    facility: Facility, name: str, password: str | bytes, code: int
) -> None:
    person = browser_at(facility, f"198.51.100.{next(NUMBERS)}")
    page = await person.type("staff", name, password)
    assert page.code == code
    assert b"Traceback" not in page.body
    assert not signed_in(person)


async def test_attack_30_guessing_is_stopped_with_the_right_password_too(
    facility: Facility,
) -> None:
    person = browser_at(facility, "203.0.113.1")
    pages = await asyncio.gather(*(guess(facility, "carol", n, person) for n in range(12)))
    assert [page.code for page in pages].count(403) == PAIR.most
    assert [page.code for page in pages].count(429) == 12 - PAIR.most
    page = await person.type("staff", "Carol", WONDER)
    assert page.code == 429
    assert re.search(r"too many attempts to sign in\. Wait 15 minutes", sentences(page.body))
    assert 0 < int(page.headers["Retry-After"]) <= PAIR.lock_seconds
    assert not signed_in(person)
    elsewhere = browser_at(facility, "203.0.113.2")
    assert (await elsewhere.type("staff", "carol", WONDER)).code == 302


async def guess(facility: Facility, name: str, number: int, person: "Person") -> HTTPResponse:
    another = browser_at(facility, person.headers["X-Forwarded-For"])
    return await another.type("staff", name, f"guess-{number}")


async def test_attack_30_one_address_does_not_try_everybody(facility: Facility) -> None:
    person = browser_at(facility, "203.0.113.3")
    names = [f"name-{n}" for n in range(ADDRESS.most)]
    pages = await asyncio.gather(*(guess(facility, name, 1, person) for name in names))
    assert {page.code for page in pages} == {403}
    assert (await person.type("staff", "bob", WONDER)).code == 429


async def test_attack_30_invented_headers_do_not_make_another_address(
    facility: Facility, tmp_path: Path
) -> None:
    """Through the real proxy: what it adds to the headers counts, and not what came."""
    with proxy_before(facility.hub, tmp_path / "proxy.log") as url:
        codes = []
        for n in range(PAIR.most + 1):
            person = Person(url, f"10.1.1.{n}")
            person.headers["X-Real-Ip"] = f"10.1.1.{n}"
            codes.append((await person.type("staff", "mallory", "wrong-2")).code)
    assert codes == [403] * PAIR.most + [429]


@contextmanager
def proxy_before(hub: Hub, log: Path) -> Iterator[str]:
    port = free_port()
    proxy = REPOSITORY / ".node" / "node_modules" / "configurable-http-proxy" / "bin"
    command = [shutil.which("node") or str(REPOSITORY / ".venv" / "bin" / "node")]
    command += [str(proxy / "configurable-http-proxy"), f"--port={port}", "--ip=127.0.0.1"]
    command += [f"--default-target={hub.url}", f"--api-port={free_port()}"]
    with log.open("w") as out:
        running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/hub/health", running, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(10)


async def test_attack_30_neither_words_nor_time_tell_which_names_exist(facility: Facility) -> None:
    said: dict[str, set[str]] = {"carol": set(), "nobody": set()}
    took: dict[str, list[float]] = {"carol": [], "nobody": []}
    for n in range(4):
        for name, seconds in took.items():
            person = browser_at(facility, f"203.0.113.{10 + n}")
            await person.page()
            started = time.monotonic()
            page = await person.type("staff", name, "wrong-3")
            seconds.append(time.monotonic() - started)
            # Not the ways before: a provider may go out of order meanwhile.
            said[name].add(f"{page.code} {sentences(page.body.partition(b'Staff account')[2])}")
    assert said["carol"] == said["nobody"]
    assert len(said["carol"]) == 1
    medians = [statistics.median(seconds) for seconds in took.values()]
    assert min(medians) >= 0.2
    assert abs(medians[0] - medians[1]) < 0.1


async def test_two_sources_cannot_share_one_name(facility: Facility) -> None:
    first = await browser_at(facility, "192.0.2.6").type("staff", "eve", WONDER)
    assert first.code == 302
    second = browser_at(facility, "192.0.2.7")
    page = await second.type("here", "eve", "m")
    assert page.code == 403
    assert "belongs to somebody else" in sentences(page.body)
    assert not signed_in(second)


async def test_a_group_of_a_password_way_makes_no_administrator(facility: Facility) -> None:
    facility.slapd.add(person("dora", 5, 5, "/", userPassword=WONDER, employeeType="staff"))
    dora = browser_at(facility, "192.0.2.8")
    assert (await dora.type("staff", "dora", WONDER)).code == 302
    assert (await dora.get("/hub/admin", **dora.headers)).code == 403


async def test_who_is_gone_from_the_source_is_signed_out(facility: Facility) -> None:
    facility.slapd.add(person("gone", 6, 6, "/", userPassword=WONDER))
    gone = browser_at(facility, "192.0.2.9")
    assert (await gone.type("staff", "gone", WONDER)).code == 302
    assert (await gone.get("/hub/token", follow=0, **gone.headers)).code == 200
    facility.slapd.change(f"dn: cn=gone,ou=people,{BASE}\nchangetype: delete\n")
    async with asyncio.timeout(10):
        while (await gone.get("/hub/token", follow=0, **gone.headers)).code == 200:
            await asyncio.sleep(0.1)


async def test_a_source_that_is_down_signs_nobody_out_and_is_no_failed_attempt(
    facility: Facility,
) -> None:
    guest = browser_at(facility, "192.0.2.10")
    for _ in range(PAIR.most + 1):
        page = await guest.type("guests", "grace@example.org", HORSE)
        assert page.code == 503
        assert "The user office cannot check passwords now" in sentences(page.body)
    async with open_office(facility.office_port):
        assert (await guest.type("guests", "grace@example.org", HORSE)).code == 302
    await asyncio.sleep(1.1)  # until the hub asks again
    assert (await guest.get("/hub/token", follow=0, **guest.headers)).code == 200


async def test_attack_30_no_password_is_in_the_log_or_the_hubs_files(facility: Facility) -> None:
    """Last of all: it reads what all tests before have left, at the hub's loudest."""
    carol = browser_at(facility, "203.0.113.99")
    assert (await carol.type("staff", "carol", WONDER)).code == 302
    await asyncio.gather(*(guess(facility, "carol", n, carol) for n in range(PAIR.most + 1)))
    typo = browser_at(facility, "203.0.113.99")
    await typo.type("staff", "my-password-as-a-name", "wrong-4")
    log = facility.hub.log.read_text("utf-8", "replace")
    assert "DAAS-LOGIN: staff, carol, from 203.0.113.99: wrong name or password" in log
    assert "DAAS-TOO-MANY: staff, carol, from 203.0.113.99" in log
    assert "DAAS-LOGIN: staff, a name unknown here, from 203.0.113.99" in log
    typed = [WONDER, LAND, HORSE, "wrong-", "guess-", "pässwörd-3", READERS_PASSWORD]
    typed += ["my-password-as-a-name", "x" * 100]
    for secret in typed:
        for form in (secret, quote(secret), base64.b64encode(secret.encode()).decode().rstrip("=")):
            assert form not in log, secret

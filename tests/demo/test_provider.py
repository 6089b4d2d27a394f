"""The demo's identity provider: a real one, for this machine only."""

import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, urlopen

import playwright.sync_api as playwright
import pytest

from daas_authenticator.discovery import parse_keys, parse_metadata
from daas_authenticator.id_token import Expected, verify_id_token
from daas_demo.provider_people import read_people
from daas_demo.provider_settings import NotLoopbackError, ProviderSettings, is_loopback

SECRET = "secret-of-the-demo"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]


def environment(demo_url: str, listen_url: str) -> dict[str, str]:
    return {
        "DAAS_DEMO_URL": demo_url,
        "DAAS_DEMO_CLIENT_ID": "hub",
        "DAAS_DEMO_CLIENT_SECRET": SECRET,
        "JUPYTERHUB_SERVICE_PREFIX": "/services/provider/",
        "JUPYTERHUB_SERVICE_URL": listen_url,
    }


class NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


@dataclass
class Answer:
    code: int
    headers: Any
    body: str


@dataclass
class Browser:
    """Speaks to the provider as the hub's proxy would hand a browser's requests on."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        url = path if path.startswith("http") else f"{self.url}/services/provider{path}"
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        data = urlencode(form).encode() if form is not None else None
        try:
            response = build_opener(NoRedirect).open(Request(url, data, headers), timeout=10)
        except HTTPError as error:
            response = error
        with response:
            for line in response.headers.get_all("Set-Cookie", []):
                self.cookies |= {name: m.value for name, m in SimpleCookie(line).items()}
            return Answer(response.status, response.headers, response.read().decode())

    def request(self, **changes: str | None) -> str:
        """Return the address of a login, changed."""
        query = {
            "response_type": "code",
            "client_id": "hub",
            "redirect_uri": f"{self.url}/hub/oauth_callback",
            "scope": "openid profile",
            "state": "st",
            "nonce": "no",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        } | changes
        return "/authorize?" + urlencode({k: v for k, v in query.items() if v is not None})

    def choose(self, person: str, **changes: str | None) -> dict[str, str]:
        """Return what the hub would get when *person* is chosen."""
        address = self.request(**changes)
        page = self.ask(address)
        token = re.search(r'name="form_token" value="([^"]+)"', page.body)
        assert token, page.body
        answer = self.ask(address, {"form_token": token[1], "person": person})
        return {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    def exchange(self, code: str, **changes: str) -> Answer:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self.url}/hub/oauth_callback",
            "code_verifier": VERIFIER,
            "client_id": "hub",
            "client_secret": SECRET,
        } | changes
        return self.ask("/token", {name: value for name, value in form.items() if value})


def start(demo_url: str, listen_url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "daas_demo.provider"],
        env={**os.environ, **environment(demo_url, listen_url)},
        stderr=subprocess.PIPE,
        text=True,
    )


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def wait_until_up(url: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urlopen(f"{url}/services/provider/jwks", timeout=2).close()
        except (URLError, OSError):
            time.sleep(0.05)
        else:
            return
    pytest.fail("the provider did not come up")


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    url = free_url()
    process = start(url, url)
    try:
        wait_until_up(url)
        yield url
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.fixture
def browser(provider: str) -> Browser:
    return Browser(provider)


def json_of(answer: Answer) -> dict[str, Any]:
    return dict(json.loads(answer.body))


def test_each_person_signs_in_with_a_token_that_our_verification_accepts(browser: Browser) -> None:
    issuer = f"{browser.url}/services/provider"
    metadata = parse_metadata(json_of(browser.ask("/.well-known/openid-configuration")), issuer)
    keys = parse_keys(json_of(browser.ask("/jwks")))
    assert metadata.sends_issuer
    for person in read_people():
        answer = browser.choose(person.name)
        assert (answer["state"], answer["iss"]) == ("st", issuer)
        tokens = json_of(browser.exchange(answer["code"]))
        expected = Expected(issuer, "hub", metadata.signing_algorithms, "no")
        claims = verify_id_token(tokens["id_token"], keys, expected, time.time())
        info = browser.ask("/userinfo", Authorization=f"Bearer {tokens['access_token']}")
        assert json_of(info) == {
            "sub": claims["sub"],
            "preferred_username": person.name,
            "name": person.display_name,
            "groups": list(person.groups),
        }


def test_only_the_contact_is_an_administrator() -> None:
    admins = {person.name for person in read_people() if "daas-admins" in person.groups}
    assert admins == {"contact"}


def test_a_code_is_good_once(browser: Browser) -> None:
    code = browser.choose("pi")["code"]
    assert browser.exchange(code).code == 200
    assert browser.exchange(code).code == 400


def test_a_failed_exchange_spends_the_code(browser: Browser) -> None:
    code = browser.choose("pi")["code"]
    assert browser.exchange(code, code_verifier="w" * 43).code == 400
    assert browser.exchange(code).code == 400


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"code_verifier": ""}, id="no verifier"),
        pytest.param({"client_secret": "guessed"}, id="wrong secret"),
        pytest.param({"client_secret": ""}, id="no secret"),
        pytest.param({"client_id": "other"}, id="another client"),
        pytest.param({"redirect_uri": "http://127.0.0.1/other"}, id="another redirect URI"),
        pytest.param({"grant_type": "password"}, id="another grant"),
    ],
)
def test_an_exchange_that_is_not_the_hubs_is_refused(
    browser: Browser, change: dict[str, str]
) -> None:
    answer = browser.exchange(browser.choose("pi")["code"], **change)
    assert answer.code in (400, 401)
    assert "access_token" not in answer.body


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"client_id": "other"}, id="another client"),
        pytest.param({"redirect_uri": "http://evil.example/hub/oauth_callback"}, id="another host"),
        pytest.param({"redirect_uri": None}, id="no redirect URI"),
    ],
)
def test_a_request_for_somebody_else_is_not_redirected(
    browser: Browser, change: dict[str, str | None]
) -> None:
    answer = browser.ask(browser.request(**change))
    assert answer.code in (400, 401)
    assert answer.headers["Location"] is None


def test_the_redirect_uri_must_be_exact(browser: Browser) -> None:
    for more in ("/", "?x=1", "/../x", "#f"):
        uri = f"{browser.url}/hub/oauth_callback{more}"
        assert browser.ask(browser.request(redirect_uri=uri)).code == 400


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"code_challenge": None}, id="no challenge"),
        pytest.param({"code_challenge": None, "code_challenge_method": None}, id="no PKCE"),
        pytest.param({"code_challenge_method": "plain"}, id="plain PKCE"),
        pytest.param({"code_challenge_method": None}, id="plain PKCE by default"),
        pytest.param({"nonce": None}, id="no nonce"),
        pytest.param({"response_type": "token"}, id="implicit flow"),
        pytest.param({"prompt": "none"}, id="without asking"),
    ],
)
def test_a_weak_request_gets_no_page_and_no_code(
    browser: Browser, change: dict[str, str | None]
) -> None:
    answer = browser.ask(browser.request(**change))
    assert "form_token" not in answer.body
    assert "code=" not in (answer.headers["Location"] or "")


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"person": "pi"}, id="no token"),
        pytest.param({"person": "pi", "form_token": "guessed"}, id="guessed token"),
        pytest.param({"person": "pi", "form_token": ""}, id="empty token"),
        pytest.param({"person": "stranger"}, id="unknown person"),
    ],
)
def test_a_form_from_elsewhere_signs_nobody_in(browser: Browser, form: dict[str, str]) -> None:
    for known_browser in (False, True):
        if known_browser:
            browser.ask(browser.request())
        answer = browser.ask(browser.request(), form)
        assert (answer.code, answer.headers["Location"]) == (403, None)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer guessed", "Basic aHVi"])
def test_userinfo_answers_its_own_tokens_only(browser: Browser, header: str) -> None:
    assert browser.ask("/userinfo", Authorization=header).code == 401


def test_the_page_says_what_it_is_and_loads_its_own_style_only(browser: Browser) -> None:
    page = browser.ask(browser.request())
    for sentence in ("This is a demo:", "no password, fictitious people, only on this machine"):
        assert sentence in page.body
    assert "<script" not in page.body
    assert "style=" not in page.body
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["Cache-Control"] == "no-store"
    style = re.search(r'<link rel="stylesheet" href="([^"]+)"', page.body)
    assert style
    assert browser.ask(browser.url + style[1]).headers["Content-Type"].startswith("text/css")


LOOPBACK = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "url",
    [
        "https://portal.facility.example",
        "http://0.0.0.0:8000",
        "http://[::]:8000",
        "http://192.168.1.5:8000",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example#@127.0.0.1",
        "http://:8000",
        "//127.0.0.1",
        "ftp://127.0.0.1",
        "",
    ],
)
def test_it_refuses_every_address_but_this_machines(url: str) -> None:
    with pytest.raises(NotLoopbackError):
        ProviderSettings.from_environment(environment(url, LOOPBACK))
    with pytest.raises(NotLoopbackError):
        ProviderSettings.from_environment(environment(LOOPBACK, url))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1"])
def test_this_machine_has_several_names(host: str) -> None:
    assert is_loopback(host)


def test_the_process_ends_at_once_when_the_address_is_not_this_machines() -> None:
    process = start("http://0.0.0.0:8000", LOOPBACK)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "runs on 127.0.0.1 only" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Forwarded-For": "192.168.1.5"}, id="from another machine"),
        pytest.param({"X-Forwarded-For": "127.0.0.1, 192.168.1.5"}, id="claiming this machine"),
        pytest.param({"X-Forwarded-For": "unknown"}, id="from who knows where"),
        pytest.param({"Host": "rebound.example"}, id="under another name"),
    ],
)
def test_a_proxy_that_listens_too_widely_opens_nothing(
    browser: Browser, headers: dict[str, str]
) -> None:
    assert browser.ask(browser.request(), **headers).code == 403
    assert browser.ask(browser.request(), **{"X-Forwarded-For": "::ffff:127.0.0.1"}).code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_promptly_when_asked(number: signal.Signals) -> None:
    url = free_url()
    process = start(url, url)
    wait_until_up(url)
    process.send_signal(number)
    _, told = process.communicate(timeout=5)
    assert process.returncode == 0
    assert SECRET not in told


def test_it_ends_when_the_hub_is_gone() -> None:
    url = free_url()
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'daas_demo.provider'])\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **environment(url, url)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout
    child = int(parent.stdout.readline())
    wait_until_up(url)
    parent.kill()
    parent.communicate(timeout=5)
    deadline = time.monotonic() + 10
    while answers(url):
        assert time.monotonic() < deadline, f"provider {child} outlived its parent"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        urlopen(f"{url}/services/provider/jwks", timeout=2).close()
    except (URLError, OSError):
        return False
    return True


AXE = Path(__file__).parents[2] / ".node" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def chromium() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_barriers(
    chromium: playwright.Browser, browser: Browser, scheme: Any
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed in .node")
    page = chromium.new_page(color_scheme=scheme, bypass_csp=True)
    page.goto(f"{browser.url}/services/provider{browser.request()}")
    page.add_script_tag(content=AXE.read_text())
    found = page.evaluate("axe.run().then(r => r.violations.map(v => v.id))")
    assert found == []
    page.close()


@pytest.mark.browser
def test_choosing_somebody_works_without_scripts_and_with_the_keyboard(
    chromium: playwright.Browser, browser: Browser
) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.route("**/hub/oauth_callback*", lambda route: route.fulfill(body="the hub"))
    page.goto(f"{browser.url}/services/provider{browser.request()}")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    code = parse_qs(urlsplit(page.url).query)["code"][0]
    tokens = json_of(browser.exchange(code))
    info = browser.ask("/userinfo", Authorization=f"Bearer {tokens['access_token']}")
    assert json_of(info)["preferred_username"] == read_people()[1].name
    page.close()

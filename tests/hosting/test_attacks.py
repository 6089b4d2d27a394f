"""What a page of one person's session can do to another person: nothing, on sub-domains."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.conftest import Demo
from tests.hosting.attacker import TOKEN, open_lab, trap_set
from tests.hosting.conftest import Visit, choose
from tests.hosting.place import DOMAIN, Place

pytestmark = pytest.mark.browser


Trapped = Callable[..., tuple[Page, Page]]


@pytest.fixture
def trapped(visit: Visit) -> Iterator[Trapped]:
    """Return a function: the attacker's page, and the victim's, who looks at the trap."""
    with ExitStack() as traps:

        def set_and_look(hub: str, folder: Path, *, signed_in: bool = True) -> tuple[Page, Page]:
            portal = f"{hub}services/portal/"
            traps.enter_context(trap_set(folder, hub, victim="pi"))
            attacker = visit(portal)
            choose(attacker, "coproposer")
            session = open_lab(attacker, portal)
            victim = visit(portal)
            if signed_in:
                choose(victim, "pi")
            victim.goto(f"{session}trap")
            assert victim.title() == "trap"
            return attacker, victim

        yield set_and_look


WAYS = ("fetched", "own", "framed", "opened")


def test_attack_18_a_page_of_anothers_session_gets_no_token(trapped: Trapped, place: Place) -> None:
    _attacker, page = trapped(place.url, place.folder)
    assert DOMAIN in page.url
    for way in WAYS:
        said = page.evaluate("(way) => attack(way)", way)
        assert not TOKEN.search(said), way
        assert "Error" in said, way
    made = page.context.new_page()
    made.goto(f"{place.url}hub/token")
    assert "stolen" not in made.content()


def test_the_same_page_makes_a_token_where_all_share_one_address(
    trapped: Trapped, demo: Demo
) -> None:
    """The known limit of `DAAS_HOSTING=paths`; it shows that the attack is a real one."""
    _attacker, page = trapped(f"{demo.url}/", demo.folder)
    assert TOKEN.fullmatch(page.evaluate("(way) => attack(way)", "fetched"))


def signed_in(page: Page) -> str:
    """Return the name that the page's head shows."""
    return page.get_by_role("navigation").locator("strong").inner_text()


PLANT = """([cookies, domain]) => {
  for (const {name, value, path} of cookies)
    for (const place of new Set([path, "/", "/hub/", "/services/portal/"]))
      document.cookie = `${name}=${value}; Domain=${domain}; Path=${place}; Secure`;
  return document.cookie;  // which waits until all are stored
}"""

SEND = """([action, fields]) => new Promise((resolve) => {
  const frame = Object.assign(document.createElement("iframe"), {name: "sent"});
  const form = Object.assign(document.createElement("form"), {
    action, method: "post", target: "sent",
  });
  for (const [name, value] of Object.entries(fields))
    form.append(Object.assign(document.createElement("input"), {name, value}));
  document.body.append(frame, form);
  frame.onload = () => { frame.remove(); form.remove(); resolve(); };
  form.submit();
})"""


def planted(victim: Page, attacker: Page, place: Place) -> list[str]:
    """Plant all cookies of the attacker's browser in the victim's, on every host of ours.

    Each also without the prefix that keeps a browser from taking it. Returns what was taken.
    """
    own = attacker.context.cookies([place.url, place.portal, f"{place.url}hub/"])
    cookies = [
        {"name": name, "value": c["value"], "path": c["path"]}
        for c in own
        for name in {c["name"], c["name"].removeprefix("__Host-")}
    ]
    victim.evaluate(PLANT, [cookies, DOMAIN])
    names = {cookie["name"] for cookie in cookies}
    taken = [c["name"] for c in victim.context.cookies() if c["domain"] == f".{DOMAIN}"]
    assert {"__Host-jupyterhub-hub-login", "__Host-service-portal", "_xsrf"} <= names
    return taken


def test_attack_19_cookies_planted_by_another_session_sign_nobody_in(
    trapped: Trapped, place: Place
) -> None:
    attacker, victim = trapped(place.url, place.folder, signed_in=False)
    taken = planted(victim, attacker, place)
    assert {"_xsrf", "service-portal", "jupyterhub-hub-login"} <= set(taken)
    assert not [name for name in taken if name.startswith("__Host-")]
    victim.goto(place.portal)
    assert victim.url.startswith(place.issuer), "the victim works as the attacker, unaware"
    choose(victim, "pi")
    assert signed_in(victim) == "pi"


def test_attack_19_a_form_of_another_session_with_planted_cookies_changes_nothing(
    trapped: Trapped, place: Place
) -> None:
    attacker, victim = trapped(place.url, place.folder)
    planted(victim, attacker, place)
    known = {c["value"] for c in attacker.context.cookies() if c["name"] == "_xsrf"}
    assert known
    before = len(place.log)
    for xsrf in known:
        form = {"app": "pymca", "proposal": "2026-0142", "_xsrf": xsrf}
        victim.evaluate(SEND, [f"{place.portal}open", form])
        victim.evaluate(SEND, [f"{place.url}hub/logout", form])
    victim.goto(place.portal)
    assert victim.locator("article.session").count() == 0
    assert signed_in(victim) == "pi"
    log = place.log[before:]
    assert len(re.findall(r"daas_portal\] 403 POST /services/portal/open", log)) == len(known)
    assert len(re.findall(r"JupyterHub log:\d+\] 403 POST /hub/logout", log)) == len(known)


CONNECT = """(address) => new Promise((resolve) => {
  const socket = new WebSocket(address);
  socket.onopen = () => resolve("open");
  socket.onerror = () => resolve("refused");
})"""


def test_attack_19_another_session_opens_no_web_socket_with_a_persons_cookies(
    trapped: Trapped, place: Place
) -> None:
    _attacker, victim = trapped(place.url, place.folder)
    trap = victim.url
    for app, path in (("pymca", "rfb"), ("jupyterlab", "api/events/subscribe")):
        victim.goto(f"{place.portal}open?app={app}&proposal=2026-0142")
        victim.get_by_role("main").get_by_role("button").click()
        victim.wait_for_url(f"{place.sessions_of('pi')}**", wait_until="commit")
        session = f"{place.sessions_of('pi')}{app}-2026-0142/{path}".replace("https:", "wss:")
        assert victim.evaluate(CONNECT, session) == "open"
        victim.goto(trap)
        assert victim.evaluate(CONNECT, session) == "refused"

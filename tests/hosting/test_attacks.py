"""What a page of one person's session can do to another person: nothing, on sub-domains."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.conftest import Demo
from tests.hosting.attacker import TOKEN, open_lab, set_trap
from tests.hosting.conftest import Visit
from tests.hosting.place import DOMAIN, Place

pytestmark = pytest.mark.browser


def sign_in(page: Page, who: str) -> None:
    page.locator(f"button[name=person][value={who}]").click()
    page.locator("main h1").wait_for()


def trapped(visit: Visit, hub: str, folder: Any) -> Page:
    """Let pi, who is signed in, open a page that coproposer's session serves."""
    portal = f"{hub}services/portal/"
    set_trap(folder, hub, victim="pi")
    attacker = visit(portal)
    sign_in(attacker, "coproposer")
    session = open_lab(attacker, portal)
    victim = visit(portal)
    sign_in(victim, "pi")
    victim.goto(f"{session}trap")
    assert victim.title() == "trap"
    return victim


WAYS = ("fetched", "own", "framed", "opened")


def test_attack_18_a_page_of_anothers_session_gets_no_token(visit: Visit, place: Place) -> None:
    page = trapped(visit, place.url, place.folder)
    assert DOMAIN in page.url
    for way in WAYS:
        said = page.evaluate("(way) => attack(way)", way)
        assert not TOKEN.search(said), way
        assert "Error" in said, way
    made = page.context.new_page()
    made.goto(f"{place.url}hub/token")
    assert "stolen" not in made.content()


def test_the_same_page_makes_a_token_where_all_share_one_address(visit: Visit, demo: Demo) -> None:
    """The known limit of `DAAS_HOSTING=paths`; it shows that the attack is a real one."""
    page = trapped(visit, f"{demo.url}/", demo.folder)
    assert TOKEN.fullmatch(page.evaluate("(way) => attack(way)", "fetched"))

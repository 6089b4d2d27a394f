"""A guest follows an invitation in a real browser."""

import json
import re
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.conftest import Demo
from tests.spawner.test_one_door import token_inside

Axe = Callable[[Page], list[str]]
SESSION = "pymca-2026-0142"


def invitation(demo: Demo) -> str:
    """Return what the session's own page would show its person."""
    asked = urllib.request.Request(
        f"{demo.url}/hub/api/invitations",
        method="POST",
        headers={"Authorization": f"token {token_inside(SESSION, demo)}"},
    )
    with urllib.request.urlopen(asked) as answer:
        return f"{demo.url}{json.load(answer)['url'].removeprefix(demo.url)}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_guest_reads_what_it_is_about_and_comes_in_by_the_keyboard(
    visit: Visit, axe: Axe, demo: Demo, scheme: str
) -> None:
    owner = visit("pi")
    owner.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    owner.locator("body[data-phase=running]").wait_for()
    guest = visit("coproposer", color_scheme=scheme, bypass_csp=True)
    guest.goto(invitation(demo))
    expect(guest.get_by_role("heading", level=1)).to_have_text("pi invites you to look at PyMca")
    assert axe(guest) == []
    guest.get_by_role("button", name="Watch").press("Enter")
    expect(guest.get_by_role("heading", level=1)).to_contain_text("Open this session")
    assert axe(guest) == []
    guest.get_by_role("button", name="Open the session").press("Enter")
    expect(guest).to_have_url(re.compile(f"/user/pi/{SESSION}/"))
    guest.locator("body[data-phase=running]").wait_for()


def test_the_person_invites_gives_control_and_sends_out(visit: Visit, axe: Axe, demo: Demo) -> None:
    """All by the session's own page, as a person does it."""
    owner = visit("pi", bypass_csp=True)
    owner.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    owner.locator("body[data-phase=running]").wait_for()
    open_people(owner)
    expect(owner.get_by_text("Nobody else looks at PyMca.")).to_be_visible()
    owner.get_by_role("button", name="Invite by a link").click()
    link = owner.get_by_label("Send this link")
    expect(link).to_have_value(re.compile(f"{demo.url}/hub/watch"))
    assert axe(owner) == []
    guest = visit("coproposer")
    guest.goto(link.input_value())
    guest.get_by_role("button", name="Watch").click()
    guest.get_by_role("button", name="Open the session").click()
    guest.locator("body[data-phase=running]").wait_for()
    expect(guest.get_by_text("You are watching pi.")).to_be_visible()
    for words in ("Take control", "Files", "People", "End session"):
        expect(guest.get_by_role("button", name=words)).to_have_count(0)
    expect(owner.get_by_text("coproposer is watching", exact=True)).to_be_visible()
    assert axe(owner) == []
    owner.get_by_role("button", name="Give control").click()
    expect(guest.get_by_text("You are watching pi.")).to_be_hidden()
    expect(guest.get_by_text("You have keyboard and pointer now, in pi's PyMca.")).to_be_visible()
    assert axe(guest) == []
    expect(owner.get_by_text("coproposer has keyboard and pointer.")).to_be_visible()
    owner.get_by_role("button", name="Take control back").click()
    expect(guest.get_by_text("You are watching pi.")).to_be_visible()
    owner.get_by_role("button", name="Send out").click()
    expect(guest.get_by_text("Your visit has been ended.")).to_be_visible()
    expect(owner.get_by_text("Nobody else looks at PyMca.")).to_be_visible()
    guest.reload()
    expect(guest.locator("body")).to_contain_text("belongs to somebody else")


def open_people(page: Page) -> None:
    """Open the bar by its keys, and the dialog."""
    for key in ("Control", "Alt", "Shift"):
        page.keyboard.down(key)
    for key in ("Shift", "Alt", "Control"):
        page.keyboard.up(key)
    page.get_by_role("button", name="People").click()

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

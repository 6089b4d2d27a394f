"""A link from the facility's pages: it shows what would be opened, and starts nothing by itself."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.inside import Inside
from tests.browser.people import portal
from tests.conftest import Demo

LINK = "/services/portal/open?proposal=2026-0142&app=pymca"


def test_the_link_shows_what_and_one_button_and_starts_nothing(visit: Visit, demo: Demo) -> None:
    page = visit("pi", LINK)
    main = page.get_by_role("main")
    for fact in ("2026-0142", "Trace elements", "B08-XRF", "Small"):
        expect(main).to_contain_text(fact)
    expect(main.get_by_role("button")).to_have_text(re.compile("Open in PyMca"))
    assert Inside(demo, "pi", "pymca-2026-0142").sandboxes() == []


def test_the_link_survives_the_sign_in(visit: Visit, demo: Demo) -> None:
    page = visit(path=LINK)
    page.locator("button[name=person][value=coproposer]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Open in PyMca")
    assert page.url == f"{demo.url}{LINK}"


def test_a_session_that_runs_is_used_again(visit: Visit, demo: Demo) -> None:
    page = visit("pi", LINK)
    page.get_by_role("button", name="Open in PyMca").click()
    page.locator("body[data-phase=running]").wait_for()
    address, sandboxes = page.url, Inside(demo, "pi", "pymca-2026-0142").sandboxes()
    page.goto(f"{demo.url}{LINK}")
    page.get_by_role("button", name="Continue in your PyMca session").click()
    page.locator("body[data-phase=running]").wait_for()
    assert page.url == address
    assert Inside(demo, "pi", "pymca-2026-0142").sandboxes() == sandboxes


def test_unknown_and_foreign_proposals_read_the_same(visit: Visit) -> None:
    foreign = visit("coproposer", "/services/portal/open?proposal=2026-0231&app=pymca")
    unknown = visit("coproposer", "/services/portal/open?proposal=2026-9999&app=pymca")
    said = foreign.get_by_role("main").inner_text()
    assert said == unknown.get_by_role("main").inner_text()
    assert "There is no such proposal among yours." in said
    assert foreign.title() == unknown.title()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("proposal=2026-0142&app=nothing", "nothing"),
        ("proposal=2026-0142", "app"),
        ("proposal=2026-0142&app=../etc", "app"),
        ("proposal=2026-0142&app=pymca&machine=huge", "huge"),
    ],
    ids=["an unknown app", "no app", "an app that is a path", "an unknown machine"],
)
def test_a_wrong_link_gets_a_sentence_and_a_way_home(
    visit: Visit, demo: Demo, query: str, sentence: str
) -> None:
    page = visit("pi", f"/services/portal/open?{query}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(sentence)
    expect(page.get_by_role("main")).not_to_contain_text("Traceback")
    page.get_by_role("link", name="To your home page").click()
    assert page.url == portal(demo)

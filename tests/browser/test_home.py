"""What stands on the home page of each person, and that its buttons start something real."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.inside import Inside
from tests.browser.people import portal
from tests.conftest import Demo

FACTS = {
    "2026-0142": (
        "Trace elements in a reference sample by X-ray fluorescence",
        "Fluorescence spectra at one photon energy.",
        "B08-XRF",
        "6–9 Oct 2026, 17–20 Mar 2026",
    ),
    "2026-0231": (
        "Growth of precipitates while an alloy is heated, by ultra-small-angle scattering",
        "A series of scattering curves during heating",
        "B21-USAXS",
        "28 May – 1 Jun 2026",
    ),
}


@pytest.mark.parametrize(
    ("who", "proposals"),
    [
        ("pi", ["2026-0142", "2026-0231"]),
        ("coproposer", ["2026-0142"]),
        ("contact", ["2026-0142", "2026-0231"]),
        ("newcomer", []),
    ],
)
def test_each_person_sees_her_proposals_and_no_others(
    visit: Visit, who: str, proposals: list[str]
) -> None:
    page = visit(who)
    cards = page.locator("article.proposal")
    expect(cards).to_have_count(len(proposals))
    for proposal in proposals:
        card = cards.filter(has_text=proposal)
        for fact in FACTS[proposal]:
            expect(card).to_contain_text(fact)
        for app in ("PyMca", "JupyterLab"):
            expect(card.get_by_role("button", name=f"Open in {app}, {proposal}")).to_be_visible()


def test_a_newcomer_reads_what_to_do_and_can_try_the_apps(visit: Visit) -> None:
    page = visit("newcomer")
    expect(page.get_by_role("heading", name="You have no proposal here yet")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("ask its principal investigator")
    expect(page.get_by_role("button", name="Try PyMca with example data")).to_be_visible()


def test_a_newcomer_opens_pymca_with_example_data(visit: Visit, demo: Demo) -> None:
    page = visit("newcomer")
    page.get_by_role("button", name="Try PyMca with example data").click()
    page.locator("body[data-phase=running]").wait_for()
    session = Inside(demo, "newcomer", "pymca")
    assert "PyMca - [Main Window]" in session.windows()
    assert session.folder() == "/examples"


def test_a_newcomer_opens_jupyterlab_without_a_proposal(visit: Visit) -> None:
    page = visit("newcomer")
    page.get_by_role("button", name="Open in JupyterLab").click()
    expect(page.locator(".jp-DirListing-itemText").filter(has_text="Examples")).to_be_visible()


def test_a_double_click_opens_one_session(visit: Visit, demo: Demo) -> None:
    page = visit("pi")
    button = page.get_by_role("button", name="Open in PyMca, 2026-0142")
    button.dblclick()
    page.locator("body[data-phase=running]").wait_for()
    assert len(Inside(demo, "pi", "pymca-2026-0142").sandboxes()) == 1
    expect(_home(page, demo).locator("article.session")).to_have_count(1)


def _home(page: Page, demo: Demo) -> Page:
    page.goto(portal(demo))
    return page


def test_the_card_of_a_session_shows_its_screen_to_who_has_opened_it(
    visit: Visit, demo: Demo
) -> None:
    page = visit("pi")
    page.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    page.locator("body[data-phase=running]").wait_for()
    page.goto(portal(demo))
    screen = page.locator("article.session img[data-screen]")
    expect(screen).to_be_visible()
    assert screen.evaluate("image => [image.naturalWidth, image.naturalHeight]")[0] <= 320
    # The same person in another browser, where she has not opened it, sees the card without.
    elsewhere = visit("pi")
    expect(elsewhere.locator("article.session")).to_contain_text("Running")
    expect(elsewhere.locator("article.session img[data-screen]")).to_be_hidden()

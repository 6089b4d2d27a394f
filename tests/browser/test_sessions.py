"""Sessions on the home page: stop, more than one, one that died, open again."""

import time

from playwright.sync_api import Dialog, Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.inside import Inside
from tests.browser.people import portal
from tests.conftest import Demo

NAME = "pymca-2026-0142"


def test_a_session_is_stopped_from_the_home_page(visit: Visit, demo: Demo) -> None:
    page = _home_after_opening(visit, demo, "PyMca, 2026-0142")
    page.get_by_role("button", name="Stop PyMca · 2026-0142").click()
    expect(page.locator("p.said")).to_contain_text("Stopped.")
    expect(page.locator("article.session")).to_have_count(0)
    assert Inside(demo, "pi", NAME).sandboxes() == []


def test_stopping_asks_first_and_no_means_no(visit: Visit, demo: Demo) -> None:
    page = visit("pi")
    _open(page, demo, "PyMca, 2026-0142")
    asked: list[str] = []

    def refuse(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.get_by_role("button", name="Stop PyMca · 2026-0142").click()
    assert asked
    assert "Unsaved work in the program is lost; files are kept." in asked[0]
    expect(_card(page, NAME)).to_contain_text("Running")
    assert len(Inside(demo, "pi", NAME).sandboxes()) == 1


def test_two_sessions_run_at_the_same_time(visit: Visit, demo: Demo) -> None:
    page = visit("pi")
    _open(page, demo, "PyMca, 2026-0142")
    _open(page, demo, "PyMca, 2026-0231")
    for name in (NAME, "pymca-2026-0231"):
        expect(_card(page, name)).to_contain_text("Running")
        assert Inside(demo, "pi", name).windows() == ["PyMca - [Main Window]"]


def test_a_session_that_died_shows_as_stopped_within_five_seconds(visit: Visit, demo: Demo) -> None:
    page = _home_after_opening(visit, demo, "PyMca, 2026-0142")
    expect(_card(page, NAME)).to_contain_text("Running")
    page.evaluate("document.body.dataset.notReloaded = 'yes'")
    died = time.monotonic()
    Inside(demo, "pi", NAME).kill_supervisor()
    expect(_card(page, NAME)).to_contain_text("Stopped", timeout=5000)
    assert time.monotonic() - died < 5
    expect(page.locator("body")).to_have_attribute("data-not-reloaded", "yes")
    expect(page.locator("#announcer")).to_have_text("PyMca · 2026-0142: Stopped.")
    page.get_by_role("button", name="Remove PyMca · 2026-0142").click()
    expect(page.locator("p.said")).to_contain_text("Your files are kept.")
    expect(page.locator("article.session")).to_have_count(0)


def test_a_session_that_died_opens_again(visit: Visit, demo: Demo) -> None:
    page = _home_after_opening(visit, demo, "PyMca, 2026-0142")
    Inside(demo, "pi", NAME).kill_supervisor()
    page.get_by_role("button", name="Open again PyMca · 2026-0142").click()
    page.locator("body[data-phase=running]").wait_for()
    assert Inside(demo, "pi", NAME).windows() == ["PyMca - [Main Window]"]


def test_stopping_what_was_stopped_in_another_tab_is_no_error(visit: Visit, demo: Demo) -> None:
    first = _home_after_opening(visit, demo, "PyMca, 2026-0142")
    # Without scripts the second tab does not notice what happens in the first.
    second = visit("pi", java_script_enabled=False)
    first.get_by_role("button", name="Stop PyMca · 2026-0142").click()
    expect(first.locator("p.said")).to_contain_text("Stopped.")
    second.get_by_role("button", name="Stop PyMca · 2026-0142").click()
    expect(second.locator("p.said")).to_contain_text("Stopped.")


def test_a_session_opened_elsewhere_appears_without_a_reload(visit: Visit, demo: Demo) -> None:
    watching = visit("pi")
    _open(visit("pi"), demo, "PyMca, 2026-0142")
    expect(_card(watching, NAME)).to_contain_text("Running")
    link = watching.get_by_role("link", name="Continue PyMca · 2026-0142")
    expect(link).to_have_attribute("href", f"/user/pi/{NAME}/")


def _open(page: Page, demo: Demo, button: str) -> None:
    page.get_by_role("button", name=f"Open in {button}").click()
    page.locator("body[data-phase=running]").wait_for()
    page.goto(portal(demo))


def _home_after_opening(visit: Visit, demo: Demo, button: str) -> Page:
    page = visit("pi")
    page.on("dialog", lambda dialog: dialog.accept())
    _open(page, demo, button)
    return page


def _card(page: Page, name: str) -> Locator:
    return page.locator(f"#session-{name}")


def test_the_page_of_a_session_that_ended_does_not_reload_by_itself(
    visit: Visit, demo: Demo
) -> None:
    page = _home_after_opening(visit, demo, "PyMca, 2026-0142")
    Inside(demo, "pi", NAME).kill_supervisor()
    expect(_card(page, NAME)).to_contain_text("Stopped")
    page.goto(f"{portal(demo)}sessions/{NAME}")
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    with page.expect_response("**/events"):
        page.reload()
    page.wait_for_timeout(1000)  # time enough for a wrong reload
    assert len(loads) == 1
    expect(page.get_by_role("heading", level=1)).to_contain_text("does not run")

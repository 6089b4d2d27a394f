"""JupyterLab beside the data: the same folders, a viewer, a terminal, and PyMca as a tile."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import lab
from tests.browser.conftest import Visit
from tests.browser.people import data, portal
from tests.conftest import Demo


@pytest.fixture
def notebook(visit: Visit) -> Page:
    page = visit("pi")
    lab.open_lab(page, "2026-0231")
    return page


def test_it_opens_where_new_notebooks_can_be_saved_beside_the_raw_data(notebook: Page) -> None:
    expect(notebook.locator(".jp-BreadCrumbs")).to_contain_text("processed")
    assert lab.names(notebook, "Proposals") == {"2026-0231"}
    assert lab.names(notebook, "Proposals/2026-0231") == {"processed", "raw"}
    assert lab.names(notebook, "Proposals/2026-0231/raw") == {"VTMA.h5"}


def test_h5web_shows_a_measurement(notebook: Page) -> None:
    notebook.locator(".jp-BreadCrumbs-item", has_text="2026-0231").click()
    notebook.locator(".jp-DirListing-item", has_text="raw").dblclick()
    notebook.locator(".jp-DirListing-item", has_text="VTMA.h5").dblclick()
    expect(notebook.get_by_role("treeitem").filter(has_text="VTMA13b").first).to_be_visible()
    expect(notebook.get_by_role("figure", name="I (1/cm)")).to_be_visible()


def test_a_tile_of_the_launcher_opens_pymca(notebook: Page) -> None:
    tile = lab.launcher(notebook).filter(has_text="PyMca").last
    with notebook.context.expect_page() as opened:
        tile.click()
    desktop = opened.value
    desktop.locator("body[data-phase=running]").wait_for()
    expect(desktop.locator("#screen canvas")).to_be_visible()
    assert desktop.title() == "PyMca"


def test_a_terminal_works_and_cannot_write_raw_data(notebook: Page, demo: Demo) -> None:
    place = data(demo, "2026-0231", "processed")
    lab.type_in_terminal(
        notebook,
        "(id -un; pwd; touch ../raw/x) > said.tmp 2>&1; mv said.tmp said.txt",
    )
    said = _appears(notebook, place / "said.txt")
    assert said.splitlines()[:2] == ["pi", "/proposals/2026-0231/processed"]
    assert "Read-only file system" in said
    assert [file.name for file in data(demo, "2026-0231", "raw").iterdir()] == ["VTMA.h5"]


def test_what_one_person_writes_the_other_can_change(visit: Visit, demo: Demo) -> None:
    first, second = visit("pi"), visit("coproposer")
    lab.open_lab(first, "2026-0142")
    lab.open_lab(second, "2026-0142")
    note = "Proposals/2026-0142/processed/note.txt"
    assert lab.write(first, note, "from pi") == 201
    assert lab.contents(second, note)[1]["content"] == "from pi"
    assert lab.write(second, note, "from pi, changed by coproposer") == 200
    assert lab.contents(first, note)[1]["content"] == "from pi, changed by coproposer"
    assert lab.write(second, "Proposals/2026-0142/raw/note.txt", "no") >= 400
    assert not (data(demo, "2026-0142", "raw") / "note.txt").exists()
    assert lab.names(second, "Proposals") == {"2026-0142"}


def test_a_session_that_was_stopped_offers_no_restart_that_would_be_refused(
    visit: Visit, demo: Demo
) -> None:
    # A page that loses its session says so on the console as well.
    notebook = visit("pi", watch_console=False)
    lab.open_lab(notebook, "2026-0231")
    home = visit("pi")
    home.on("dialog", lambda dialog: dialog.accept())
    home.get_by_role("button", name="Stop JupyterLab · 2026-0231").click()
    expect(home.locator("p.said")).to_contain_text("Stopped")
    notebook.get_by_role("button", name="Refresh").first.click()
    dialog = notebook.locator(".jp-Dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Restart")).to_have_count(0)
    notebook.goto(notebook.url)
    expect(notebook.get_by_role("heading", level=1)).to_have_text("This session is not running")
    expect(notebook.get_by_role("button", name="Start")).to_have_count(0)
    notebook.get_by_role("link", name="To your home page").click()
    expect(notebook.get_by_role("heading", level=1)).to_have_text("Your data analysis")
    assert notebook.url.startswith(portal(demo))


def _appears(page: Page, file: Path) -> str:
    until = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < until, f"{file.name} does not appear"
        page.wait_for_timeout(50)
    return file.read_text("utf-8")

"""One click, and PyMca stands in the browser with the proposal's data."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.inside import Inside
from tests.conftest import Demo

SPECTRUM = "/proposals/2026-0142/raw/XRFSpectrum.mca"

#: Share of the canvas, as left, top, right, bottom, where PyMca draws its curve.
PLOT = (0.521, 0.2, 0.92, 0.5)

COUNT = """(canvas, [left, top, right, bottom]) => {
  const w = canvas.width, h = canvas.height;
  const area = canvas.getContext("2d").getImageData(
    left * w, top * h, (right - left) * w, (bottom - top) * h);
  let dark = 0, light = 0;
  for (let i = 0; i < area.data.length; i += 4) {
    const sum = area.data[i] + area.data[i + 1] + area.data[i + 2];
    if (sum < 300) dark += 1;
    if (sum > 700) light += 1;
  }
  return {dark, light};
}"""


@pytest.fixture
def pymca(visit: Visit) -> Page:
    page = visit("pi")
    page.get_by_role("button", name="Open in PyMca, 2026-0142").click()
    page.locator("body[data-phase=running]").wait_for()
    return page


def test_one_click_opens_pymca_in_the_folder_of_the_proposal(pymca: Page, demo: Demo) -> None:
    session = Inside(demo, "pi", "pymca-2026-0142")
    assert session.windows() == ["PyMca - [Main Window]"]
    assert session.folder() == "/proposals/2026-0142"
    assert pymca.title() == "PyMca"
    expect(pymca.locator("#cover")).to_be_hidden()
    expect(pymca.locator("#bar .notice")).to_contain_text("This is a demo")


def test_a_spectrum_of_the_raw_data_is_drawn(pymca: Page, demo: Demo) -> None:
    session = Inside(demo, "pi", "pymca-2026-0142")
    before = _settled(pymca)
    assert before["light"] > 20 * before["dark"], "an empty plot is white, not black"
    _open_file(pymca, session, SPECTRUM)
    _choose_first_spectrum(pymca)
    until = time.monotonic() + 15
    while (drawn := _pixels(pymca))["dark"] < before["dark"] + 500:
        assert time.monotonic() < until, f"no curve: {before} {drawn}"
        pymca.wait_for_timeout(100)
    assert drawn["light"] > drawn["dark"]


def _open_file(page: Page, session: Inside, path: str) -> None:
    """File → Open → Data Source, all files, *path*: with mouse and keyboard, as a person does."""
    screen = page.locator("#screen canvas")
    screen.click(position={"x": 100, "y": 250})
    page.keyboard.press("Control+o")
    page.wait_for_timeout(500)  # a pop-up menu has no title to wait for
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    title = "Open a new source file"
    _until(page, lambda: title in session.windows())
    page.wait_for_timeout(300)
    page.keyboard.press("Tab")
    page.keyboard.press("a")  # All Files
    page.keyboard.press("Shift+Tab")
    page.keyboard.type(path)
    page.keyboard.press("Enter")
    _until(page, lambda: title not in session.windows())


def _choose_first_spectrum(page: Page) -> None:
    page.locator("#screen canvas").click(position={"x": 100, "y": 178})
    page.locator("#screen canvas").click(position={"x": 100, "y": 760})


def _pixels(page: Page) -> dict[str, int]:
    counted: dict[str, int] = page.locator("#screen canvas").evaluate(COUNT, PLOT)
    return counted


def _settled(page: Page) -> dict[str, int]:
    """The plot once it has been drawn and does not change any more."""
    last: dict[str, int] = {}
    while (now := _pixels(page)) != last or not now["light"]:
        last = now
        page.wait_for_timeout(300)
    return now


def _until(page: Page, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        page.wait_for_timeout(50)

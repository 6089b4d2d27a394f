"""The page in a real browser, behind a line that can be cut."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.desktop.chromium import violations
from tests.desktop.line import Line

pytestmark = pytest.mark.browser


@pytest.fixture
def desktop(start: Callable[..., Any], window: tuple[str, ...]) -> Any:
    started = start(*window, title="PyMca")
    started.reaches("running")
    return started


CANVAS_FOCUSED = "document.activeElement.id === 'keyboard'"


def test_the_page_shows_the_program_and_the_browser_has_no_complaint(page: Any) -> None:
    assert page.title() == "PyMca"
    assert not page.is_visible("#cover")
    assert violations(page) == []
    assert page.complaints == []


def test_the_screen_follows_the_browsers_size(page: Any, holds: Callable[[str], None]) -> None:
    for width, height in ((1280, 800), (1000, 700)):
        page.set_viewport_size({"width": width, "height": height})
        holds(
            f"(c => c.width === {width} && c.height === {height})"
            "(document.querySelector('#screen canvas'))"
        )


def test_keys_reach_the_program_and_three_together_lead_out_of_it(
    page: Any, desktop: Any, wait_until: Callable[..., Any], holds: Callable[[str], None]
) -> None:
    holds(CANVAS_FOCUSED)
    page.keyboard.press("a")
    wait_until(lambda: b"key a" in desktop.ask("/log")[2], "the program got the key")
    for key in ("Control", "Alt", "Shift"):
        page.keyboard.down(key)
    for key in ("Shift", "Alt", "Control"):
        page.keyboard.up(key)
    holds("document.activeElement.id === 'portal'")
    assert page.get_attribute("#portal", "href") == "/services/portal/"
    assert violations(page) == []
    page.keyboard.press("Escape")
    holds(CANVAS_FOCUSED)
    page.keyboard.press("b")
    wait_until(lambda: b"key b" in desktop.ask("/log")[2], "no key was left pressed")


def test_a_program_that_ended_can_be_opened_again(page: Any, desktop: Any) -> None:
    (desktop.directory / "end").write_text("0")
    page.wait_for_selector("text=PyMca has ended.")
    assert page.is_visible("text=Your files are kept.")
    assert page.is_hidden("#log")
    assert violations(page) == []
    page.click("text=Open PyMca again")
    page.wait_for_selector("body[data-phase=running] #cover", state="hidden")
    assert page.complaints == []


def test_a_program_that_failed_says_why(page: Any, desktop: Any) -> None:
    (desktop.directory / "end").write_text("5")
    page.wait_for_selector("text=PyMca has stopped with an error.")
    page.click("text=Show what PyMca said last")
    page.wait_for_selector("#log-text:has-text('window shown')")
    assert violations(page) == []


def test_a_program_that_the_system_killed_is_said_to_be(page: Any, desktop: Any) -> None:
    os.kill(desktop.program_pid(), signal.SIGKILL)
    page.wait_for_selector("text=PyMca was killed.")
    assert page.is_visible("text=Most often memory has run out. What it had saved is kept.")


def test_a_cut_line_is_said_and_mended(page: Any, line: Line) -> None:
    line.cut()
    page.wait_for_selector("text=Connection lost – trying again. PyMca keeps running.")
    assert violations(page) == []
    line.cut(down=False)
    page.wait_for_selector("#line", state="hidden")
    page.wait_for_selector("#screen canvas")


def test_the_clipboard_goes_to_the_program(
    page: Any, desktop: Any, wait_until: Callable[..., Any], holds: Callable[[str], None]
) -> None:
    page.hover("#bar-handle")
    page.click("#clipboard-open")
    assert violations(page) == []
    page.fill("#clipboard-text", "µ and Å")
    page.click("#clipboard-send")
    page.wait_for_selector("#clipboard", state="hidden")
    holds(CANVAS_FOCUSED)
    wait_until(lambda: "clipboard µ and Å ".encode() in desktop.ask("/log")[2], "the text is there")

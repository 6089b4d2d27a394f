"""What a person reads when a connection ends, comes back, or belongs to another tab."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.desktop.chromium import violations
from tests.desktop.line import Line

pytestmark = pytest.mark.browser

SHOWN = "body[data-phase=running] #screen canvas"


@pytest.fixture
def desktop(start: Callable[..., Any], window: tuple[str, ...]) -> Any:
    started = start(*window, title="PyMca")
    started.reaches("running")
    return started


def test_a_connection_that_comes_back_says_so(page: Any, line: Line) -> None:
    line.cut()
    page.wait_for_selector("text=Connection lost – trying again. PyMca keeps running.")
    line.cut(down=False)
    page.wait_for_selector("text=Connected again.")
    assert violations(page) == []
    page.wait_for_selector("#line", state="hidden")
    page.wait_for_selector(SHOWN)
    assert page.evaluate("document.activeElement.id") == "keyboard"


def test_who_is_sent_away_reads_why_and_the_page_does_not_come_back(page: Any, line: Line) -> None:
    sentence = "Ada has ended your visit."
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    line.end(4003, sentence)
    page.wait_for_selector(f"text={sentence}")
    assert page.is_visible("text=You no longer see this screen.")
    assert page.evaluate("document.activeElement.id") == "back"
    assert violations(page) == []
    page.wait_for_timeout(1500)  # time enough for a page that tries again by itself
    assert not any("state" in address for address in asked)


def test_the_earlier_of_two_tabs_says_who_has_control_and_takes_it_back(
    page: Any, line: Line, desktop: Any, wait_until: Callable[..., Any]
) -> None:
    later = page.context.new_page()
    later.set_viewport_size({"width": 1000, "height": 600})
    later.goto(line.url)
    later.wait_for_selector(SHOWN)
    page.wait_for_selector("text=PyMca is open in another tab of yours")
    size = "(c => [c.width, c.height])(document.querySelector('#screen canvas'))"
    wait_until(lambda: later.evaluate(size) == [1000, 600], "the later one has its size")
    assert violations(page) == []
    page.bring_to_front()
    page.keyboard.press("x")
    later.keyboard.press("y")
    wait_until(lambda: b"key y" in desktop.ask("/log")[2], "the later one has the keyboard")
    assert b"key x" not in desktop.ask("/log")[2]
    page.click("text=Take control")
    page.wait_for_selector("#role", state="hidden")
    later.wait_for_selector("text=PyMca is open in another tab of yours")
    page.focus("#keyboard")
    page.keyboard.press("z")
    wait_until(lambda: b"key z" in desktop.ask("/log")[2], "the earlier one has it again")
    wait_until(lambda: page.evaluate(size)[0] == 1280, "and its size")

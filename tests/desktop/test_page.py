"""The page in a real browser, behind a line that can be cut."""

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.chromium import violations

pytestmark = pytest.mark.browser


class Line:
    """Carries connections from a TCP port to a unix socket, until it is cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._other: dict[socket.socket, socket.socket] = {}
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._down = self._over = False
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self) -> None:
        while not self._over:
            for key, _ in self._selector.select():
                end = key.fileobj
                assert isinstance(end, socket.socket)
                if end is self._woken:
                    end.recv(1)
                elif end is self._listener:
                    self._accept()
                elif end in self._other:
                    self._pass_on(end)
            if self._down or self._over:
                for end in list(self._other):
                    self._drop(end)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(str(self._path))
        except OSError:
            near.close()
            far.close()
            return
        self._other |= {near: far, far: near}
        for end in (near, far):
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = end.recv(65536)
        try:
            self._other[end].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        for each in (end, self._other.get(end)):
            if each is not None and self._other.pop(each, None) is not None:
                self._selector.unregister(each)
                each.close()

    def cut(self, down: bool = True) -> None:
        self._down = down
        self._wake.send(b"x")

    def close(self) -> None:
        self._over = True
        self._wake.send(b"x")
        self._thread.join()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        self._selector.close()


@pytest.fixture
def desktop(start: Callable[..., Any], window: tuple[str, ...]) -> Any:
    started = start(*window, title="PyMca")
    started.reaches("running")
    return started


@pytest.fixture
def line(desktop: Any) -> Iterator[Line]:
    carried = Line(desktop.path)
    yield carried
    carried.close()


@pytest.fixture
def page(chromium: Any, line: Line) -> Iterator[Any]:
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        opened = context.new_page()
        opened.complaints = []
        opened.on("console", lambda m: m.type == "error" and opened.complaints.append(m.text))
        opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.goto(line.url)
        opened.wait_for_selector("body[data-phase=running] #screen canvas")
        yield opened


@pytest.fixture
def holds(page: Any, wait_until: Callable[..., Any]) -> Callable[[str], None]:
    """Wait for a JavaScript condition; Playwright's own way needs eval, which the page forbids."""
    return lambda condition: wait_until(lambda: page.evaluate(condition), condition)


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
    wait_until(lambda: "clipboard µ and Å".encode() in desktop.ask("/log")[2], "the text is there")

"""The desktop as a real browser shows it: frames on the canvas, keys, and sharpness at rest.

Used with our own page and with the peers'; `probe.js` looks at every canvas in the same way.
"""

import os
import random
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.desktop import chain
from benchmarks.desktop.processes import follow
from benchmarks.desktop.viewer import RAW, Viewer
from benchmarks.sessions import below
from tests.browser.conftest import CHROMIUM, FLAGS

PROBE = Path(__file__).with_name("probe.js")
ORDER_KEYS = {"rest": "F1", "plot": "F2", "noise": "F3", "still": "F4"}
BLOCK = (960, 640, 64, 64)


@dataclass(frozen=True, slots=True)
class Page1080:
    """A page that shows the painter, and how to open it."""

    name: str
    url: str
    cookies: Mapping[str, str]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        follow(below(os.getpid(), leave_out=lambda _: False))
        yield browser
        browser.close()


def open_page(browser: Browser, shown: Page1080) -> tuple[BrowserContext, Page]:
    """Open the page and return once a key changes the square on its canvas."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    context.add_init_script(path=PROBE)
    for name, value in shown.cookies.items():
        context.add_cookies([{"name": name, "value": value, "url": shown.url}])
    page = context.new_page()
    page.goto(shown.url)
    began = time.monotonic()
    while not page.evaluate("daasProbe.keys.length"):
        if time.monotonic() > began + 40:
            raise TimeoutError(f"{shown.name} does not answer keys")
        time.sleep(0.3)
        page.mouse.click(960, 540)
        page.keyboard.press("k")
        time.sleep(0.3)
    return context, page


def order(page: Page, name: str) -> None:
    """Tell the painter what to paint."""
    page.keyboard.press(ORDER_KEYS[name])


def keys(page: Page, count: int, content: str = "rest") -> list[float]:
    """Return the milliseconds from each key to its square on the canvas; 2 s for one not seen."""
    order(page, content)
    time.sleep(0.6 if content == "rest" else 4)
    page.evaluate("daasProbe.keys = []; daasProbe.pressed = 0")
    lost = 0
    for _ in range(count):
        page.keyboard.press("k")
        until = time.monotonic() + 2
        time.sleep(random.uniform(0.05, 0.08))
        while (waiting := page.evaluate("daasProbe.pressed")) and time.monotonic() < until:
            time.sleep(0.02)
        lost += bool(waiting)
        page.evaluate("daasProbe.pressed = 0")
    times: list[float] = page.evaluate("daasProbe.keys")
    return times + [2000.0] * lost


def frames_per_s(page: Page, content: str, seconds: float) -> float:
    """Return how many frames of the painter's were seen on the canvas."""
    order(page, content)
    time.sleep(1.5)
    began = page.evaluate("[performance.now(), daasProbe.frames]")
    time.sleep(seconds)
    ended = page.evaluate("[performance.now(), daasProbe.frames]")
    order(page, "rest")
    time.sleep(0.7)
    return float(ended[1] - began[1]) / float(ended[0] - began[0]) * 1000


def sharp_ms(page: Page, here: chain.Chain) -> float:
    """Return the milliseconds from the order to stand still to a sharp picture; -1 for never."""
    order(page, "noise")
    time.sleep(2)
    order(page, "still")
    time.sleep(1.5)
    truth = true_block(here)
    found = page.evaluate("truth => daasProbe.sharp(truth)", list(truth))
    order(page, "rest")
    return float(found["ms"])


def true_block(here: chain.Chain) -> bytes:
    """Return the block that the probe looks at as it is on the X server."""
    viewer = Viewer(here.direct(), (RAW,))
    left, top, width, height = BLOCK
    rows = {y: bytearray(width * 4) for y in range(top, top + height)}
    missing = width * height
    while missing > 0:
        update = viewer.next(2)
        if update is None:
            raise TimeoutError("the X server does not show the block")
        for (x, y, wide, high), data in update.raw.items():
            near, far = max(x, left), min(x + wide, left + width)
            for row in range(max(y, top), min(y + high, top + height)):
                if near < far:
                    at = ((row - y) * wide + near - x) * 4
                    part = data[at : at + (far - near) * 4]
                    rows[row][(near - left) * 4 : (far - left) * 4] = part
                    missing -= far - near
    viewer.wire.close()
    return b"".join(rows.values())


def middle(values: list[float]) -> float:
    """Return the median; 0 of nothing."""
    return statistics.median(values) if values else 0.0

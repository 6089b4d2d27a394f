"""From the click to the program's window: with a cold session, and where the session runs already.

PyMca in a demo of its own, as `benchmarks.sessions` does it, in turn with the same program by hand.
"""

import os
import signal
import statistics
import time

from playwright.sync_api import Browser, Page

from benchmarks import sessions
from benchmarks.desktop.browser import running_browser
from benchmarks.desktop.figures import Figures
from tests.browser.inside import Inside
from tests.conftest import Demo, free_port, short_folder


def clicks(figures: Figures, rounds: int) -> None:
    """Measure both clicks against the bare start."""
    with short_folder() as folder:
        demo = Demo(folder, free_port())
        try:
            demo.start_and_wait()
            with running_browser() as browser:
                cold, warm, bare, memory = in_turn(browser, demo, rounds)
        finally:
            demo.end()
    figures.add("the program by hand, to its window", f"{statistics.median(bare):.2f} s")
    for what, clicked, limit in (
        ("click → window, cold session", cold, 0.9),
        ("click → window, session running, program not", warm, 0.2),
    ):
        figures.add(what, f"{statistics.median(clicked):.2f} s")
        more = statistics.median(a - b for a, b in zip(clicked, bare, strict=True))
        figures.at_most("  more than by hand, pair by pair", more, limit, "s")
    figures.at_most("a session of the demo without its program, PSS", memory, 150, "MiB")


def in_turn(
    browser: Browser, demo: Demo, rounds: int
) -> tuple[list[float], list[float], list[float], float]:
    """Return the seconds of cold clicks, warm clicks and bare starts, and the session's MiB."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.set_default_timeout(60_000)
    demo.sign_in(page, "pi")
    cold, warm, bare = [], [], []
    memory = 0.0
    for number in range(rounds + 1):  # the first warms the disk for all
        cold.append(sessions.click_to_window(page, demo))
        memory = memory or sessions.desktop_memory(demo)
        warm.append(again_to_window(page, demo))
        sessions.stop(page, demo)
        bare.append(sessions.bare_start())
        if number == 0:
            cold, warm, bare = [], [], []
    return cold, warm, bare, memory


def again_to_window(page: Page, demo: Demo) -> float:
    """End the program, open it again from its page; return the seconds until its window."""
    inside = Inside(demo, "pi", sessions.SESSION)
    for sandbox in inside.sandboxes():
        for pid in sessions.below(sandbox, leave_out=lambda _: False):
            if sessions.is_application(pid):
                os.kill(pid, signal.SIGKILL)
    page.wait_for_selector("#again", state="visible")
    time.sleep(0.5)
    began = time.monotonic()
    page.click("#again")
    page.wait_for_selector("#cover", state="hidden")
    return time.monotonic() - began

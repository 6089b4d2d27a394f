"""`make bench`: how much the portal adds to a program's own start, and what a desktop weighs.

Prints, each taken in this one run on this machine:
- click → PyMca's main window, against the same program started by hand under the same X server
  and window manager (cold sessions, in turn, median of 5);
- memory of a desktop session without its application (sum of PSS, 1920×1080, one viewer);
- the portal's own time for the home page, and the time of a second `make demo`.
"""

import asyncio
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from daas_desktop.picture.display import Display
from daas_desktop.program.windows import main_window
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.inside import Inside
from tests.conftest import REPOSITORY, Demo, free_port, short_folder

RUNS = 5
PROPOSAL = "2026-0142"
SESSION = f"pymca-{PROPOSAL}"
ENVIRONMENT = REPOSITORY / ".session-env"


def main() -> int:
    """Measure and print; return 1 when a bound of the issue is missed."""
    with short_folder() as folder:
        demo = Demo(folder, free_port())
        try:
            demo.start_and_wait()
            demo.end()
            began = time.monotonic()
            demo.start_and_wait()
            serving = time.monotonic() - began
            with sync_playwright() as playwright:
                flags = list(FLAGS)
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
                starts, memory, home = measure(browser, demo)
        finally:
            demo.end()
    return report(starts, memory, home, serving)


def measure(browser: Browser, demo: Demo) -> tuple[list[tuple[float, float]], float, float]:
    """Return pairs of (click, bare) seconds, a desktop's MiB, and the home page's milliseconds."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.set_default_timeout(60_000)
    demo.sign_in(page, "pi")
    pairs = []
    memory = 0.0
    click_to_window(page, demo)  # warms the disk for both
    stop(page, demo)
    bare_start()
    for _ in range(RUNS):
        click = click_to_window(page, demo)
        memory = memory or desktop_memory(demo)
        stop(page, demo)
        pairs.append((click, bare_start()))
    for _ in range(20):
        page.goto(demo.portal)
    times = re.findall(r"200 GET /services/portal/ \(pi\) ([\d.]+) ms", demo.log_text())
    return pairs, memory, statistics.median(float(found) for found in times[-20:])


def click_to_window(page: Page, demo: Demo) -> float:
    """Return the seconds from the click until the page uncovers the main window."""
    page.goto(demo.portal)
    button = page.get_by_role("button", name=f"Open in PyMca, {PROPOSAL}")
    began = time.monotonic()
    button.click()
    page.wait_for_selector("#screen canvas", state="attached")
    page.wait_for_selector("#cover", state="hidden")
    return time.monotonic() - began


def stop(page: Page, demo: Demo) -> None:
    """Stop the session from the home page."""
    page.goto(demo.portal)
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator(f"#session-{SESSION} [data-stop]").click()
    page.wait_for_selector(f"#session-{SESSION}", state="detached")


def bare_start() -> float:
    """Return the seconds from starting the program by hand until its main window is there."""
    with tempfile.TemporaryDirectory() as home:
        path = f"{ENVIRONMENT}/bin:{os.environ['PATH']}"
        display = Display({**os.environ, "PATH": path, "HOME": home, "XDG_RUNTIME_DIR": home})
        display.wait()
        display.start_window_manager()
        program = None
        try:
            began = time.monotonic()
            program = subprocess.Popen(
                ["pymca"],
                env=dict(display.environment),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                executable=f"{ENVIRONMENT}/bin/pymca",
            )
            with ThreadPoolExecutor() as apart:  # Playwright has this thread's event loop
                apart.submit(asyncio.run, main_window(display.environment)).result()
            return time.monotonic() - began
        finally:
            if program is not None:
                program.kill()
                program.wait()
            display.close()


def desktop_memory(demo: Demo) -> float:
    """Return the session's PSS in MiB, its supervisor included, its application left out."""
    inside = Inside(demo, "pi", SESSION)
    (sandbox,) = inside.sandboxes()
    status = Path(f"/proc/{sandbox}/status").read_text("utf-8")
    supervisor = int(status.split("PPid:")[1].split()[0])
    total = 0.0
    for pid in [supervisor, *below(supervisor, leave_out=is_application)]:
        kib = pss_kib(pid)
        print(f"    {comm(pid):<16} {kib / 1024:6.1f} MiB")
        total += kib / 1024
    return total


def is_application(pid: int) -> bool:
    """Return whether *pid* is PyMca itself rather than what shows it."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return any(word.endswith(b"/bin/pymca") for word in words)
    return False


def below(pid: int, leave_out: Callable[[int], bool]) -> Iterator[int]:
    """Yield the descendants of *pid* but those of a process that is left out."""
    with contextlib.suppress(OSError):
        for text in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
            child = int(text)
            if not leave_out(child):
                yield child
                yield from below(child, leave_out)


def pss_kib(pid: int) -> int:
    """Return a process's proportional set size in KiB (proc(5), smaps_rollup)."""
    with contextlib.suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


def comm(pid: int) -> str:
    """Return a process's short name."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text("utf-8").strip()
    return "gone"


def report(pairs: list[tuple[float, float]], memory: float, home: float, serving: float) -> int:
    """Print the figures with their bounds; return 1 when one is missed."""
    click = statistics.median(first for first, _ in pairs)
    bare = statistics.median(second for _, second in pairs)
    ratio = statistics.median(first / second for first, second in pairs)
    more = statistics.median(first - second for first, second in pairs)
    lines = [
        ("click → main window, median of 5", f"{click:.2f} s", True),
        ("  the same program by hand", f"{bare:.2f} s", True),
        ("  ratio, pair by pair", f"{ratio:.2f}", True),
        ("  difference, pair by pair (≤ 1.2 s)", f"{more:.2f} s", more <= 1.2),
        ("a desktop without its application (≤ 150 MiB)", f"{memory:.0f} MiB", memory <= 150),
        ("the portal's time for its home page (≤ 100 ms)", f"{home:.0f} ms", home <= 100),
        ("a second `make demo` until it serves (≤ 10 s)", f"{serving:.1f} s", serving <= 10),
    ]
    for what, figure, kept in lines:
        print(f"{what:<52} {figure:>10}{'' if kept else '   missed'}")
    return 0 if all(kept for _, _, kept in lines) else 1


if __name__ == "__main__":
    sys.exit(main())

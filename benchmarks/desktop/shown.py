"""What a person sees in the browser: our page beside its peers, in turn, in one browser."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Error, Page

from benchmarks.desktop import browser as seen
from benchmarks.desktop import chain, line, peers, slow
from benchmarks.desktop.figures import Figures, p95

OURS = "our page"
CONTENT = {"plot": ("plot-like", 1.0), "noise": ("detector-like", 1.5)}


@dataclass(slots=True)
class Seen:
    """What was seen of one page in all its rounds."""

    keys: list[float] = field(default_factory=list)
    frames: dict[str, list[float]] = field(default_factory=dict)


def side_by_side(
    figures: Figures, here: chain.Chain, names: list[str], rounds: int, seconds: float
) -> None:
    """Measure our page and the peers, and demand of ours what the issue demands."""
    found: dict[str, Seen] = {}
    with contextlib.ExitStack() as stack:
        pages = [ours(here)]
        for name in names:
            if name in peers.missing():
                figures.add(f"in the browser: {name}", "not installed, not run")
            else:
                pages.append(stack.enter_context(peers.PEERS[name](here)))
        browser = stack.enter_context(seen.running_browser())
        for _ in range(rounds):
            for page in tuple(pages):
                try:
                    look(browser, page, found.setdefault(page.name, Seen()), seconds)
                except (TimeoutError, Error) as error:
                    if page.name == OURS:
                        raise
                    pages.remove(page)
                    figures.add(f"in the browser: {page.name}", f"not run: {error}"[:80])
                    found.pop(page.name)
        report(figures, found)
        sharp(figures, browser, here, rounds)


def through_a_line(figures: Figures, here: chain.Chain, seconds: float) -> None:
    """Measure our page through a slow line, where it is the page that adapts the quality."""
    with (
        line.between(int(here.hub.url.rpartition(":")[2])) as port,
        seen.running_browser() as browser,
        opened(browser, ours(here, port)) as tab,
    ):
        keys = seen.keys(tab, 60, "plot")
        frames = {content: seen.frames_per_s(tab, content, seconds) for content in CONTENT}
    what = "through the line, in the browser"
    high = p95(keys)
    measured = f"{seen.middle(keys):.0f} / {high:.0f} ms"
    limit = "p95 ≤ 100 ms"
    figures.add(f"{what}: key with plot-like load, median / p95", measured, limit, high <= 100)
    for content, (label, _) in CONTENT.items():
        least = slow.FEWEST_FRAMES[content]
        figures.at_least(f"{what}: {label}", frames[content], least, "a second")


def ours(here: chain.Chain, port: int | None = None) -> seen.Page1080:
    """Our page, through the hub, by another port if one is given."""
    cookies = dict(part.split("=", 1) for part in here.cookies.split("; "))
    return seen.Page1080(OURS, here.at(port), cookies)


@contextlib.contextmanager
def opened(browser: Browser, page: seen.Page1080) -> Iterator[Page]:
    """Open a page and close it again."""
    context, tab = seen.open_page(browser, page)
    try:
        yield tab
    finally:
        context.close()


def look(browser: Browser, page: seen.Page1080, result: Seen, seconds: float) -> None:
    """Take one round of one page."""
    with opened(browser, page) as tab:
        result.keys += seen.keys(tab, 40)
        for content in CONTENT:
            frames = seen.frames_per_s(tab, content, seconds)
            result.frames.setdefault(content, []).append(frames)


def report(figures: Figures, found: dict[str, Seen]) -> None:
    """Print all pages and our ratio to plain noVNC."""
    for name, result in found.items():
        what = f"in the browser, {name}: key → changed pixel, median / p95"
        figures.add(what, f"{seen.middle(result.keys):.1f} / {p95(result.keys):.1f} ms")
        for content, (label, _) in CONTENT.items():
            frames = seen.middle(result.frames[content])
            figures.add(f"in the browser, {name}: {label}", f"{frames:.1f} frames/s")
    plain = next((result for name, result in found.items() if "noVNC" in name), None)
    if plain is None:
        return
    for content, (label, least) in CONTENT.items():
        pairs = zip(found[OURS].frames[content], plain.frames[content], strict=True)
        ratio = seen.middle([mine / max(theirs, 0.1) for mine, theirs in pairs])
        figures.at_least(f"in the browser, ours to plain noVNC, {label}", ratio, least)


def sharp(figures: Figures, browser: Browser, here: chain.Chain, rounds: int) -> None:
    """See how soon the picture is sharp once it stands still."""
    with opened(browser, ours(here)) as tab:
        times = [seen.sharp_ms(tab, here) for _ in range(rounds)]
    never = any(ms < 0 for ms in times)
    print("    each time:", ", ".join(f"{ms:.0f} ms" for ms in times))
    value = "never" if never else f"{seen.middle(times):.0f} ms"
    kept = not never and seen.middle(times) <= 300
    figures.add("in the browser, sharp after standing still", value, "≤ 300 ms", kept)

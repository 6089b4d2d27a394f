"""The desktop through a slow line: frames, keys while pictures move, and whether the lag grows."""

import random
import statistics
import time
from dataclasses import dataclass

from benchmarks.desktop import chain, line, marks
from benchmarks.desktop.figures import Figures, p95
from benchmarks.desktop.viewer import Viewer
from benchmarks.desktop.wire import Plain

WARM_UP_S = 5.0
KEY_LOST_S = 5.0
FEWEST_FRAMES = {"plot": 20, "noise": 10}
CONTENT = {"plot": "plot-like", "noise": "detector-like"}


@dataclass(frozen=True, slots=True)
class Watched:
    """What a viewer saw: frames and megabytes a second; milliseconds from key to square."""

    frames_per_s: float
    mb_per_s: float
    keys: list[float]


def watch(viewer: Viewer, order: str, seconds: float) -> Watched:
    """Press a key every half second or so while the painter paints `order`."""
    viewer.order(order)
    viewer.pause(WARM_UP_S)
    keys: list[float] = []
    frames = size = 0
    pressed = 0.0
    began = time.monotonic()
    next_key = began
    while (now := time.monotonic()) < began + seconds:
        if not pressed and now >= next_key:
            pressed, next_key = now, now + random.uniform(0.3, 0.7)
            viewer.key(ord("k"))
        update = viewer.next(0.02)
        if update is not None:
            size += update.size
            frames += update.colour_at(marks.FRAME_AT) is not None
            if pressed and update.colour_at(marks.KEY_AT) is not None:
                keys.append((update.at - pressed) * 1000)
                pressed = 0.0
        if pressed and now > pressed + KEY_LOST_S:
            keys.append(KEY_LOST_S * 1000)
            pressed = 0.0
    viewer.order("rest")
    viewer.pause(1)
    return Watched(frames / seconds, size / seconds / 1e6, keys)


def through_a_line(figures: Figures, here: chain.Chain, long_s: float, short_s: float) -> None:
    """Print the line itself, then what a viewer sees through it."""
    quality = line.measure()
    figures.add(
        "the line: round trip median, least to most; rate",
        f"{statistics.median(quality.round_trips):.0f} ms, {min(quality.round_trips):.0f} to "
        f"{max(quality.round_trips):.0f} ms; {quality.mbit_per_s:.1f} Mbit/s",
    )
    with line.between(here.rfb_path) as port:
        for order, content in CONTENT.items():
            viewer = Viewer(Plain.tcp("127.0.0.1", port))
            seen = watch(viewer, order, short_s)
            viewer.wire.close()
            figures.add(
                f"the X server's own through the line, {content}",
                f"{seen.frames_per_s:.1f} frames/s, {seen.mb_per_s:.2f} MB/s, keys "
                f"{statistics.median(seen.keys):.0f} / {p95(seen.keys):.0f} ms",
            )
    with line.between(int(here.hub.url.rpartition(":")[2])) as port:
        for order, seconds in (("plot", long_s), ("noise", short_s)):
            viewer = Viewer(here.through(port))
            seen = watch(viewer, order, seconds)
            viewer.wire.close()
            report(figures, order, seen, seconds)


def report(figures: Figures, order: str, seen: Watched, seconds: float) -> None:
    """Print what was seen of one content."""
    name = f"through the line, {CONTENT[order]}"
    rates = f"{seen.frames_per_s:.1f} a second, {seen.mb_per_s:.2f} MB/s"
    high = p95(seen.keys)
    keys = f"{statistics.median(seen.keys):.0f} / {high:.0f} ms"
    if order == "noise":
        # Ours adapts the quality in the page; this viewer asks for the same all the time.
        figures.add(f"{name}: frames, at fixed quality", rates)
        figures.add(f"{name}: key → changed pixel, median / p95", keys)
        return
    least = FEWEST_FRAMES[order]
    figures.add(f"{name}: frames", rates, f"≥ {least} a second", seen.frames_per_s >= least)
    figures.add(f"{name}: key → changed pixel, median / p95", keys, "p95 ≤ 100 ms", high <= 100)
    part = max(len(seen.keys) // 5, 1)
    first, last = statistics.median(seen.keys[:part]), statistics.median(seen.keys[-part:])
    figures.add(
        f"{name}: the same in the first and the last fifth of {seconds:.0f} s",
        f"{first:.0f} and {last:.0f} ms",
        "≤ 20 ms more",
        last <= first + 20,
    )

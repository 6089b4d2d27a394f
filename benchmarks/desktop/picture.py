"""Keys and pictures with a raw viewer: straight to the X server, and through proxy and server.

Both ways in turn, in slices of seconds, so that a machine's other work strikes both alike.
"""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.desktop import chain, marks
from benchmarks.desktop.figures import Figures, p95
from benchmarks.desktop.processes import Shares
from benchmarks.desktop.viewer import Viewer
from benchmarks.desktop.wire import Wire

KEY_WITHIN_S = 2.0


def key_ms(viewer: Viewer, keys: int, order: str = "rest") -> list[float]:
    """Return the milliseconds from each key to its square, while the painter paints `order`."""
    viewer.order(order)
    viewer.pause(0.6)
    times: list[float] = []
    while len(times) < keys:
        viewer.pause(random.uniform(0.02, 0.05))
        times.append(one_key_ms(viewer))
    return times


def one_key_ms(viewer: Viewer) -> float:
    """Press one key; return the milliseconds until its square is there, at most 2 s."""
    began = time.monotonic()
    viewer.key(ord("k"))
    while (left := began + KEY_WITHIN_S - time.monotonic()) > 0:
        update = viewer.next(left)
        if update is not None and update.colour_at(marks.KEY_AT) is not None:
            return (update.at - began) * 1000
    return KEY_WITHIN_S * 1000


@dataclass(frozen=True, slots=True)
class Stream:
    """What a viewer got in a slice of full-screen change."""

    frames_per_s: float
    mb_per_s: float
    shares: dict[str, float]


def stream(viewer: Viewer, order: str, seconds: float, pids: dict[str, int]) -> Stream:
    """Let the painter paint `order`; return the frames that came in full."""
    viewer.order(order)
    viewer.pause(0.7)
    frames = size = 0
    shares = Shares(pids)
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        update = viewer.next(1)
        if update is not None:
            size += update.size
            frames += update.colour_at(marks.FRAME_AT) is not None
    took = time.monotonic() - began
    streaming = shares.so_far()
    viewer.order("rest")
    viewer.pause(0.4)  # the next viewer's order may go a shorter way
    return Stream(frames / took, size / took / 1e6, streaming)


def each_way(here: chain.Chain) -> list[tuple[str, Callable[[], Wire]]]:
    """Return both ways to the picture, in random order."""
    ways = [("direct", here.direct), ("through", here.through)]
    random.shuffle(ways)
    return ways


def latency(figures: Figures, here: chain.Chain, rounds: int, clock: str) -> None:
    """Measure keys, both ways in turn."""
    medians: dict[str, list[float]] = {"direct": [], "through": []}
    highs: dict[str, list[float]] = {"direct": [], "through": []}
    for _ in range(rounds):
        for name, connect in each_way(here):
            viewer = Viewer(connect())
            times = key_ms(viewer, 40)
            viewer.wire.close()
            medians[name].append(statistics.median(times))
            highs[name].append(p95(times))
    middle = {name: statistics.median(values) for name, values in medians.items()}
    high = {name: statistics.median(values) for name, values in highs.items()}
    figures.add(
        f"key → changed pixel, {clock}, direct, median / p95",
        f"{middle['direct']:.1f} / {high['direct']:.1f} ms",
    )
    more = middle["through"] - middle["direct"]
    more_high = high["through"] - high["direct"]
    figures.add(
        f"key → changed pixel, {clock}, through proxy and server, median / p95",
        f"{middle['through']:.1f} / {high['through']:.1f} ms",
        "≤ direct + 0.5 / + 1 ms",
        more <= 0.5 and more_high <= 1.0,
    )


def throughput(
    figures: Figures, here: chain.Chain, rounds: int, seconds: float, clock: str
) -> None:
    """Measure full-screen change of both contents, both ways in turn."""
    for order, content in (("plot", "plot-like"), ("noise", "detector-like")):
        ratios, direct, through = [], [], []
        for _ in range(rounds):
            found = {}
            for name, connect in each_way(here):
                viewer = Viewer(connect())
                found[name] = stream(viewer, order, seconds, here.pids)
                viewer.wire.close()
            direct.append(found["direct"])
            through.append(found["through"])
            ratios.append(found["through"].frames_per_s / found["direct"].frames_per_s)
        for name, streams in (("direct", direct), ("through", through)):
            frames = statistics.median(s.frames_per_s for s in streams)
            rate = statistics.median(s.mb_per_s for s in streams)
            what = f"full-screen change, {content}, {clock}, {name}"
            figures.add(what, f"{frames:.1f} frames/s, {rate:.1f} MB/s")
        figures.at_least("  ratio of the two", statistics.median(ratios), 0.95)
        for who in ("our server", "hub's proxy", "X server"):
            share = 100 * statistics.median(s.shares[who] for s in through)
            if who == "our server":
                figures.at_most(f"  {who}, of one core", share, 12, "%")
            else:
                figures.add(f"  {who}, of one core", f"{share:.0f} %")

"""Keys and pictures with a raw viewer: straight to the X server, and through proxy and server.

Both ways in turn, in slices of seconds, so that a machine's other work strikes both alike.
"""

import contextlib
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def drag(viewer: Viewer) -> Iterator[None]:
    """Move the pointer every 8 ms, as a hand does that works."""
    over = threading.Event()

    def move() -> None:
        step = 0
        while not over.wait(0.008):
            step += 1
            viewer.point(900 + step % 100, 600)

    hand = threading.Thread(target=move)
    hand.start()
    try:
        yield
    finally:
        over.set()
        hand.join()


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
    """Measure keys, both ways in turn: while the pointer moves, and one by one."""
    with_hand: dict[str, list[list[float]]] = {"direct": [], "through": []}
    alone: dict[str, list[list[float]]] = {"direct": [], "through": []}
    for _ in range(rounds):
        for name, connect in each_way(here):
            viewer = Viewer(connect())
            alone[name].append(key_ms(viewer, 40))
            with drag(viewer):
                with_hand[name].append(key_ms(viewer, 40))
            viewer.wire.close()
    what = f"key → changed pixel, {clock}, pointer moving"
    direct, through = middle(with_hand["direct"]), middle(with_hand["through"])
    figures.add(f"{what}, direct, median / p95", "{:.1f} / {:.1f} ms".format(*direct))
    figures.add(
        f"{what}, through proxy and server, median / p95",
        "{:.1f} / {:.1f} ms".format(*through),
        "≤ direct + 0.5 / + 1 ms",
        through[0] - direct[0] <= 0.5 and through[1] - direct[1] <= 1.0,
    )
    for name, times in alone.items():
        found = "{:.1f} / {:.1f} ms".format(*middle(times))
        figures.add(f"  one by one, nothing else moving, {name}", found)


def middle(slices: list[list[float]]) -> tuple[float, float]:
    """Return the slices' middle median and p95."""
    medians = statistics.median(statistics.median(times) for times in slices)
    return medians, statistics.median(p95(times) for times in slices)


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

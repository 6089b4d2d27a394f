"""A viewer that stops reading, and what a session weighs without its program."""

import time

from benchmarks.desktop import chain
from benchmarks.desktop.figures import Figures
from benchmarks.desktop.viewer import Viewer
from benchmarks.sessions import pss_kib

OURS = ("our server", "hub's proxy")


def stalled(figures: Figures, here: chain.Chain, seconds: float) -> None:
    """Let a viewer stop reading while the whole screen changes."""
    viewer = Viewer(here.through())
    viewer.order("noise")
    viewer.pause(3)
    before = {name: pss_kib(here.pids[name]) for name in OURS}
    most = dict(before)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.5)
        most = {name: max(most[name], pss_kib(here.pids[name])) for name in OURS}
    for name in OURS:
        growth = (most[name] - before[name]) / 1024
        figures.add(f"a viewer stalled for {seconds:.0f} s: {name} grows by", f"{growth:.1f} MiB")
    growth = sum(most.values()) - sum(before.values())
    figures.at_most("  both together", growth * 1024 / 1e6, 20, "MB")
    other = Viewer(here.direct())
    other.order("rest")
    other.pause(0.3)
    other.wire.close()
    viewer.wire.close()


def memory(figures: Figures, here: chain.Chain) -> None:
    """Add up the session's parts with one viewer; its program is left out."""
    viewer = Viewer(here.through())
    viewer.order("plot")
    viewer.pause(3)
    viewer.order("rest")
    parts = {name: pss_kib(here.pids[name]) for name in ("our server", "X server", "windows")}
    viewer.wire.close()
    for name, kib in parts.items():
        figures.add(f"a session's {name}, PSS", f"{kib / 1024:.0f} MiB")
    figures.at_most(
        "a session without its program, sum of PSS", sum(parts.values()) * 1024 / 1e6, 150, "MB"
    )

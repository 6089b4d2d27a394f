"""`make bench-desktop`: the remote desktop's figures, against its bounds and its peers.

Everything in one run on one machine; exits with 1 when a bound is missed. `--only` runs parts:
a change to the bridge is seen within a minute with `--only latency throughput --seconds 3`.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable

from benchmarks.desktop import chain, peers, picture, shown, slow, stalled, starts, tile
from benchmarks.desktop.figures import Figures
from benchmarks.desktop.processes import go_ahead
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "explanation" / "speed-of-desktops.md"
PARTS = (
    "latency",
    "throughput",
    "stalled",
    "memory",
    "browser",
    "browser-line",
    "line",
    "starts",
    "tile",
)
#: What needs a session of its own making.
ALONE = {"starts", "tile", "latency", "throughput"}


def main() -> int:
    """Measure, print, and say whether all bounds are kept."""
    options = _parser().parse_args()
    figures = Figures()
    if "starts" in options.only:
        tried(figures, "clicks", lambda: starts.clicks(figures, options.rounds))
    if options.ahead:  # not the clicks: a demo's sessions would not come along
        go_ahead()
    compared = {"latency", "throughput"} & set(options.only)
    for clock in options.clocks if compared else ():
        with chain.running(clock, options.fps) as here:
            both_ways(figures, here, options, clock)
    if set(options.only) - ALONE:
        # What follows is as a person has it: the session chooses its clock.
        with chain.running(None, options.fps) as here:
            for what, part in parts(figures, here, options).items():
                if what in options.only:
                    tried(figures, what, part)
    if "tile" in options.only:
        tried(figures, "a tile", lambda: tile.stalled(figures))
    if options.write:
        figures.write(PAGE, machine())
    for line in figures.missed:
        print(f"missed: {line.what.strip()}: {line.measured} ({line.bound})")
    return 1 if figures.missed else 0


def machine() -> str:
    """Say when and on what this was measured."""
    day = time.strftime("%-d %B %Y", time.gmtime())
    cores, (load, _, _) = os.cpu_count(), os.getloadavg()
    return f"Taken on {day} on a machine with {cores} processor cores; load at the end {load:.1f}."


def both_ways(figures: Figures, here: chain.Chain, options: argparse.Namespace, clock: int) -> None:
    """Compare the way through with the direct one, at one frame clock; streams at the first."""
    name = f"{clock} Hz"
    if "latency" in options.only:
        picture.latency(figures, here, options.rounds, name)
    if "throughput" in options.only and clock == options.clocks[0]:
        picture.throughput(figures, here, options.rounds, options.seconds, name)


def parts(
    figures: Figures, here: chain.Chain, options: argparse.Namespace
) -> dict[str, Callable[[], None]]:
    """Return the other parts that need a session with the painter."""
    rounds, seconds, line_s = min(options.rounds, 3), options.seconds, options.line_seconds
    return {
        "memory": lambda: stalled.memory(figures, here),
        "stalled": lambda: stalled.stalled(figures, here, options.stalled_seconds),
        "browser": lambda: shown.side_by_side(figures, here, options.peers, rounds, seconds),
        "browser-line": lambda: shown.through_a_line(figures, here, 3 * seconds),
        "line": lambda: slow.through_a_line(figures, here, line_s, line_s / 10),
    }


def tried(figures: Figures, what: str, part: Callable[[], None]) -> None:
    """Measure a part; one that breaks is a missed bound, and the others go on."""
    try:
        part()
    except Exception as error:
        traceback.print_exc()
        figures.add(what, f"not measured: {type(error).__name__}", "", False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="slices of each way")
    parser.add_argument("--seconds", type=float, default=5, help="length of a slice")
    parser.add_argument(
        "--clocks",
        type=int,
        nargs="+",
        default=[60, 120],
        help="frame clocks of the X server, in Hz",
    )
    parser.add_argument("--fps", type=float, default=0, help="the painter's limit; 0: none")
    parser.add_argument("--line-seconds", type=float, default=300, help="how long to look for lag")
    parser.add_argument("--stalled-seconds", type=float, default=60)
    parser.add_argument("--peers", nargs="*", choices=tuple(peers.PEERS), default=list(peers.PEERS))
    parser.add_argument("--ahead", action="store_true", help="go before the machine's other work")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    return parser


if __name__ == "__main__":
    sys.exit(main())

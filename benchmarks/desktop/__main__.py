"""`make bench-desktop`: the remote desktop's figures, against its bounds and its peers.

Everything in one run on one machine; exits with 1 when a bound is missed. `--only` runs parts:
a change to the bridge is seen within a minute with `--only latency throughput --seconds 3`.
"""

import argparse
import sys

from benchmarks.desktop import chain, peers, picture, shown, slow, stalled
from benchmarks.desktop.figures import Figures

PARTS = ("latency", "throughput", "line", "stalled", "memory", "browser")


def main() -> int:
    """Measure, print, and say whether all bounds are kept."""
    options = _parser().parse_args()
    figures = Figures()
    for clock in options.clocks:
        with chain.running(clock, options.fps) as here:
            name = f"{clock or 60} Hz"
            if "latency" in options.only:
                picture.latency(figures, here, options.rounds, name)
            if "throughput" in options.only:
                picture.throughput(figures, here, options.rounds, options.seconds, name)
            if "memory" in options.only:
                stalled.memory(figures, here)
            if "stalled" in options.only:
                stalled.stalled(figures, here, options.stalled_seconds)
            if "line" in options.only:
                slow.through_a_line(figures, here, options.line_seconds, options.line_seconds / 10)
            if "browser" in options.only:
                shown.side_by_side(figures, here, options.peers, options.rounds, options.seconds)
    for line in figures.missed:
        print(f"missed: {line.what.strip()}: {line.measured} ({line.bound})")
    return 1 if figures.missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5, help="slices of each way")
    parser.add_argument("--seconds", type=float, default=5, help="length of a slice")
    parser.add_argument(
        "--clocks", type=int, nargs="+", default=[None], help="frame clocks of the X server, in Hz"
    )
    parser.add_argument("--fps", type=float, default=0, help="the painter's limit; 0: none")
    parser.add_argument("--line-seconds", type=float, default=300, help="how long to look for lag")
    parser.add_argument("--stalled-seconds", type=float, default=60)
    parser.add_argument("--peers", nargs="*", choices=tuple(peers.PEERS), default=list(peers.PEERS))
    return parser


if __name__ == "__main__":
    sys.exit(main())

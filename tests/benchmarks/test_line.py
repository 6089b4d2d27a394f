"""The benchmark's slow line is as slow as it says."""

import statistics

from benchmarks.desktop import line


def test_the_line_delays_and_limits_as_it_says() -> None:
    quality = line.measure(pings=15, bulk=1_000_000)

    assert min(quality.round_trips) >= 30
    assert 34 <= statistics.median(quality.round_trips) <= 60
    assert 15 <= quality.mbit_per_s <= 22

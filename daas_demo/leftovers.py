"""Ends the processes of an earlier run of the demo, whatever way that one ended.

Every process of a run carries the run's folder in its environment (`DAAS_RUN`); what runs inside
a sandbox ends with its supervisor. Processes are ended by their number, never by their name.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

GRACE_SECONDS = 8.0


def processes_of(run: Path) -> Iterator[int]:
    """Yield the numbers of the processes that belong to *run*, this one left out."""
    mark = f"DAAS_RUN={run}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:  # gone, or somebody else's
                continue
            if mark in environment.split(b"\0"):
                yield int(entry.name)


def end(run: Path) -> int:
    """End every process of *run* and return how many there were."""
    first = set(processes_of(run))
    _signal(first, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < until and (left := set(processes_of(run))):
        _signal(left - first, signal.SIGTERM)
        first |= left
        time.sleep(0.05)
    _signal(processes_of(run), signal.SIGKILL)
    return len(first)


def _signal(processes: Iterator[int] | set[int], number: signal.Signals) -> None:
    for pid in processes:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue

"""What processes cost: the processor's seconds and memory, from proc(5)."""

import contextlib
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Shares:
    """The share of one core that some processes use between two moments."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._began = time.monotonic()
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def so_far(self) -> dict[str, float]:
        """Return the shares since the beginning."""
        took = time.monotonic() - self._began
        return {
            name: (cpu_seconds(pid) - self._before[name]) / took for name, pid in self._pids.items()
        }


def go_ahead() -> None:
    """Go ahead of the machine's other work, where we may (sched(7), autogroups)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("-15")


def follow(pids: Iterable[int]) -> None:
    """Let processes that have sessions of their own go as far ahead as we do."""
    for pid in pids:
        with contextlib.suppress(OSError):
            nice = Path("/proc/self/autogroup").read_text().split()[-1]
            Path(f"/proc/{pid}/autogroup").write_text(nice)


def find(pattern: str, carrying: str) -> int:
    """Return the process whose command line matches and that has `carrying` in its environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if re.match(pattern, line) and carrying.encode() in (folder / "environ").read_bytes():
                return int(folder.name)
        except OSError:
            continue
    raise LookupError(pattern)

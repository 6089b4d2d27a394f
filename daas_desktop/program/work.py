"""How much a session's programs compute, from the kernel's own figures.

Asked once a minute by `door.use` and by JupyterLab's server. A session has process numbers of its
own, so all that can be seen is the session's. What paints pictures does not count.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BUSY_CORES = 0.2
PROC = Path("/proc")
# The kernel cuts names off after 15 characters.
_X_SERVER = "Xtigervnc"
_PAINT = frozenset({_X_SERVER, "matchbox-window-manager"[:15]})
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `cpu_s` is what it and its ended children have computed (proc(5), stat)."""

    pid: int
    name: str
    parent: int
    started: int
    cpu_s: float


Work = Mapping[tuple[int, int], float]


def parse_stat(text: str) -> Process:
    """Read one `/proc/PID/stat`; the name may hold spaces and brackets."""
    head, _, tail = text.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = tail.split()
    spent = sum(int(ticks) for ticks in fields[11:15])
    return Process(int(pid), name, int(fields[1]), int(fields[19]), spent / _TICKS)


def processes(proc: Path = PROC) -> Iterator[Process]:
    """Yield what runs; what ends meanwhile is left out."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield parse_stat((entry / "stat").read_text(errors="replace"))


def work_of(running: Iterator[Process], own: int) -> Work:
    """Give what each program has computed: not the server *own*, nor who paints, nor its server."""
    found = list(running)
    servers = {process.parent for process in found if process.name == _X_SERVER}
    left_out = {own, *servers}
    return {
        (process.pid, process.started): process.cpu_s
        for process in found
        if process.pid not in left_out and process.name not in _PAINT
    }


def cores(before: Work, now: Work, seconds: float) -> float:
    """Give how many cores were busy in between; a program that began since counts from its start.

    When a process ends, its parent is given all that it ever computed: that counts as work once.
    """
    return sum(max(0.0, spent - before.get(who, 0.0)) for who, spent in now.items()) / seconds


def busy_cores(environment: Mapping[str, str]) -> float:
    """Give from how many cores on a session is at work, as DAAS_BUSY_CORES says."""
    return float(environment.get("DAAS_BUSY_CORES", BUSY_CORES))

"""Processes by number and start time: a number alone may belong to somebody else by now."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine; *started* in clock ticks since boot (proc(5), field 22)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Return the process *pid* as it is now, None if there is none or it is a zombie."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @property
    def alive(self) -> bool:
        """Return whether this very process still runs."""
        return Process.of(self.pid) == self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def write_process(file: Path) -> None:
    """Write down the calling process, for `read_process`."""
    me = Process.of(os.getpid())
    if me is not None:
        file.write_text(f"{me.pid} {me.started}", "ascii")


def read_process(file: Path) -> Process | None:
    """Return the process that was written to *file*, None when there is none."""
    try:
        pid, started = file.read_text("ascii").split()
        return Process(int(pid), int(started))
    except (OSError, ValueError):
        return None

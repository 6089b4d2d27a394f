"""Whether the kernel has killed something of a session for its memory, from its control group.

Engines do not all tell it, so whoever stands beside a session looks for itself. Version 1 and 2:
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
"""

import contextlib
import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
#: The file that counts, by the version of control groups.
EVENTS = {1: "memory.oom_control", 2: "memory.events"}


def kills(events: str) -> int:
    """Return the count in the text of such a file; 0 when there is none."""
    for line in events.splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return int(count)
    return 0


def events_file(groups: str, root: Path = ROOT) -> Path | None:
    """Return the file for a process with this text of `/proc/PID/cgroup`."""
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return root / "memory" / path.lstrip("/") / EVENTS[1]
        if not controllers and (root / "cgroup.controllers").exists():
            return root / path.lstrip("/") / EVENTS[2]
    return None


class MemoryOf:
    """The count of one process's group, which can be read as long as the group is there."""

    def __init__(self, pid: int) -> None:
        self._file = -1
        with contextlib.suppress(OSError):
            found = events_file(Path(f"/proc/{pid}/cgroup").read_text("utf-8"))
            if found is not None:
                self._file = os.open(found, os.O_RDONLY)

    def ran_out(self) -> bool:
        """Tell whether something was killed."""
        if self._file < 0:
            return False
        try:
            return kills(os.pread(self._file, 4096, 0).decode("ascii")) > 0
        except OSError:  # the group is gone
            return False

"""Resource limits by cgroups, version 1 or 2, whichever is there and writable.

The supervisor makes one group per session below the hub's own; `missing()` says at start-up
what cannot be limited on this machine.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from daas_spawner.session.memory import EVENTS, kills

CONTROLLERS = ("memory", "cpu", "pids")
ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000  # the kernel's default period of the CPU quota, in microseconds


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One place where groups are made: *folder* is the parent, *version* 1 or 2."""

    folder: Path
    version: int
    controllers: tuple[str, ...]


def hierarchies(own: str | None = None, root: Path = ROOT) -> tuple[Hierarchy, ...]:
    """Return where this process may make groups. *own* is the text of `/proc/self/cgroup`."""
    text = own if own is not None else Path("/proc/self/cgroup").read_text("utf-8")
    found = []
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        controllers = tuple(name for name in CONTROLLERS if name in names.split(","))
        if controllers:
            folder = root / controllers[0] / path.lstrip("/")
            found.append(Hierarchy(folder, 1, controllers))
        elif not names:
            found.append(_unified(root, path.lstrip("/")))
    return tuple(place for place in found if place.controllers and os.access(place.folder, os.W_OK))


def _unified(root: Path, own: str) -> Hierarchy:
    """Version 2: a group with processes cannot have limited children, so go beside our own.

    A service unit with `Delegate=yes` and the hub in a group named `hub` has it that way.
    """
    folder = root / own
    if folder.name == "hub":
        folder = folder.parent
    with contextlib.suppress(OSError):
        enabled = (folder / "cgroup.subtree_control").read_text("utf-8").split()
        return Hierarchy(folder, 2, tuple(name for name in CONTROLLERS if name in enabled))
    return Hierarchy(folder, 2, ())


def missing(places: tuple[Hierarchy, ...]) -> tuple[str, ...]:
    """Return which of memory, cpu and pids cannot be limited here."""
    there = {name for place in places for name in place.controllers}
    return tuple(name for name in CONTROLLERS if name not in there)


def settings(version: int, cpus: float, memory_bytes: int, processes: int) -> Mapping[str, str]:
    """Return the files of a group and what is written to them."""
    quota = int(cpus * PERIOD_US)
    if version == 1:
        return {
            "memory.limit_in_bytes": str(memory_bytes),
            "cpu.cfs_quota_us": str(quota),
            "pids.max": str(processes),
        }
    return {
        "memory.max": str(memory_bytes),
        "cpu.max": f"{quota} {PERIOD_US}",
        "pids.max": str(processes),
    }


class Group:
    """The cgroup of one session, in every hierarchy that this machine has."""

    def __init__(self, name: str, places: tuple[Hierarchy, ...]) -> None:
        self._places = [(place, place.folder / f"daas-{name}") for place in places]

    def make(self, cpus: float, memory_bytes: int, processes: int) -> None:
        """Make the group and set its limits. A limit that the kernel refuses is left out."""
        for place, folder in self._places:
            folder.mkdir(exist_ok=True)
            for name, value in settings(place.version, cpus, memory_bytes, processes).items():
                if name.split(".")[0] in place.controllers:
                    with contextlib.suppress(OSError):
                        (folder / name).write_text(value, "ascii")

    def join(self) -> None:
        """Put the calling process, and so its future children, into the group."""
        for _, folder in self._places:
            (folder / "cgroup.procs").write_text(str(os.getpid()), "ascii")

    def ran_out_of_memory(self) -> bool:
        """Tell whether the kernel has killed something in the group for its memory."""
        for place, folder in self._places:
            with contextlib.suppress(OSError):
                if kills((folder / EVENTS[place.version]).read_text("ascii")):
                    return True
        return False

    def remove(self) -> None:
        """Remove the group; the kernel empties it a moment after the last exit. Blocks ≤ 1 s."""
        for _ in range(20):
            for _, folder in self._places:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if not any(folder.exists() for _, folder in self._places):
                return
            time.sleep(0.05)

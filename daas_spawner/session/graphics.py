"""The graphics cards of this machine: the device files that an app with `gpu: true` is given.

Read by the back ends that run sessions on the hub's machine. A cluster hands out its own.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

DEV = Path("/dev")
#: Only nodes for computing and drawing: a `card` node would also set what a monitor shows.
_PATTERNS = ("dri/renderD*", "nvidia[0-9]*", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "kfd")


@dataclass(frozen=True, slots=True)
class Device:
    """One device file, and the group that may use it; None where everybody or only root may."""

    path: str
    group: int | None


def graphics_devices(dev: Path = DEV) -> tuple[Device, ...]:
    """Return what there is, in order; nothing on a machine without a graphics card."""
    found = (path for pattern in _PATTERNS for path in sorted(dev.glob(pattern)))
    return tuple(_device(path) for path in found if _is_device(path))


def groups_of(devices: tuple[Device, ...]) -> set[int]:
    """Return the groups that a person needs to use *devices*."""
    return {device.group for device in devices if device.group is not None}


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def _device(path: Path) -> Device:
    status = path.stat()
    needs = status.st_mode & (stat.S_IRWXO | stat.S_IRWXG)
    for_group = needs & stat.S_IWGRP and not needs & stat.S_IWOTH
    # The group of root opens more than a graphics card.
    return Device(os.fspath(path), status.st_gid if for_group and status.st_gid else None)

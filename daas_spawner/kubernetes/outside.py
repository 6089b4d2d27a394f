"""What the hub's own machine knows of a session before its pod is made. Blocks, or waits."""

import asyncio
import contextlib
import ipaddress
import os
import stat
from pathlib import Path

from daas_model.errors import StorageProblem
from daas_spawner.plan import APPS, SessionPlan


def check_home(plan: SessionPlan) -> None:
    """Look at the home where the hub sees it: a cluster would make a missing one, as root.

    The session looks once more, as the person. Raises `StorageProblem`.
    """
    home = Path(plan.mounts[0].source)
    if not home.parent.is_dir():
        return  # the hub does not have that volume
    try:
        found = home.lstat()
    except OSError as error:
        detail = f"{home}: {error.strerror}"
        raise StorageProblem("Your home folder is missing.", detail=detail) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != plan.account.uid:
        raise StorageProblem(
            "Your home folder is missing, is not yours, or cannot be written.", detail=str(home)
        )


def icon(plan: SessionPlan) -> str:
    """Return the app's picture if it is a text (SVG); empty when there is none to be read."""
    folder = next((mount.source for mount in plan.mounts if mount.target == APPS), None)
    if folder is None:
        return ""
    try:
        return Path(os.fspath(folder), plan.app.name, plan.app.icon).read_text("utf-8")
    except (OSError, ValueError):
        return ""


async def address_of(host: str) -> str:
    """Return the address of *host*; empty when it is one already, or nobody knows it."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return ""
    with contextlib.suppress(OSError):
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
        return str(found[0][4][0])
    return ""

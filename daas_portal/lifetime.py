"""How long a hub-managed service lives: until it is told to end, or its hub is gone.

A service that outlives its hub would serve beside the one that the next hub starts. Used by the
portal and by the demo's provider.
"""

import asyncio
import os
import signal

CHECK_SECONDS = 1.0


def mark() -> dict[str, str]:
    """Return what the hub puts into a service's environment; called in the hub's process."""
    return {"DAAS_HUB_PID": str(os.getpid())}


async def until_ended() -> None:
    """Return at SIGTERM, at SIGINT, or when the hub that started this process is gone."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    # Not the parent as it is now: the hub may have gone while this process was starting.
    hub = int(os.environ.get("DAAS_HUB_PID", os.getppid()))
    while not ended.is_set() and os.getppid() == hub:
        try:
            await asyncio.wait_for(ended.wait(), CHECK_SECONDS)
        except TimeoutError:
            continue

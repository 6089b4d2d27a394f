"""How often the X server may paint, chosen by the viewers' links and told while it runs.

Run by the server. Half a frame is the least delay of a key: 8.5 ms at 60 frames a second, 4.5 ms
at 120. Near viewers feel that; when much is painted the machine has better uses for its cores than
frames that no monitor shows, and a far line that is full of frames delays keys more than fewer
frames do.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from daas_desktop.picture.viewers import Viewers

SPARING, CALM, QUICK = 40, 60, 120
NEAR_S, FAR_S = 0.015, 0.025
MUCH_BYTES_PER_S = 2e6
MUCH_FOR_FAR_BYTES_PER_S = 5e5
LOOK_EVERY_S = 2.0


def frame_rate(nearest_rtt_s: float | None, bytes_per_s: float, now: int = CALM) -> int:
    """Give frames a second: *nearest_rtt_s* of all viewers, None if there is none or none known.

    *bytes_per_s* were sent at the rate *now*; a film would send as many more as it is higher.
    """
    if nearest_rtt_s is None:
        return CALM
    when_calm = bytes_per_s * CALM / now
    if nearest_rtt_s > FAR_S and when_calm > MUCH_FOR_FAR_BYTES_PER_S:
        return SPARING
    return QUICK if nearest_rtt_s < NEAR_S and when_calm < MUCH_BYTES_PER_S else CALM


class Clock:
    """One X server's frame clock, which begins at CALM; *environment* leads to the X server."""

    def __init__(self, viewers: Viewers, environment: Mapping[str, str]) -> None:
        self._viewers = viewers
        self._environment = environment
        self._rate = CALM
        self._sent: dict[int, int] = {}

    async def run(self) -> None:
        """Look at the viewers for ever; cancel it at the end."""
        # An image without vncconfig keeps the clock it began with.
        with contextlib.suppress(FileNotFoundError):
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                await self._look()

    async def _look(self) -> None:
        known = [one.least_rtt_s for one in self._viewers if one.least_rtt_s is not None]
        before, self._sent = self._sent, {one.number: one.bytes_sent for one in self._viewers}
        sent = sum(now - before.get(number, now) for number, now in self._sent.items())
        rate = frame_rate(min(known, default=None), sent / LOOK_EVERY_S, self._rate)
        if rate != self._rate:
            await self._tell(rate)
            self._rate = rate

    async def _tell(self, rate: int) -> None:
        process = await asyncio.create_subprocess_exec(
            *("vncconfig", "-set", f"FrameRate={rate}"),
            env=dict(self._environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()

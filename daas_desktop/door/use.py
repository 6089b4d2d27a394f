"""When a session was last in use: a viewer's keyboard or pointer, or its programs computing.

Used by the server. The hub hears of it at once when use begins again, once a minute while it goes
on, and every few minutes otherwise; it ends sessions that nobody uses. Pictures are no use.
"""

import asyncio
import datetime
import os
import time
from collections.abc import Callable, Mapping

from daas_desktop.door.hub import Hub
from daas_desktop.program.work import Work, busy_cores, cores, processes, work_of

# The hub knows how long ago it was also after it was started anew.
TELL_EVERY_TURNS = 5


def work_now() -> Work:
    """Give what the programs of this session have computed until now."""
    return work_of(processes(), os.getpid())


class WorkWatch:
    """Tells at each look whether the programs have computed since the last one."""

    def __init__(self, environment: Mapping[str, str], look: Callable[[], Work] = work_now) -> None:
        self._busy_cores = busy_cores(environment)
        self._look = look
        self._seen, self._seen_at = look(), time.monotonic()

    def at_work(self) -> bool:
        """Say whether more than DAAS_BUSY_CORES were busy, on average."""
        now, at = self._look(), time.monotonic()
        used = cores(self._seen, now, max(at - self._seen_at, 0.001))
        self._seen, self._seen_at = now, at
        return used >= self._busy_cores


class Use:
    """The last moment of use, kept for the hub; *turn_s* is the time between two looks."""

    def __init__(self, hub: Hub, watch: WorkWatch, turn_s: float) -> None:
        self._hub = hub
        self._watch = watch
        self._turn_s = turn_s
        self._last = datetime.datetime.now(datetime.UTC)
        self._told_at = float("-inf")
        self._telling: asyncio.Task[None] | None = None

    def used(self) -> None:
        """Note that the session is in use now."""
        self._last = datetime.datetime.now(datetime.UTC)
        self._tell_unless(told_for_s=self._turn_s)

    async def run(self) -> None:
        """Look at the programs' work, turn by turn, until cancelled."""
        while True:
            await asyncio.sleep(self._turn_s)
            if await asyncio.to_thread(self._watch.at_work):
                self.used()
            self._tell_unless(told_for_s=TELL_EVERY_TURNS * self._turn_s)

    def _tell_unless(self, told_for_s: float) -> None:
        now = time.monotonic()
        if now - self._told_at >= told_for_s:
            self._told_at = now
            self._telling = asyncio.create_task(self._hub.report_use(self._last))

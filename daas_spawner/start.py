"""One start of a session: within its time, and called off if its person does not want it any more.

Used by `spawner.py`; `states.py` has the address where the portal calls it off.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from daas_model.errors import EngineProblem


class Start:
    """A start that lasts until it is over in all its parts, however it ends."""

    def __init__(self) -> None:
        self._task: asyncio.Task[str] | None = None
        self._off = False

    async def run(self, starting: Coroutine[Any, Any, str], seconds: float) -> str:
        """Return what *starting* returns.

        Raises `EngineProblem` when it took longer than *seconds*, or was called off.
        """
        self._task = asyncio.ensure_future(starting)
        try:
            async with asyncio.timeout(seconds):
                return await self._task
        except TimeoutError:
            raise EngineProblem(
                "It took too long until the app could start.",
                "What was being fetched goes on: open it again in a few minutes. If that does not "
                "help, tell your facility's support the code.",
            ) from None
        except asyncio.CancelledError:
            if not self._off:
                raise
            # Not as the hub does it, whose answer to whoever opened it would never come.
            raise EngineProblem(
                "It was stopped before it ran.", "Open it again whenever you like."
            ) from None

    def call_off(self) -> None:
        """Let it end, and what it has begun; `run` raises once that is done."""
        if self._task is not None and not self._off:
            self._off = True
            self._task.cancel()

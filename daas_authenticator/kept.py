"""Something a provider publishes, kept for a while: asked for once at a time, not too often.

Used by `OpenIDClient` for the discovery document and by `discovery.KeyCache` for the keys.
Whoever sends us junk, or presses a button often, must not make us ask the provider each time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from daas_model.errors import DaasError

OLDEST_SECONDS = 3600
SHORTEST_REFETCH_SECONDS = 30

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The value of *fetch*, at most an hour old. There is one question at a time."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Value]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._value: Value | None = None
        self._made_at = float("-inf")
        self._failure: DaasError | None = None
        self._failed_at = float("-inf")
        self._lock = asyncio.Lock()

    async def current(self) -> Value:
        """Return the value; raises what *fetch* raises."""
        now = self._clock()
        return await self._since(now - OLDEST_SECONDS, now)

    async def newer(self) -> Value:
        """Return the value, asked for anew unless that was done within the last 30 s."""
        recently = self._clock() - SHORTEST_REFETCH_SECONDS
        return await self._since(recently, recently)

    async def anew(self) -> Value:
        """Return the value, asked for anew. A failure leaves what is kept."""
        now = self._clock()
        return await self._since(now, now)

    async def _since(self, made: float, failed: float) -> Value:
        async with self._lock:
            # What came while we waited for the lock, be it a failure, is our answer as well:
            # else a hundred clicks on a provider that is down would wait in a row.
            if self._value is not None and self._made_at > made:
                return self._value
            if self._failure is not None and self._failed_at > failed:
                raise self._failure.with_traceback(None)
            return await self._ask()

    async def _ask(self) -> Value:
        try:
            self._value = await self._fetch()
        except DaasError as error:
            self._failure, self._failed_at = error, self._clock()
            raise
        self._failure, self._made_at = None, self._clock()
        return self._value

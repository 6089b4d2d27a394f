"""Asks the people's database without holding up the hub, within a time limit.

Made by the authenticator, which also asks it who may come in.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from daas_authenticator.links.store import Link, LinkStore
from daas_model.errors import Blocked, PeopleUnavailable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Longer than SQLite and PostgreSQL wait by themselves.
_PATIENCE_SECONDS = 10


class People:
    """The hub's end of a `LinkStore`. All methods raise `PeopleUnavailable`."""

    def __init__(self, store: LinkStore, support_contact: str) -> None:
        self.store = store
        self._support_contact = support_contact
        self._workers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="people")

    async def link_of(self, issuer: str, subject: str) -> Link | None:
        """Return the link of an identity, if it has one."""
        return await self.ask(self.store.link_of, issuer, subject)

    async def check_not_blocked(self, name: str) -> None:
        """Raise `Blocked` when *name* may not come in, with whom to ask."""
        known = await self.ask(self.store.person, name)
        if known and known.is_blocked(time.time()):
            raise Blocked("You may not use the portal for now.", f"Ask {self._support_contact}.")

    async def ask(self, question: Callable[[*Ts], T], *values: *Ts) -> T:
        """Return what a method of the store answers; raise what it raises."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await loop.run_in_executor(self._workers, question, *values)
        except TimeoutError:
            raise PeopleUnavailable(
                "The list of accounts does not answer.", detail="people_database: no answer in time"
            ) from None

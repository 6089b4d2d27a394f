"""Who is signed in, where: asked at every request of a browser, thus held in memory.

Made by the authenticator. Only the hub writes logins, so that memory is right; the database is
for the next hub.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from daas_authenticator.links.people import People
from daas_authenticator.logins.login import Login, key_of
from daas_authenticator.logins.store import LoginStore


class Register:
    """The logins that stand. Methods that ask or write raise `PeopleUnavailable`."""

    def __init__(
        self, store: LoginStore, people: People, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._ask = people.ask
        self._clock = clock
        self._logins: dict[str, Login] = {}
        self._unwritten: set[str] = set()
        self._loaded = False
        self._loading = asyncio.Lock()

    async def login_of(self, session_id: str | None) -> Login | None:
        """Return the login of the browser with this session cookie, while it stands."""
        await self.load()
        login = self._logins.get(key_of(session_id)) if session_id else None
        return login if login and login.ends_at > self._clock() else None

    async def of(self, name: str) -> tuple[Login, ...]:
        """Return where *name* is signed in, the latest first."""
        await self.load()
        now = self._clock()
        found = [one for one in self._logins.values() if one.name == name and one.ends_at > now]
        return tuple(sorted(found, key=lambda login: login.started_at, reverse=True))

    def public_until(self, name: str) -> int | None:
        """Return until when *name* is signed in on a public computer; None when she is not."""
        now = self._clock()
        ends = [
            one.ends_at
            for one in self._logins.values()
            if one.public and one.name == name and one.ends_at > now
        ]
        return max(ends, default=None)

    async def all(self) -> tuple[Login, ...]:
        """Return all logins that stand."""
        await self.load()
        now = self._clock()
        return tuple(login for login in self._logins.values() if login.ends_at > now)

    async def over(self) -> tuple[Login, ...]:
        """Return the logins whose time is over."""
        await self.load()
        now = self._clock()
        return tuple(login for login in self._logins.values() if login.ends_at <= now)

    async def by_provider(self, issuer: str, subject: str, sid: str) -> tuple[Login, ...]:
        """Return the logins that a provider means by *subject* or *sid*; either may be empty."""
        await self.load()
        return tuple(
            login
            for login in self._logins.values()
            if login.issuer == issuer
            and (subject or sid)
            and subject in ("", login.subject)
            and sid in ("", login.sid)
        )

    async def begin(self, login: Login) -> None:
        """Note that a browser is signed in."""
        await self.load()
        await self._ask(self._store.add, login)
        self._unwritten.discard(login.key)
        self._logins[login.key] = login

    async def end(self, logins: Iterable[Login]) -> None:
        """End *logins*: at once here, also when the database cannot be written."""
        keys = {login.key for login in logins}
        for key in keys:
            self._logins.pop(key, None)
        self._unwritten |= keys
        await self.write_down()

    async def write_down(self) -> None:
        """Write down which logins have ended, those too that could not be written before."""
        keys = tuple(self._unwritten)
        if keys:
            await self._ask(self._store.remove, keys)
            self._unwritten.difference_update(keys)

    async def end_soon(self, logins: Iterable[Login], seconds: int) -> None:
        """Let *logins* last for some seconds only: nobody can be asked about them any more."""
        ends_at = int(self._clock()) + seconds
        for login in logins:
            if login.ends_at > ends_at:
                await self.begin(replace(login, ends_at=ends_at))

    async def load(self) -> None:
        """Read what an earlier hub has left; once."""
        async with self._loading:
            if not self._loaded:
                found = await self._ask(self._store.all)
                self._logins = {login.key: login for login in found}
                self._loaded = True

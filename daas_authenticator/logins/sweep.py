"""Looks again and again who may still be here, also while nobody opens a page.

Started by the authenticator with the hub. Somebody who was blocked, or whose provider refuses her,
loses her running sessions after a notice and a grace; a login whose time is over ends. It asks the
provider by a renewal, because providers send nothing when they disable a person. Whether a session
may still have what it has mounted is asked in `memberships`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from daas_authenticator.kept_login import KeptLogin
from daas_authenticator.logins.ending import end_logins, forget_scripts, forget_tokens
from daas_authenticator.logins.guests import Guests
from daas_authenticator.logins.idle import end_idle_sessions
from daas_authenticator.logins.memberships import Memberships, end_session
from daas_authenticator.logins.notices import Grace, Notice, Reason, notice
from daas_authenticator.logins.register import Register
from daas_authenticator.renewal import Renewals
from daas_authenticator.rights.raising import lower_those_whose_time_is_over
from daas_model.errors import DaasError

#: How many people are looked at at the same time, and for how long one at most.
AT_ONCE = 8
LONGEST_SECONDS = 60


class Swept(Protocol):
    """What the authenticator offers to the sweep."""

    log: Any
    audit: Any
    register: Register
    renewals: Renewals

    async def blocked_names(self) -> frozenset[str]:
        """Return who may not come in now."""
        ...

    async def is_linked(self, issuer: str, subject: str, name: str) -> bool:
        """Tell whether this identity still signs in as *name*."""
        ...

    def take_all_rights(self, user: Any) -> None:
        """Let *user* have no right from now on."""
        ...


class Sweep:
    """Sweeps the hub *app*; has the catalogue asked about each session every *every_seconds*."""

    def __init__(self, authenticator: Swept, app: Any, grace: Grace, every_seconds: float) -> None:
        self._authenticator = authenticator
        self._app = app
        self._grace = grace
        self.notices: dict[str, Notice] = {}
        self._memberships = Memberships(authenticator, app, grace, every_seconds)
        self._guests = Guests(
            authenticator,
            app,
            self._refused,
            grace_seconds=grace.refused,
            every_seconds=every_seconds,
        )
        self._shut_out: set[str] = set()

    def notices_of(self, name: str) -> list[Notice]:
        """Return what *name* is going to lose, and when."""
        own = [self.notices[name]] if name in self.notices else []
        return [*own, *self._memberships.notices_of(name)]

    def welcome(self, name: str) -> None:
        """Note that *name* has signed in: whatever was found before is looked at anew."""
        self._shut_out.discard(name)

    async def run(self, seconds: float) -> None:
        """Sweep every *seconds* for as long as the hub runs.

        Who is blocked needs no provider and no catalogue, and waits for none of them.
        """
        await asyncio.gather(
            self._again_and_again(self.logins_and_blocked, seconds),
            self._again_and_again(self.refused_and_members, seconds),
            self._again_and_again(self.idle, seconds),
        )

    async def _again_and_again(self, sweep: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await sweep()
            except DaasError as error:
                self._authenticator.log.warning("%s: %s", error.code, error.detail)
            except Exception:  # the next time may go well
                self._authenticator.log.exception("The sweep ended in an error of ours.")

    async def logins_and_blocked(self) -> None:
        """End what is over, and look at whoever is blocked."""
        lower_those_whose_time_is_over(self._authenticator)
        await self._end_old_logins()
        blocked = await self._authenticator.blocked_names()
        self._guests.send_out_blocked(blocked)
        self._shut_out &= blocked
        users = [self._app.users.get(name) for name in blocked - self._shut_out]
        await self._look_at_all([user for user in users if user], self._look_at_blocked)

    async def refused_and_members(self) -> None:
        """Look at whoever has a session or watches one: provider and catalogue are asked."""
        blocked = await self._authenticator.blocked_names()
        users = [
            user
            for user in list(self._app.users.values())
            if user.active and user.name not in blocked
        ]
        await self._look_at_all(users, self._look_at)
        await self._look_at_all(self._guests.due(), self._guests.look_at)

    async def idle(self) -> None:
        """End what nobody uses."""
        await end_idle_sessions(self._app, self._authenticator.audit, self._authenticator.log)

    async def _look_at_all(
        self, users: Iterable[Any], look: Callable[[Any], Awaitable[None]]
    ) -> None:
        # Not one after the other: what hangs for one would hold up all.
        turns = asyncio.Semaphore(AT_ONCE)

        async def in_turn(user: Any) -> None:
            async with turns:
                try:
                    async with asyncio.timeout(LONGEST_SECONDS):
                        await look(user)
                except DaasError as error:
                    # Who could not be asked has refused nobody.
                    self._authenticator.log.warning("%s: %s", error.code, error.detail)
                except TimeoutError:
                    self._authenticator.log.warning("Sweeping %s takes too long.", user.name)
                except Exception:  # the others' turn comes all the same
                    self._authenticator.log.exception("Sweeping %s went wrong.", user.name)

        await asyncio.gather(*(in_turn(user) for user in users))

    async def _end_old_logins(self) -> None:
        register = self._authenticator.register
        await register.write_down()
        for login in await register.over():
            user = self._app.users.get(login.name)
            # An ordinary login that is over closes nothing: only the pages ask to sign in again.
            await end_logins(self._authenticator, user, [login], all_of_it=login.public)
        for login in await register.all():
            if not await self._authenticator.is_linked(login.issuer, login.subject, login.name):
                await end_logins(self._authenticator, self._app.users.get(login.name), [login])

    async def _look_at_blocked(self, user: Any) -> None:
        now = int(time.time())
        self._tell(user, Reason.BLOCKED, now, now)
        await self._end_if_due(user, now)

    async def _look_at(self, user: Any) -> None:
        reason, since = await self._refused(user)
        now = int(time.time())
        if reason is None:
            self.notices.pop(user.name, None)
            await self._memberships.look_at(user)
            return
        self._tell(user, reason, since, now)
        await self._end_if_due(user, now)

    def _tell(self, user: Any, reason: Reason, since: int, now: int) -> None:
        known = self.notices.get(user.name)
        if known is None or known.reason is not reason:
            self.notices[user.name] = notice(reason, since, now, self._grace)
            self._authenticator.log.warning("Sessions of %s end: %s", user.name, reason)
            self._authenticator.take_all_rights(user)
            # The portal's pages ask her to sign in; her sessions go on for the moment.
            forget_tokens(user, None, sessions_too=False)
            if reason is Reason.BLOCKED:
                forget_scripts(user)

    async def _end_if_due(self, user: Any, now: int) -> None:
        told = self.notices[user.name]
        if told.ends_at > now and user.active:
            return
        for spawner in [spawner for spawner in user.spawners.values() if spawner.active]:
            try:
                await end_session(self._app, self._authenticator.audit, user, spawner, told.reason)
            except Exception:  # her other sessions and her tokens end all the same
                self._authenticator.log.exception("Ending a session of %s failed.", user.name)
        register = self._authenticator.register
        if told.reason is Reason.BLOCKED:
            forget_tokens(user, None)
            await register.end(await register.of(user.name))
        if not user.active:  # else a session is just starting or ending: once more next time
            self.notices.pop(user.name, None)
            if told.reason is Reason.BLOCKED:
                self._shut_out.add(user.name)

    async def _refused(self, user: Any) -> tuple[Reason | None, int]:
        """Return whether the provider refuses *user*, and since when."""
        fresh = await self._authenticator.renewals.refresh(user, at_once=False)
        if isinstance(fresh, dict):
            await _keep(user, fresh)
        ended = KeptLogin.ended_at(await user.get_auth_state())
        return (Reason.REFUSED, ended) if ended is not None else (None, 0)


async def _keep(user: Any, model: dict[str, Any]) -> None:
    """Keep what a renewal has brought, as the hub does when it renews a login by itself."""
    if model["groups"] is not None:
        user.sync_groups(model["groups"])
    if model.get("roles") is not None:
        user.sync_roles(model["roles"])
    await user.save_auth_state(model["auth_state"])

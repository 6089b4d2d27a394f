"""Looks again and again who may still be here, also while nobody opens a page.

Started by the authenticator with the hub. Somebody who was blocked, or whose provider refuses her,
loses her running sessions after a notice and a grace; a login whose time is over ends. It asks the
provider by a renewal, because providers send nothing when they disable a person. Whether a session
may still have what it has mounted is asked in `memberships`.
"""

import asyncio
import time
from typing import Any, Protocol

from daas_authenticator.kept_login import KeptLogin
from daas_authenticator.logins.ending import end_logins, forget_tokens
from daas_authenticator.logins.memberships import Memberships, end_session
from daas_authenticator.logins.notices import Grace, Notice, Reason, notice
from daas_authenticator.logins.register import Register
from daas_authenticator.renewal import Renewals
from daas_model.errors import DaasError


class Swept(Protocol):
    """What the authenticator offers to the sweep."""

    log: Any
    audit: Any
    register: Register
    renewals: Renewals

    async def blocked_names(self) -> frozenset[str]:
        """Return who may not come in now."""
        ...


class Sweep:
    """Sweeps the hub *app*; has the catalogue asked about each session every *every_seconds*."""

    def __init__(self, authenticator: Swept, app: Any, grace: Grace, every_seconds: float) -> None:
        self._authenticator = authenticator
        self._app = app
        self._grace = grace
        self.notices: dict[str, Notice] = {}
        self._memberships = Memberships(authenticator, app, grace, every_seconds)
        self._shut_out: set[str] = set()

    def notices_of(self, name: str) -> list[Notice]:
        """Return what *name* is going to lose, and when."""
        own = [self.notices[name]] if name in self.notices else []
        return [*own, *self._memberships.notices_of(name)]

    async def run(self, seconds: float) -> None:
        """Sweep every *seconds* for as long as the hub runs."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.once()
            except Exception:  # the next time may go well
                self._authenticator.log.exception("The sweep ended in an error of ours.")

    async def once(self) -> None:
        """Look at everybody who has a session, and at whoever was blocked since the last time."""
        await self._end_old_logins()
        blocked = await self._authenticator.blocked_names()
        users = {user.name: user for user in list(self._app.users.values()) if user.active}
        for name in blocked - self._shut_out - users.keys():
            users[name] = self._app.users.get(name)
        self._shut_out &= blocked
        for name, user in users.items():
            try:
                await self._look_at(user, name in blocked)
            except DaasError as error:
                # Who could not be asked has refused nobody.
                self._authenticator.log.warning("%s: %s", error.code, error.detail)
            except Exception:  # the others' turn comes all the same
                self._authenticator.log.exception("Sweeping %s ended in an error of ours.", name)

    async def _end_old_logins(self) -> None:
        for login in await self._authenticator.register.over():
            user = self._app.users.get(login.name)
            # An ordinary login that is over closes nothing: only the pages ask to sign in again.
            await end_logins(self._authenticator.register, user, [login], all_of_it=login.public)

    async def _look_at(self, user: Any, blocked: bool) -> None:
        if user is None:
            return  # blocked before she ever came
        reason, since = (Reason.BLOCKED, 0) if blocked else await self._refused(user)
        now = int(time.time())
        if reason is None:
            self.notices.pop(user.name, None)
            await self._memberships.look_at(user)
            return
        known = self.notices.get(user.name)
        if known is None or known.reason is not reason:
            known = self.notices[user.name] = notice(reason, since, now, self._grace)
            self._authenticator.log.warning("Sessions of %s end: %s", user.name, reason)
            # The portal's pages ask her to sign in; her sessions go on for the moment.
            forget_tokens(user, None, sessions_too=False)
        if known.ends_at <= now or not user.active:
            await self._end(user, reason)

    async def _refused(self, user: Any) -> tuple[Reason | None, int]:
        """Return whether the provider refuses *user*, and since when."""
        fresh = await self._authenticator.renewals.refresh(user, at_once=False)
        if isinstance(fresh, dict):
            await _keep(user, fresh)
        ended = KeptLogin.ended_at(await user.get_auth_state())
        return (Reason.REFUSED, ended) if ended is not None else (None, 0)

    async def _end(self, user: Any, reason: Reason) -> None:
        """End the sessions of *user*; of somebody who is blocked, all that she could act with."""
        running = [spawner for spawner in user.spawners.values() if spawner.active]
        for spawner in running:
            await end_session(self._app, self._authenticator.audit, user, spawner, reason)
        self.notices.pop(user.name, None)
        if reason is Reason.BLOCKED:
            await self._authenticator.register.end(await self._authenticator.register.of(user.name))
            forget_tokens(user, None, scripts_too=True)
            self._shut_out.add(user.name)


async def _keep(user: Any, model: dict[str, Any]) -> None:
    """Keep what a renewal has brought, as the hub does when it renews a login by itself."""
    if model["groups"] is not None:
        user.sync_groups(model["groups"])
    if model.get("roles") is not None:
        user.sync_roles(model["roles"])
    await user.save_auth_state(model["auth_state"])

"""A login that stands: renewed by its provider, kept through an outage, ended by a refusal.

Asked by `DaasAuthenticator.refresh_user`, which the hub calls while somebody uses it.
"""

import asyncio
import time
from dataclasses import replace
from logging import Logger, LoggerAdapter
from typing import Any, Protocol

from daas_authenticator.client import Identity, Renewed
from daas_authenticator.kept_login import KeptLogin
from daas_authenticator.kept_logins import AnyIdentity, AnyKept, kept_login
from daas_authenticator.passwords.kept import KeptPasswordLogin
from daas_authenticator.passwords.ways import PasswordWays
from daas_authenticator.ways import Ways
from daas_model.errors import (
    Blocked,
    DaasError,
    LoginFailed,
    PeopleUnavailable,
    ProviderUnavailable,
)

Model = dict[str, Any]

#: Instead of why a login has ended: the person's own doing, or an administrator's.
_UNLINKED = "unlinked"


class Logins(Protocol):
    """What the authenticator offers to a renewal."""

    log: "Logger | LoggerAdapter[Any]"
    grace_seconds: int
    renewal_seconds: int
    enable_auth_state: bool

    @property
    def ways(self) -> Ways:
        """The ways to sign in."""
        ...

    @property
    def passwords(self) -> PasswordWays:
        """The ways to sign in with a password."""
        ...

    def take_all_rights(self, user: Any) -> None:
        """Let *user* have no right from now on."""
        ...

    async def is_linked(self, issuer: str, subject: str, name: str) -> bool:
        """Tell whether this identity still signs in as *name*."""
        ...

    async def check_not_blocked(self, name: str) -> None:
        """Raise `Blocked` when *name* may not come in."""
        ...

    async def auth_model(self, identity: AnyIdentity, public: bool = False) -> Model:
        """Return the hub's model of who *identity* is; raise `DaasError` when she may not in."""
        ...


class Renewals:
    """Renews logins, one question at a time for each person."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        self._running: dict[str, asyncio.Task[bool | Model]] = {}
        # Logins that the provider has ended: what runs goes on, nothing new starts.
        self._ended: set[str] = set()
        self._asked_at: dict[str, float] = {}
        self._logins_of: dict[str, int] = {}

    def has_ended(self, name: str) -> bool:
        """Tell whether the login of *name* must be made anew before anything starts."""
        return name in self._ended

    def stands_again(self, name: str) -> None:
        """Note that *name* has signed in."""
        self._ended.discard(name)
        self._asked_at[name] = time.monotonic()
        # What is being asked about the login of before says nothing of this one.
        self._running.pop(name, None)
        self._logins_of[name] = self._logins_of.get(name, 0) + 1

    async def refresh(self, user: Any, at_once: bool = True) -> bool | Model:
        """Return the fresh model, True while nothing changed, False to sign in again.

        The provider is asked *at_once*, or when it was not for `renewal_seconds`. Raises
        `Blocked` for somebody who was blocked meanwhile.
        """
        recently = time.monotonic() - self._logins.renewal_seconds
        if not at_once and self._asked_at.get(user.name, float("-inf")) > recently:
            return user.name not in self._ended
        # Two requests at once must not use one refresh token twice: providers take that for theft.
        task = self._running.get(user.name)
        if task is None:
            task = asyncio.ensure_future(self._refresh(user))
            self._running[user.name] = task
            task.add_done_callback(lambda done: self._forget(user.name, done))
        answer = await asyncio.shield(task)
        self._asked_at[user.name] = time.monotonic()
        return answer

    def _forget(self, name: str, done: "asyncio.Task[bool | Model]") -> None:
        if self._running.get(name) is done:
            del self._running[name]

    async def _refresh(self, user: Any) -> bool | Model:
        logins, login = self._logins, self._logins_of.get(user.name)
        kept = kept_login(await user.get_auth_state() if logins.enable_auth_state else None)
        if kept is None:
            return await self._end(user, kept, "nothing that could be asked is kept")
        answer = await self._answer(user, kept)
        if self._logins_of.get(user.name) != login:
            return True  # she has signed in anew meanwhile
        if answer is _UNLINKED:
            # Nobody has refused her: she signs in by another way, and what runs goes on.
            await user.save_auth_state(None)
            return await self._end(user, None, "its identity was unlinked")
        if isinstance(answer, str):
            return await self._end(user, kept, answer)
        if isinstance(answer, dict) and answer["groups"] is not None:
            self._ended.discard(user.name)
        elif answer is False:
            self._ended.add(user.name)
            logins.take_all_rights(user)
        return answer

    async def _answer(self, user: Any, kept: AnyKept) -> bool | Model | str:
        """Return the fresh model, True or False to keep the login or not, or why it has ended."""
        logins, renewed = self._logins, kept
        try:
            await logins.check_not_blocked(user.name)
            if not await logins.is_linked(kept.issuer, kept.subject, user.name):
                return _UNLINKED
            identity = await self._ask(kept)
            if identity is None:
                return True
            if isinstance(kept, KeptLogin) and isinstance(identity, Identity):
                renewed = replace(kept, tokens=identity.tokens)
            model = await logins.auth_model(identity)
            if model["name"] != user.name:
                raise LoginFailed("Your name has changed.", detail="refresh: another name")
            return model
        except (ProviderUnavailable, PeopleUnavailable) as error:
            if isinstance(error, Renewed) and isinstance(kept, KeptLogin):
                renewed = replace(kept, tokens=error.tokens)
            return self._keep(user, renewed, error, renewed != kept)
        except Blocked:
            raise
        except DaasError as error:
            return f"{error.code}: {error.detail}"

    async def _ask(self, kept: AnyKept) -> AnyIdentity | None:
        """Return what is said today of who signed in; None while nobody can be asked."""
        if isinstance(kept, KeptPasswordLogin):
            return await self._logins.passwords.confirm(kept)
        client = self._logins.ways.client_of(kept.provider, kept.issuer)
        if client is None:
            raise LoginFailed("Your login has ended.", detail="its way was switched off")
        return await client.refresh(kept.tokens, kept.subject, kept.nonce)

    def _keep(self, user: Any, kept: AnyKept, error: DaasError, renewed: bool) -> bool | Model:
        """Keep the login within its grace: who could not be asked has refused nobody."""
        unchanged: bool | Model = True
        if renewed:
            # A provider that rotates has spent the old ones: these are kept in any case.
            unchanged = {"name": user.name, "groups": None, "auth_state": kept.to_state()}
        if time.time() - kept.confirmed_at > self._logins.grace_seconds:
            self._logins.log.warning("Login of %s ended, its grace is over", user.name)
            return False
        self._logins.log.warning("Login of %s kept, %s: %s", user.name, error.code, error.detail)
        return unchanged

    async def _end(self, user: Any, kept: AnyKept | None, why: str) -> bool:
        """End the login of *user* for good: a provider that changes its mind does not revive it."""
        self._logins.log.warning("Login of %s ended, %s", user.name, why)
        self._ended.add(user.name)
        self._logins.take_all_rights(user)
        if kept:
            await user.save_auth_state(kept.without_tokens())
        return False

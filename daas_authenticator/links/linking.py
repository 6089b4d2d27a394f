"""Linking a further identity to one's own account: both sign in afresh, then she confirms.

Held in memory for ten minutes, for one browser: whoever loses it begins again. An identity is
never linked because its e-mail address is the same.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from daas_authenticator.client import Identity
from daas_model.errors import BadRequest, LoginFailed

WISH_SECONDS = 600
#: How long ago a fresh login may be: the way back from the provider, and clocks that differ.
FRESH_SECONDS = 300
CLOCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants to link an identity of *provider*; *identity* is it once it signed in."""

    name: str
    provider: str
    until: float
    proved: bool = False
    identity: Identity | None = None


class Linking:
    """The wishes of the browsers that are at it, by their logins' keys."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wishes: dict[str, Wish] = {}

    def begin(self, key: str, name: str, provider: str) -> None:
        """Note what *name* wants to link."""
        now = self._clock()
        self._wishes = {k: wish for k, wish in self._wishes.items() if wish.until > now}
        self._wishes[key] = Wish(name, provider, now + WISH_SECONDS)

    def wish(self, key: str, name: str) -> Wish:
        """Return what this browser is linking. Raises `BadRequest` when it is not."""
        wish = self._wishes.get(key)
        if wish is None or wish.name != name or wish.until <= self._clock():
            raise BadRequest(
                "Linking took more than ten minutes, or was begun elsewhere. Nothing was linked.",
                "Open “My account” and begin again.",
            )
        return wish

    def proved(self, key: str, name: str, identity: Identity) -> Wish:
        """Note that the person herself has just signed in again. Raises `DaasError`."""
        self.check_fresh(identity)
        return self.proved_by_password(key, name)

    def proved_by_password(self, key: str, name: str) -> Wish:
        """Note that the person herself has just typed her password. Raises `BadRequest`."""
        wish = self._wishes[key] = replace(self.wish(key, name), proved=True)
        return wish

    def arrived(self, key: str, name: str, identity: Identity) -> None:
        """Note the identity that will be linked. Raises `DaasError`."""
        wish = self.wish(key, name)
        if not wish.proved or identity.provider.id != wish.provider:
            raise LoginFailed("This is not the identity that was to be linked.")
        self.check_fresh(identity)
        self._wishes[key] = replace(wish, identity=identity)

    def take(self, key: str, name: str, shown: str) -> Identity:
        """Return the identity that she confirms, once; it must be the one that she was *shown*.

        Raises `BadRequest`.
        """
        identity = self.wish(key, name).identity
        del self._wishes[key]
        if identity is None or identity.subject != shown:
            raise BadRequest("There is nothing to confirm.", "Open “My account” and begin again.")
        return identity

    def check_fresh(self, identity: Identity) -> None:
        """Raise `LoginFailed` unless the provider says that she signed in just now."""
        signed_in = identity.login_claims.get("auth_time")
        age = self._clock() - signed_in if type(signed_in) is int else None
        if age is None or not -CLOCK_SECONDS < age < FRESH_SECONDS:
            raise LoginFailed(
                f"{identity.provider.title} did not ask you to sign in again, so nothing was "
                "linked.",
                "Sign out there, then begin again. If it happens again, tell your facility's "
                "support the code.",
                detail=f"auth_time {'is missing' if age is None else f'{age:.0f} s ago'}",
            )

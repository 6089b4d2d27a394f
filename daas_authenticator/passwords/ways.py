"""All ways to sign in with a password that are set up, behind one set of rules.

Made by the authenticator of its setting `password_ways`. Whatever the source, attempts are
limited, a refusal tells nothing by its words or its time, and no log says what was typed.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable

from traitlets import TraitError

from daas_authenticator.passwords.identity import LocalIdentity, PasswordWay
from daas_authenticator.passwords.kept import KeptPasswordLogin
from daas_authenticator.passwords.limits import Attempt, Limits
from daas_authenticator.passwords.pam import PamWay
from daas_authenticator.passwords.settings import (
    LdapValues,
    PamValues,
    UserOfficeValues,
    WayValues,
)
from daas_authenticator.passwords.typed import Typed
from daas_authenticator.passwords.user_office import UserOfficeWay
from daas_model.errors import (
    BadRequest,
    LoginFailed,
    ProviderUnavailable,
    TooManyAttempts,
)


class PasswordWays:
    """The ways that are switched on, in the operator's order."""

    def __init__(
        self,
        values: Iterable[WayValues],
        refusal_seconds: float = 1.0,
        login_hours: float = 12.0,
    ) -> None:
        found = tuple(values)
        #: Also those of ways that are switched off: their people own their names.
        self.issuers = frozenset(value.issuer for value in found)
        self._ways = {value.id: make_way(value) for value in found if value.enabled}
        self._refusal_seconds = refusal_seconds
        self._login_seconds = login_hours * 3600
        self._limits = Limits()

    def __bool__(self) -> bool:
        return bool(self._ways)

    def listed(self) -> tuple[WayValues, ...]:
        """Return what the sign-in page shows."""
        return tuple(way.values for way in self._ways.values())

    async def check(
        self, way_id: str, typed: Typed, address: str, is_known: Callable[[str], bool]
    ) -> LocalIdentity:
        """Return who it is that typed this at *address*.

        *is_known* tells whether a name has an account here: only then may a log name it. Raises
        `LoginFailed`, `TooManyAttempts`, `ProviderUnavailable` or `BadRequest`, whose `detail`
        is for the log.
        """
        way = self._ways.get(way_id)
        if way is None:
            raise BadRequest("This way to sign in does not exist here.", "Choose another one.")
        started = time.monotonic()
        try:
            attempt = self._limits.begin(way_id, typed.key, address)
            identity = await self._judged(way, typed, attempt)
        except (LoginFailed, TooManyAttempts) as error:
            if isinstance(error, LoginFailed):
                await self._until_even(started)
            whose = typed.name if is_known(typed.name) else "a name unknown here"
            error.detail = f"{way_id}, {whose}, from {address}: {error.detail or error.message}"
            raise
        self._limits.succeeded(attempt)
        return identity

    async def confirm(self, kept: KeptPasswordLogin) -> LocalIdentity | None:
        """Return what the source of *kept* says today; None while it cannot be asked.

        A login whose source cannot be asked lasts for the hours that the operator has set.
        Raises `LoginFailed` when the login is over, `ProviderUnavailable`.
        """
        way = self._ways.get(kept.provider)
        if way is None or way.values.issuer != kept.issuer:
            raise LoginFailed("Your login has ended.", detail="its way was switched off")
        identity = await way.confirm(kept.subject)
        if identity is None and time.time() - kept.confirmed_at > self._login_seconds:
            raise LoginFailed("Your login has ended.", detail="its hours are over")
        return identity

    async def _judged(self, way: PasswordWay, typed: Typed, attempt: Attempt) -> LocalIdentity:
        try:
            return await way.check(typed)
        except ProviderUnavailable:
            self._limits.undo(attempt)
            raise

    async def _until_even(self, started: float) -> None:
        """Wait until a whole number of steps is over: quick and slow refusals take the same."""
        if self._refusal_seconds:
            steps = math.ceil((time.monotonic() - started) / self._refusal_seconds)
            rest = started + steps * self._refusal_seconds - time.monotonic()
            await asyncio.sleep(max(rest, 0))


def make_way(values: WayValues) -> PasswordWay:
    """Return what asks the source that *values* describe. Raises `TraitError`."""
    if isinstance(values, PamValues):
        return PamWay(values)
    if isinstance(values, UserOfficeValues):
        return UserOfficeWay(values)
    assert isinstance(values, LdapValues)
    try:
        # ldap3 is an extra: only whoever asks LDAP installs it.
        from daas_authenticator.passwords.ldap import LdapWay  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise TraitError("Passwords by LDAP need ldap3: pip install 'daas-hub[ldap]'") from error
    return LdapWay(values)

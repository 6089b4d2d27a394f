"""What a source of passwords says of somebody, and what every such source can do.

Implemented by `ldap`, `pam` and `user_office`; used by `ways`. The authenticator treats a
`LocalIdentity` as it does an OpenID provider's: (issuer, subject) is who she is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from daas_authenticator.passwords.settings import WayValues
from daas_authenticator.passwords.typed import Typed

NAME_CLAIM = WayValues.username_claim
GROUPS_CLAIM = WayValues.groups_claim


@dataclass(frozen=True, slots=True)
class LocalIdentity:
    """A person as her source names her; nothing in it is what she typed."""

    provider: WayValues
    subject: str
    claims: Mapping[str, Any] = field(repr=False)

    #: There is no ID token, thus none of its claims.
    login_claims: ClassVar[Mapping[str, Any]] = {}

    @property
    def issuer(self) -> str:
        """The text that stands for this source, such as "ldap:staff"."""
        return self.provider.issuer


class PasswordWay(Protocol):
    """One source of passwords. Neither call blocks the hub, and each has its time limit."""

    @property
    def values(self) -> WayValues:
        """What the operator has set."""
        ...

    async def check(self, typed: Typed) -> LocalIdentity:
        """Return who this is.

        Raises `LoginFailed`, with one sentence for an unknown name and a wrong password, and
        `ProviderUnavailable` when the source does not answer or its answer makes no sense.
        """
        ...

    async def confirm(self, subject: str) -> LocalIdentity | None:
        """Return what the source says today of who signed in; None when it cannot be asked.

        Raises as `check` does: `LoginFailed` for somebody who is gone, locked or expired.
        """
        ...

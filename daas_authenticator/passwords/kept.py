"""What the hub keeps of a login by password, encrypted: who, by which way, when confirmed.

Made by the authenticator at a login and at each refresh, beside `kept_login.KeptLogin`: there
are no tokens to keep, and never the password.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from daas_authenticator.passwords.identity import LocalIdentity

_KIND = "password"


@dataclass(frozen=True, slots=True)
class KeptPasswordLogin:
    """Who signed in by which way, and when its source last said so."""

    provider: str
    issuer: str
    subject: str
    confirmed_at: int

    #: A source of passwords has no logins of its own.
    sid: ClassVar[str] = ""

    @classmethod
    def of(cls, identity: LocalIdentity) -> "KeptPasswordLogin":
        """Return what is kept of *identity*, which was confirmed just now."""
        return cls(identity.provider.id, identity.issuer, identity.subject, int(time.time()))

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> "KeptPasswordLogin | None":
        """Return what `to_state` wrote; None for another kind of login, or one that has ended."""
        if not state or state.get("kind") != _KIND or not state.get("confirmed_at"):
            return None
        return cls(state["provider"], state["issuer"], state["sub"], state["confirmed_at"])

    def to_state(self) -> dict[str, Any]:
        """Return the hub's `auth_state`."""
        return {
            "kind": _KIND,
            "provider": self.provider,
            "issuer": self.issuer,
            "sub": self.subject,
            "confirmed_at": self.confirmed_at,
        }

    def without_tokens(self) -> dict[str, Any]:
        """Return what stays after the end of a login: whose it was, and since when."""
        return {
            "kind": _KIND,
            "provider": self.provider,
            "issuer": self.issuer,
            "sub": self.subject,
            "ended_at": int(time.time()),
        }

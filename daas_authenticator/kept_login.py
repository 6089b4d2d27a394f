"""What the hub keeps of a login, encrypted, between two requests.

Made by the authenticator at each login and refresh; the least that a refresh needs, and who
owns the name. The hub calls it `auth_state`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_authenticator.client import Identity, Tokens
from daas_authenticator.providers import DEFAULT


@dataclass(frozen=True, slots=True)
class KeptLogin:
    """Who signed in by which provider, and when it last said so."""

    provider: str
    issuer: str
    subject: str
    nonce: str
    confirmed_at: int
    tokens: Tokens = field(repr=False)
    sid: str = ""

    @classmethod
    def of(cls, identity: Identity) -> "KeptLogin":
        """Return what is kept of *identity*, which was confirmed just now."""
        return cls(
            provider=identity.provider.id,
            issuer=identity.issuer,
            subject=identity.subject,
            nonce=identity.nonce,
            confirmed_at=int(time.time()),
            tokens=identity.tokens,
            sid=sid if isinstance(sid := identity.login_claims.get("sid"), str) else "",
        )

    @staticmethod
    def ended_at(state: Mapping[str, Any] | None) -> int | None:
        """Return since when the provider has ended this login; None when it did not."""
        return state.get("ended_at") if state else None

    @classmethod
    def from_state(cls, state: Mapping[str, Any] | None) -> "KeptLogin | None":
        """Return what `to_state` wrote; None when that login has ended or was never kept."""
        if not state or not state.get("access_token") or not state.get("sub"):
            return None
        return cls(
            provider=state.get("provider", DEFAULT),
            issuer=state.get("issuer", ""),
            subject=state["sub"],
            nonce=state.get("nonce", ""),
            confirmed_at=state.get("confirmed_at", 0),
            tokens=Tokens(
                access_token=state["access_token"],
                refresh_token=state.get("refresh_token"),
                id_token=state.get("id_token"),
                scope=tuple(state.get("scope") or ()),
            ),
            sid=state.get("sid", ""),
        )

    def to_state(self) -> dict[str, Any]:
        """Return the hub's `auth_state`."""
        return {
            "provider": self.provider,
            "issuer": self.issuer,
            "sub": self.subject,
            "nonce": self.nonce,
            "confirmed_at": self.confirmed_at,
            "access_token": self.tokens.access_token,
            "refresh_token": self.tokens.refresh_token,
            "id_token": self.tokens.id_token,
            "scope": list(self.tokens.scope),
            "sid": self.sid,
        }

    def without_tokens(self) -> dict[str, Any]:
        """Return what stays after a provider has ended a login: whose it was, and since when."""
        return {
            "provider": self.provider,
            "issuer": self.issuer,
            "sub": self.subject,
            "ended_at": int(time.time()),
        }

"""Reads back what the hub keeps of a login, of whichever kind it is.

Used wherever a login is looked at after it began: at a renewal, and when a browser signs in.
"""

from collections.abc import Mapping
from typing import Any

from daas_authenticator.client import Identity
from daas_authenticator.kept_login import KeptLogin
from daas_authenticator.passwords.identity import LocalIdentity
from daas_authenticator.passwords.kept import KeptPasswordLogin

#: A verified person: of an identity provider, or of a source of passwords.
AnyIdentity = Identity | LocalIdentity
AnyKept = KeptLogin | KeptPasswordLogin


def kept_login(state: Mapping[str, Any] | None) -> AnyKept | None:
    """Return the login in the hub's `auth_state`; None when it has ended or was never kept."""
    return KeptPasswordLogin.from_state(state) or KeptLogin.from_state(state)


def to_keep(identity: AnyIdentity) -> AnyKept:
    """Return what is kept of *identity*, which was confirmed just now."""
    if isinstance(identity, LocalIdentity):
        return KeptPasswordLogin.of(identity)
    return KeptLogin.of(identity)

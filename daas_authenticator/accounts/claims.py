"""Accounts whose numbers the identity provider says: for facilities without another directory.

The provider is asked again at each start (userinfo, with the person's own token), because nothing
of the answer of her login was kept. Only one issuer, named in the settings, is believed.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from traitlets import TraitError, Unicode, validate
from traitlets.config import Configurable

from daas_authenticator.client import Identity
from daas_authenticator.discovery import is_safe_url
from daas_model.errors import AccountProblem
from daas_model.people import Account, Person
from daas_model.proposals import Proposal

#: More digits than any UID or GID has; Python would compute with any number of them.
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


class ClaimAccounts(Configurable):
    """Reads accounts from verified claims. An `AccountSource`.

    *ask* returns what the provider of a person's login says of her now, verified.
    """

    issuer = Unicode(
        help="""The one issuer whose claims give accounts, exactly as it writes it. Somebody who
        signed in elsewhere has no account here. Only administrators of that provider may be able
        to write these claims. Example: "https://sso.facility.example/realms/users".""",
    ).tag(config=True)
    uid_claim = Unicode(
        "uidNumber",
        help="""Claim of userinfo with the UID: a number, its digits, or a list of one of them.
        Example: "uidNumber".""",
    ).tag(config=True)
    gid_claim = Unicode(
        "gidNumber",
        help="""Claim of userinfo with the GID of the account's first group, written as the UID.
        Example: "gidNumber".""",
    ).tag(config=True)
    home_claim = Unicode(
        "homeDirectory",
        help="""Claim of userinfo with the path of the home folder, which must lie below one of
        `DaasAuthenticator.home_roots`. Example: "homeDirectory".""",
    ).tag(config=True)
    groups_claim = Unicode(
        help="""Claim of userinfo with the other groups: a list of texts `name:GID`, or a mapping
        of names to GIDs. Empty for none. Example: "posixGroups".""",
    ).tag(config=True)

    def __init__(self, ask: Callable[[str], Awaitable[Identity]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not self.issuer:
            raise TraitError("ClaimAccounts.issuer must name the issuer that is believed")
        self._ask = ask

    @validate("issuer")
    def _https_issuer(self, proposal: Any) -> str:
        issuer: str = proposal["value"]
        if issuer and not is_safe_url(issuer):
            raise TraitError("ClaimAccounts.issuer must be an https address")
        return issuer

    async def account_of(self, person: Person, proposals: tuple[Proposal, ...]) -> Account:
        """Return the account of *person*, whatever she opens."""
        del proposals
        identity = await self._ask(person.name)
        if identity.issuer != self.issuer:
            raise AccountProblem(
                "You signed in with an identity that has no account at this facility.",
                "Sign out, and sign in with your facility's own account.",
                detail="the login is not one of ClaimAccounts.issuer",
            )
        claims = identity.claims
        return Account(
            name=person.name,
            uid=_number(claims, self.uid_claim),
            gid=_number(claims, self.gid_claim),
            groups=_groups(claims, self.groups_claim),
            home=PurePosixPath(_text(claims, self.home_claim)),
        )


def _number(claims: Mapping[str, Any], claim: str) -> int:
    number = _as_number(_single(claims.get(claim)))
    if number is None:
        raise _missing(claim, "is missing or no number")
    return number


def _text(claims: Mapping[str, Any], claim: str) -> str:
    value = _single(claims.get(claim))
    if not isinstance(value, str) or not value:
        raise _missing(claim, "is missing or no text")
    return value


def _groups(claims: Mapping[str, Any], claim: str) -> dict[str, int]:
    """A group that cannot be read refuses the start: a session without it would fail later."""
    given = claims.get(claim) if claim else None
    pairs: list[tuple[object, object]]
    if given is None:
        pairs = []
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        texts = given if isinstance(given, list) else [given]
        pairs = [text.rpartition(":")[::2] if isinstance(text, str) else ("", "") for text in texts]
    groups: dict[str, int] = {}
    for name, value in pairs:
        number = _as_number(value)
        if not isinstance(name, str) or not name or number is None:
            raise _missing(claim, "has an entry that is no group")
        groups[name] = number
    return groups


def _single(value: object) -> object:
    """Brokers that speak SAML behind send single values as lists."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _as_number(value: object) -> int | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _missing(claim: str, what: str) -> AccountProblem:
    return AccountProblem(
        "Your identity provider did not tell us your account's numbers.",
        detail=f"userinfo: claim {claim!r} {what}",
    )

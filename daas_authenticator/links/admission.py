"""Which name an identity has here: the one it is linked to, or, where allowed, a new one.

Asked by the authenticator at each login and refresh. The link decides; a provider's claims name
a person only once, and only where the operator lets that provider do so.
"""

from collections.abc import Callable
from dataclasses import dataclass

from daas_authenticator.kept_logins import AnyIdentity
from daas_authenticator.links.people import People
from daas_authenticator.links.store import LEGACY_ISSUER, taken
from daas_model.errors import NotLinked, PeopleUnavailable


@dataclass(frozen=True, slots=True)
class Admission:
    """*claimed_name* returns the name in an identity's claims, or raises `AccountProblem`.

    *signed_in_before* tells whether the hub remembers anybody's login.
    """

    people: People
    claimed_name: Callable[[AnyIdentity], str]
    signed_in_before: Callable[[], bool]
    support_contact: str

    async def name_of(self, identity: AnyIdentity) -> str:
        """Return the name of *identity*; nothing is written.

        Raises `NotLinked` for somebody unknown whom this provider may not name, and
        `AccountProblem` when her name is another's, or no name.
        """
        link = await self.people.link_of(identity.issuer, identity.subject)
        if link is None and (old := _legacy_id(identity)):
            link = await self.people.link_of(LEGACY_ISSUER, old)
        if link is not None:
            return link.name
        if not identity.provider.names_people:
            raise self._not_linked(identity)
        name = self.claimed_name(identity)
        if await self.people.ask(self.people.store.person, name):
            raise taken(name)
        if self.signed_in_before() and await self.people.ask(self.people.store.is_empty):
            # A lost list would give everybody's name to whoever comes first.
            raise PeopleUnavailable(
                "The list of accounts is empty, though people have signed in here before.",
                "Tell your facility's support the code. Sessions that run are not affected.",
                detail="people_database is empty: bring back its copy, or `daas people import`",
            )
        return name

    async def settle(self, name: str, identity: AnyIdentity) -> bool:
        """Write down whose *name* it is from now on. Returns whether that is new.

        Raises `Taken` when somebody else was quicker.
        """
        store = self.people.store
        if await self.people.link_of(identity.issuer, identity.subject):
            return False
        old = _legacy_id(identity)
        legacy = await self.people.link_of(LEGACY_ISSUER, old) if old else None
        if legacy is not None:
            await self.people.ask(store.move, legacy, identity.issuer, identity.subject)
        else:
            await self.people.ask(store.take, name, identity.issuer, identity.subject)
        return True

    def _not_linked(self, identity: AnyIdentity) -> NotLinked:
        return NotLinked(
            f"You signed in with {identity.provider.title}, but this identity is not linked to an "
            "account here yet.",
            "If you have an account at this facility, sign in with that, open “My account” and "
            f"link {identity.provider.title} there. If you have none, ask {self.support_contact} "
            f"and tell them who you are at {identity.provider.title}: {identity.subject}",
            detail=f"no link for an identity of {identity.provider.id}",
        )


def _legacy_id(identity: AnyIdentity) -> str:
    """Return the identifier that an older system knew this person by, from a verified claim."""
    claim = identity.provider.legacy_claim
    value = identity.claims.get(claim) if claim else None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else ""

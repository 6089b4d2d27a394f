"""What a catalogue and an account resolver must do, whoever wrote them."""

from collections.abc import Iterable
from typing import Protocol

from daas_model.people import Account, Person
from daas_model.proposals import Listing, Proposal


class Catalogue(Protocol):
    """Where the proposals are known. Asked live; nothing of it is copied.

    The contract is `daas_catalogue.testing.CatalogueContract`: a connector that passes it is one.
    """

    async def proposals_of(self, person: Person) -> Listing:
        """Return the proposals that *person* may open, the latest visit first.

        Raises `CatalogueProblem` when it cannot tell.
        """
        ...

    async def authorise(self, person: Person, ids: Iterable[str]) -> tuple[Proposal, ...]:
        """Return the proposals *ids*, in that order, if *person* may open every one of them.

        Raises `ProposalNotFound`, with the same words for unknown and foreign ones, and
        `CatalogueProblem` when it cannot tell.
        """
        ...


class AccountResolver(Protocol):
    """Who a person is to the file servers. Asked at each start; nothing of it is stored."""

    async def resolve_account(self, person: Person, proposals: tuple[Proposal, ...]) -> Account:
        """Return the account that *person* works as in a session with *proposals*.

        Raises `AccountProblem`: there is no default.
        """
        ...

"""The contract of a catalogue: a connector is whatever passes these tests.

A third party subclasses `CatalogueContract` in its own test suite, with one fixture `catalogue`
that knows the three proposals below for the people below, and runs pytest.
"""

import pytest

from daas_model.errors import ProposalNotFound
from daas_model.people import Person
from daas_model.protocols import Catalogue


class CatalogueContract:
    """What every connector must do. The fixture's catalogue holds three proposals.

    `MEMBER` belongs to `OLDER` and `NEWER`, `OTHER` to `NEWER`, neither to `FOREIGN`; the last
    visit of `NEWER` ends after that of `OLDER`.
    """

    OLDER, NEWER, FOREIGN = "OLD-1", "NEW-2", "FOREIGN-3"
    MEMBER, OTHER, STRANGER = "member", "other", "stranger"

    @pytest.fixture
    def catalogue(self) -> Catalogue:
        """Return the connector under test."""
        raise NotImplementedError("give your connector as the fixture `catalogue`")

    async def test_a_person_sees_her_own_proposals_latest_first(self, catalogue: Catalogue) -> None:
        """Nobody sees another's."""
        listing = await catalogue.proposals_of(Person(self.MEMBER))
        assert [proposal.id for proposal in listing.proposals] == [self.NEWER, self.OLDER]

    async def test_somebody_without_a_proposal_sees_none(self, catalogue: Catalogue) -> None:
        """And it is no error."""
        assert (await catalogue.proposals_of(Person(self.STRANGER))).proposals == ()

    async def test_authorise_returns_what_was_asked_in_its_order(
        self, catalogue: Catalogue
    ) -> None:
        """Several proposals in one session (D6)."""
        found = await catalogue.authorise(Person(self.MEMBER), [self.OLDER, self.NEWER])
        assert [proposal.id for proposal in found] == [self.OLDER, self.NEWER]

    async def test_unknown_and_foreign_read_the_same(self, catalogue: Catalogue) -> None:
        """Whoever asks learns nothing about what exists."""
        said = []
        for wanted in (self.FOREIGN, "NO-SUCH-9"):
            with pytest.raises(ProposalNotFound) as refused:
                await catalogue.authorise(Person(self.MEMBER), [wanted])
            said.append(str(refused.value).replace(wanted, "…"))
        assert said[0] == said[1]

    async def test_one_foreign_proposal_refuses_the_whole_request(
        self, catalogue: Catalogue
    ) -> None:
        """There is no partial session."""
        with pytest.raises(ProposalNotFound):
            await catalogue.authorise(Person(self.OTHER), [self.NEWER, self.OLDER])

    async def test_every_proposal_says_where_its_data_lies(self, catalogue: Catalogue) -> None:
        """Raw and processed are two absolute folders."""
        for proposal in (await catalogue.proposals_of(Person(self.MEMBER))).proposals:
            assert proposal.storage.raw.is_absolute()
            assert proposal.storage.processed.is_absolute()
            assert proposal.storage.raw != proposal.storage.processed

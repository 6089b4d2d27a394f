"""What may be opened: proposals, their visits, and where their data lies."""

from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Visit:
    """A beamtime slot of a proposal (ICAT "investigation", ISPyB "session")."""

    id: str
    begins: date
    ends: date


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the data of a proposal lies on the machine that runs the session.

    *raw* is mounted read-only, *processed* writable; *group* is the group of the file system
    that shares the processed data, empty when the facility uses access lists instead.
    """

    raw: PurePosixPath
    processed: PurePosixPath
    group: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An accepted request for beamtime, as its catalogue knows it."""

    id: str
    title: str
    abstract: str
    beamline: str
    visits: tuple[Visit, ...]
    principal_investigator: str
    co_proposers: frozenset[str]
    local_contacts: frozenset[str]
    data_access: frozenset[str]
    storage: Storage

    @property
    def people(self) -> frozenset[str]:
        """Everybody who may open it, by name."""
        return (
            self.co_proposers
            | self.local_contacts
            | self.data_access
            | {self.principal_investigator}
        )

    @property
    def latest(self) -> date:
        """The last day of its last visit; proposals without a visit come last."""
        return max((visit.ends for visit in self.visits), default=date.min)

    def role_of(self, name: str) -> str:
        """Return what *name* is in this proposal, in words for a page."""
        if name == self.principal_investigator:
            return "principal investigator"
        if name in self.co_proposers:
            return "co-proposer"
        if name in self.local_contacts:
            return "local contact"
        return "data access"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a catalogue answers for one person. *notice* says, for the page, what is missing."""

    proposals: tuple[Proposal, ...]
    notice: str = ""

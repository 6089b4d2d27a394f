"""Who somebody is: the person the hub knows, and the local account she works as."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

#: Groups of the hub whose names begin so stand for rights; no provider can name one.
RIGHT_GROUP = "daas-right-"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signed in. *name* is the hub's name for her.

    Her local account has the same name, except where proposals have the accounts. *rights* are
    those that count now: `staff`, `local-contact`, `without-proposal`.
    """

    name: str
    groups: frozenset[str] = frozenset()
    rights: frozenset[str] = frozenset()

    @classmethod
    def of_hub(cls, name: str, groups: Iterable[str]) -> "Person":
        """Return the person that the hub knows by *name* and the names of her groups."""
        found = frozenset(groups)
        rights = {group for group in found if group.startswith(RIGHT_GROUP)}
        return cls(name, found - rights, frozenset(r.removeprefix(RIGHT_GROUP) for r in rights))

    @property
    def starts_without_proposal(self) -> bool:
        """Whether a facility that restricts it lets her start a session without a proposal."""
        return bool(self.rights & {"staff", "without-proposal"})


@dataclass(frozen=True, slots=True)
class Account:
    """The local account that a session runs as: what a file server wants to know.

    Resolved when a session starts, kept in memory, written nowhere. *groups* maps the names of
    its groups to their GIDs, the first one's too where it has a name. The numbers do not appear
    in `repr`, so that no log line can carry them.
    """

    name: str
    uid: int = field(repr=False)
    gid: int = field(repr=False)
    groups: Mapping[str, int] = field(repr=False)
    home: PurePosixPath = field(repr=False)

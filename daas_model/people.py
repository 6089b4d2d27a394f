"""Who somebody is: the person the hub knows, and the local account she works as."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signed in. *name* is the hub's name for her.

    Her local account has the same name, except where proposals have the accounts.
    """

    name: str
    groups: frozenset[str] = frozenset()


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

"""Which identity signs in as whom, and who is blocked.

Blocking calls, each one transaction: the hub goes through `people`, the command line calls them
as they are.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from daas_authenticator.database.engine import Database
from daas_authenticator.database.tables import links, people
from daas_model.errors import AccountProblem, BadRequest

#: Stands for the older system whose identifiers (Umbrella's EAAHash) a list brought in.
LEGACY_ISSUER = "urn:daas:legacy"


@dataclass(frozen=True, slots=True)
class Link:
    """One identity that signs in as *name*. *linked_by*: a person's name, or a command's."""

    issuer: str
    subject: str
    name: str
    linked_at: int
    linked_by: str


@dataclass(frozen=True, slots=True)
class Known:
    """A name that is somebody's. *blocked_from*: the second from which she may not come in."""

    name: str
    blocked_from: int | None
    reason: str
    links: tuple[Link, ...]

    def is_blocked(self, now: float) -> bool:
        """Tell whether she may not come in at the time *now*."""
        return self.blocked_from is not None and self.blocked_from <= now


class Taken(AccountProblem):
    """The name, or the identity, is somebody else's already."""


class LinkStore:
    """The links in *database*. Every method raises `PeopleUnavailable` when it is out of reach."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction

    def link_of(self, issuer: str, subject: str) -> Link | None:
        """Return the link of an identity, if it has one."""
        with self._transaction() as database:
            return _link(database, issuer, subject)

    def person(self, name: str) -> Known | None:
        """Return who has *name*, if anybody ever had."""
        with self._transaction() as database:
            row = database.execute(select(people).where(people.c.name == name)).first()
            found = select(links).where(links.c.name == name).order_by(links.c.linked_at)
            rows = database.execute(found).all()
        if row is None:
            return None
        return Known(row.name, row.blocked_from, row.reason, tuple(Link(*link) for link in rows))

    def is_empty(self) -> bool:
        """Tell whether nobody has a name yet."""
        with self._transaction() as database:
            return database.execute(select(people.c.name).limit(1)).first() is None

    def blocked(self) -> dict[str, int]:
        """Return who is or will be blocked, each with the second from which on."""
        with self._transaction() as database:
            rows = database.execute(select(people).where(people.c.blocked_from.is_not(None)))
            return {row.name: row.blocked_from for row in rows}

    def take(self, name: str, issuer: str, subject: str) -> None:
        """Give the free *name* to the identity that came first. Raises `Taken`."""
        try:
            with self._transaction() as database:
                database.execute(insert(people).values(name=name, reason=""))
                _insert(database, name, issuer, subject, by=name)
        except IntegrityError:
            found = self.link_of(issuer, subject)
            if found is None or found.name != name:  # else: she signed in twice at once
                raise taken(name) from None

    def link(self, name: str, issuer: str, subject: str, by: str) -> None:
        """Let one more identity sign in as *name*. Raises `Taken` when it is another's."""
        with self._transaction() as database:
            known = _link(database, issuer, subject)
            if known and known.name != name:
                raise Taken(
                    "This identity is linked to another account already.",
                    detail=f"linked to {known.name}, wanted for {name}",
                )
            if not known:
                _make_known(database, name)
                _insert(database, name, issuer, subject, by)

    def unlink(self, name: str, issuer: str, subject: str, *, keep_last: bool = False) -> bool:
        """Take a link away; the name stays reserved. Returns whether there was one.

        With *keep_last*, raises `BadRequest` instead of leaving the name without any.
        """
        with self._transaction() as database:
            # Two browsers may do this at once; each would see the other's link still there.
            database.execute(select(people.c.name).where(people.c.name == name).with_for_update())
            done = database.execute(delete(links).where(_is(issuer, subject), links.c.name == name))
            left = select(links.c.name).where(links.c.name == name).limit(1)
            if keep_last and done.rowcount and database.execute(left).first() is None:
                raise BadRequest(
                    "This is the only identity that is linked to your account. Nothing was "
                    "changed.",
                    "Link another one first: without any, nobody could sign in.",
                )
            return bool(done.rowcount)

    def move(self, link: Link, issuer: str, subject: str) -> None:
        """Let the person of *link* be known by another identity.

        Raises `Taken` when the link is not there any more, or the identity is somebody's.
        """
        try:
            with self._transaction() as database:
                done = database.execute(
                    update(links)
                    .where(_is(link.issuer, link.subject), links.c.name == link.name)
                    .values(issuer=issuer, subject=subject)
                )
                found = None if done.rowcount else _link(database, issuer, subject)
                # She may have signed in twice at once.
                if not done.rowcount and (found is None or found.name != link.name):
                    raise taken(link.name)
        except IntegrityError:
            raise taken(link.name) from None

    def links_from(self, issuer: str) -> tuple[Link, ...]:
        """Return all links of one issuer."""
        with self._transaction() as database:
            rows = database.execute(select(links).where(links.c.issuer == issuer))
            return tuple(Link(*row) for row in rows)

    def block(self, name: str, from_: int, reason: str) -> None:
        """Keep *name* out from the second *from_* on, known or not yet."""
        with self._transaction() as database:
            _make_known(database, name)
            database.execute(
                update(people)
                .where(people.c.name == name)
                .values(blocked_from=from_, reason=reason)
            )

    def unblock(self, name: str) -> bool:
        """Let *name* in again. Returns whether she was blocked."""
        with self._transaction() as database:
            done = database.execute(
                update(people)
                .where(people.c.name == name, people.c.blocked_from.is_not(None))
                .values(blocked_from=None, reason="")
            )
            return bool(done.rowcount)

    def replace(self, gone: Iterable[Link], new: Iterable[Link]) -> None:
        """Take the links *gone* away and make the *new*: all or nothing. Raises `Taken`."""
        try:
            with self._transaction() as database:
                for link in gone:
                    database.execute(delete(links).where(_is(link.issuer, link.subject)))
                for link in new:
                    _make_known(database, link.name)
                    _insert(database, link.name, link.issuer, link.subject, link.linked_by)
        except IntegrityError:
            raise Taken(
                "One of these identities is linked already. Nothing was changed.",
                "Look for it with `daas people show`, or leave it out of the list.",
            ) from None


def taken(name: str) -> Taken:
    """Return what somebody reads whose name is another's."""
    return Taken(
        f"The name {name} belongs to somebody else who signed in here before.",
        detail=f"{name}: another sub or issuer",
    )


def _link(database: Connection, issuer: str, subject: str) -> Link | None:
    row = database.execute(select(links).where(_is(issuer, subject))).first()
    return Link(*row) if row else None


def _is(issuer: str, subject: str) -> Any:
    return (links.c.issuer == issuer) & (links.c.subject == subject)


def _make_known(database: Connection, name: str) -> None:
    if database.execute(select(people.c.name).where(people.c.name == name)).first() is None:
        database.execute(insert(people).values(name=name, reason=""))


def _insert(database: Connection, name: str, issuer: str, subject: str, by: str) -> None:
    database.execute(
        insert(links).values(
            issuer=issuer, subject=subject, name=name, linked_at=int(time.time()), linked_by=by
        )
    )

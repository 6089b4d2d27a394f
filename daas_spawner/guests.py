"""Who else may look at a session: invitations and guests, as the hub's share codes and shares.

Used by the pages in `watching` and by the spawner. A grant is for one session that runs, ends with
it, and holds nothing but the right to come to that session's door.
"""

from typing import Any

from jupyterhub import orm
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from daas_model.errors import WatchingRefused
from daas_model.people import Person

#: An invitation is good for so long, for everybody who has it; a guest stays until the end.
LASTS_SECONDS = 3600
#: A program in a session could ask for invitations without end.
MOST_OPEN = 20
#: The hub's codes have 43 characters; nothing longer is looked for.
LONGEST_CODE = 100


def scope_of(session: orm.Spawner) -> str:
    """Return the one right that a guest of *session* has."""
    return f"access:servers!server={session.user.name}/{session.name}"


def invite(session: orm.Spawner) -> str:
    """Return the code of a new invitation. Raises `WatchingRefused` when too many are open."""
    database = _database(session)
    orm.ShareCode.purge_expired(database)
    if database.query(orm.ShareCode).filter_by(spawner_id=session.id).count() >= MOST_OPEN:
        raise WatchingRefused(
            f"There are {MOST_OPEN} open invitations to this session, and no more can be made.",
            "Use one of them, or take all of them back.",
        )
    _, code = orm.ShareCode.new(
        database, session, scopes=[scope_of(session)], expires_in=LASTS_SECONDS
    )
    return str(code)


def invitation(database: Session, code: str) -> orm.ShareCode | None:
    """Return the invitation of *code*; None when it is over, or was never one of ours."""
    if not code or len(code) > LONGEST_CODE:
        return None
    found = orm.ShareCode.find(database, code)
    ours = found is not None and found.scopes == [scope_of(found.spawner)]
    return found if ours else None


def admit(invited: orm.ShareCode, guest: orm.User) -> None:
    """Let *guest* come to the session that she is *invited* to."""
    invited.exchange(guest)


def send_out(session: orm.Spawner, name: str) -> bool:
    """Take the right of the guest *name* back; tell whether she had one.

    All open invitations end: she knows one, and could come back by it.
    """
    grants = [grant for grant in _grants(session) if grant.user and grant.user.name == name]
    _delete(session, [*grants, *_invitations(session)])
    return bool(grants)


def send_all_out(session: orm.Spawner) -> list[str]:
    """Take back all invitations to *session* and all its guests' rights; return their names."""
    grants = _grants(session)
    names = sorted(grant.user.name for grant in grants if grant.user)
    _delete(session, [*grants, *_invitations(session)])
    return names


def person_of(user: Any) -> Person:  # the hub's
    """Return the person that the hub knows as *user*."""
    return Person.of_hub(user.name, (group.name for group in user.groups))


def _grants(session: orm.Spawner) -> list[orm.Share]:
    return list(_database(session).query(orm.Share).filter_by(spawner_id=session.id))


def _invitations(session: orm.Spawner) -> list[orm.ShareCode]:
    return list(_database(session).query(orm.ShareCode).filter_by(spawner_id=session.id))


def _delete(session: orm.Spawner, rows: list[orm.Share | orm.ShareCode]) -> None:
    # One by one: so the hub's own lists of them, which it keeps in memory, are told.
    for row in rows:
        _database(session).delete(row)
    if rows:
        _database(session).commit()


def _database(session: orm.Spawner) -> Session:
    database: Session = inspect(session).session
    return database

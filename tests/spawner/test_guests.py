"""Invitations and guests in the hub's database, without a hub."""

from collections.abc import Iterator

import pytest
from jupyterhub import orm
from sqlalchemy.orm import Session

from daas_spawner import guests


@pytest.fixture
def database() -> Iterator[Session]:
    factory = orm.new_session_factory("sqlite:///:memory:")
    with factory() as session:
        yield session
    factory.kw["bind"].dispose()


@pytest.fixture
def session(database: Session) -> orm.Spawner:
    owner = orm.User(name="pi")
    spawner = orm.Spawner(name="pymca", user=owner)
    database.add_all([owner, spawner])
    database.commit()
    return spawner


def test_a_guest_gets_the_one_right_to_come_to_the_door(
    database: Session, session: orm.Spawner
) -> None:
    guest = orm.User(name="coproposer")
    database.add(guest)
    invited = guests.invitation(database, guests.invite(session))
    assert invited is not None
    guests.admit(invited, guest)
    assert [grant.scopes for grant in guest.shared_with_me] == [["access:servers!server=pi/pymca"]]
    assert guests.send_all_out(session) == ["coproposer"]
    assert (guest.shared_with_me, session.shares, session.share_codes) == ([], [], [])


def test_attack_35_a_code_that_gives_more_is_no_invitation(
    database: Session, session: orm.Spawner
) -> None:
    scopes = [guests.scope_of(session), "delete:servers!server=pi/pymca"]
    _, code = orm.ShareCode.new(database, session, scopes=scopes, expires_in=60)
    assert guests.invitation(database, code) is None

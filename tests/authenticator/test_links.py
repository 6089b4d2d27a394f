"""Which identity is whose, on SQLite and on a real PostgreSQL."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from daas_authenticator.database.engine import Database
from daas_authenticator.database.tables import metadata
from daas_authenticator.links.people import People
from daas_authenticator.links.store import Link, LinkStore, Taken
from daas_authenticator.logins.login import Login
from daas_authenticator.logins.store import LoginStore
from daas_model.errors import BadRequest, Blocked, PeopleUnavailable

from .postgresql import postgresql

STAFF, UMBRELLA = "https://sso.facility.example", "https://umbrella.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    with postgresql() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, server: str | None
) -> Iterator[Database]:
    if request.param == "postgresql" and server is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    url = f"sqlite:///{tmp_path}/people.sqlite" if request.param == "sqlite" else server
    database = Database(str(url))
    yield database
    with database.transaction() as connection:
        metadata.drop_all(connection)
        connection.execute(text("drop table daas_people_version"))
    database.close()


@pytest.fixture
def store(database: Database) -> LinkStore:
    return LinkStore(database)


def names(store: LinkStore, *identities: tuple[str, str]) -> list[str | None]:
    found = [store.link_of(*identity) for identity in identities]
    return [link.name if link else None for link in found]


def test_the_first_identity_owns_the_name(store: LinkStore) -> None:
    store.take("alice", STAFF, "a1")
    for issuer, subject in ((STAFF, "a2"), (UMBRELLA, "a1")):
        with pytest.raises(Taken, match="belongs to somebody else"):
            store.take("alice", issuer, subject)
    assert names(store, (STAFF, "a1"), (STAFF, "a2"), (UMBRELLA, "a1")) == ["alice", None, None]


def test_of_two_who_want_one_name_at_once_one_gets_it(store: LinkStore) -> None:
    store.person("nobody")  # the tables are there

    def attempt(subject: str) -> bool:
        try:
            store.take("alice", STAFF, subject)
        except Taken:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(attempt, [f"a{number}" for number in range(8)]))
    known = store.person("alice")
    assert got.count(True) == 1
    assert known is not None
    assert [link.subject for link in known.links] == [f"a{got.index(True)}"]


def test_one_person_who_signs_in_twice_at_once_gets_in_twice(store: LinkStore) -> None:
    store.take("alice", STAFF, "a1")
    store.take("alice", STAFF, "a1")
    assert names(store, (STAFF, "a1")) == ["alice"]


def test_a_further_identity_leads_to_the_same_name(store: LinkStore) -> None:
    store.take("alice", STAFF, "a1")
    store.take("bob", STAFF, "b1")
    store.link("alice", UMBRELLA, "u1", by="alice")
    with pytest.raises(Taken, match="another account"):
        store.link("bob", UMBRELLA, "u1", by="bob")
    assert names(store, (UMBRELLA, "u1")) == ["alice"]


def test_a_name_without_identities_stays_reserved(store: LinkStore) -> None:
    store.take("alice", STAFF, "a1")
    assert store.unlink("alice", STAFF, "a1")
    assert not store.unlink("alice", STAFF, "a1")
    with pytest.raises(Taken):
        store.take("alice", STAFF, "a2")


def test_of_two_who_unlink_each_others_identity_at_once_one_is_refused(store: LinkStore) -> None:
    store.take("alice", STAFF, "a1")
    store.link("alice", UMBRELLA, "u1", by="alice")

    def attempt(identity: tuple[str, str]) -> bool:
        try:
            return store.unlink("alice", *identity, keep_last=True)
        except BadRequest:
            return False

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(attempt, [(STAFF, "a1"), (UMBRELLA, "u1")]))
    assert done.count(True) == 1


def test_a_link_that_is_gone_cannot_be_moved(store: LinkStore) -> None:
    store.take("alice", STAFF, "a1")
    link = store.link_of(STAFF, "a1")
    assert link is not None
    store.unlink("alice", STAFF, "a1")
    with pytest.raises(Taken):
        store.move(link, UMBRELLA, "u1")


async def test_hanging_connections_are_given_up(
    server: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if server is None:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    from daas_authenticator.database import postgresql as patient  # noqa: PLC0415

    monkeypatch.setattr(patient, "_ANSWER_SECONDS", 0.5)
    database = Database(server)
    with ExitStack() as open_ones:
        held = [open_ones.enter_context(database.transaction()) for _ in range(4)]
        hanging = [one.execute(text("select pg_backend_pid()")).scalar_one() for one in held]
    for process in hanging:
        os.kill(process, signal.SIGSTOP)
    try:
        people = People(LinkStore(database), "nobody")
        answers = await asyncio.gather(*(people.link_of(STAFF, "x") for _ in range(8)))
    finally:
        for process in hanging:
            os.kill(process, signal.SIGCONT)
    assert answers == [None] * 8
    database.close()


def test_somebody_elses_identity_cannot_be_unlinked(store: LinkStore) -> None:
    store.take("alice", STAFF, "a1")
    assert not store.unlink("bob", STAFF, "a1")
    assert names(store, (STAFF, "a1")) == ["alice"]


def test_a_list_is_taken_whole_or_not_at_all(store: LinkStore) -> None:
    store.take("bob", STAFF, "b1")
    new = [Link(STAFF, "c1", "carol", 0, "list"), Link(STAFF, "b1", "carol", 0, "list")]
    with pytest.raises(Taken, match="Nothing was changed"):
        store.replace([], new)
    assert names(store, (STAFF, "c1"), (STAFF, "b1")) == [None, "bob"]


async def test_blocked_is_who_was_blocked_until_now(store: LinkStore) -> None:
    people = People(store, "the user office")
    store.take("alice", STAFF, "a1")
    await people.check_not_blocked("alice")
    store.block("alice", 4_000_000_000, "leaves in 2096")
    await people.check_not_blocked("alice")
    store.block("alice", 1, "left")
    with pytest.raises(Blocked, match="Ask the user office"):
        await people.check_not_blocked("alice")
    assert store.blocked() == {"alice": 1}
    assert store.unblock("alice")
    assert not store.unblock("alice")
    await people.check_not_blocked("alice")


def test_a_login_is_kept_once_until_it_is_ended(database: Database) -> None:
    store = LoginStore(database)
    login = Login("k1", "alice", "staff", STAFF, "a1", "", 100, 200, public=False, browser="Edge")
    store.add(login)
    store.add(login)
    assert store.all() == (login,)
    store.remove(["k1", "unknown"])
    assert store.all() == ()


def test_the_migrations_make_the_tables_of_this_version(database: Database) -> None:
    with database.transaction() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "daas_people_version", "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "people.sqlite"
    with sqlite3.connect(file) as newer:
        newer.execute("create table daas_people_version (version_num varchar(32))")
        newer.execute("insert into daas_people_version values ('9999')")
    with pytest.raises(PeopleUnavailable, match="newer version"):
        LinkStore(Database(f"sqlite:///{file}")).person("alice")


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_a_database_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "people.sqlite"
    if content is None:
        file = tmp_path / "missing" / "people.sqlite"
    else:
        file.write_bytes(content)
    with pytest.raises(PeopleUnavailable, match="cannot be read"):
        LinkStore(Database(f"sqlite:///{file}")).person("alice")


async def test_a_database_that_hangs_does_not_hold_up_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daas_authenticator.links.people._PATIENCE_SECONDS", 0.1)
    file = tmp_path / "people.sqlite"
    store = LinkStore(Database(f"sqlite:///{file}"))
    store.take("alice", STAFF, "a1")
    with sqlite3.connect(file) as other:
        other.execute("begin exclusive")
        with pytest.raises(PeopleUnavailable):
            await People(store, "nobody").link_of(STAFF, "a1")

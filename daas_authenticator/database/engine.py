"""Opens the database, SQLite or PostgreSQL, and brings it up to date by Alembic's migrations.

Used by the stores, `links.store` and `logins.store`. Blocking calls: the hub makes them in
threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, false, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from daas_authenticator.database.tables import VERSION_TABLE, people
from daas_model.errors import PeopleUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).with_name("migrations")


class Database:
    """The database at the SQLAlchemy address *url*. Every method raises `PeopleUnavailable`."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        lite = parsed.get_backend_name() == "sqlite"
        self._file = Path(parsed.database) if lite and parsed.database else None
        if parsed.drivername == "postgresql+psycopg":
            self._engine = _postgresql(parsed)
        else:
            wait = {"timeout": 5} if lite else {"connect_timeout": 5}
            self._engine = create_engine(parsed, connect_args=wait, pool_pre_ping=True)
        if lite:
            event.listen(self._engine, "connect", _check_references)
        self._ready = False
        self._opening = Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection; what is done with it happens whole or not at all.

        An `IntegrityError` is the caller's: two were there first.
        """
        with self._opening:
            if not self._ready:
                self.migrate()
        with _named_errors(), self._engine.begin() as connection:
            yield connection

    def version(self) -> str:
        """Return "none" (no tables yet), "older", "ours" or "newer". Changes nothing.

        An SQLite file that is not there is made by asking: look for it first.
        """
        from alembic.migration import MigrationContext  # noqa: PLC0415  as below
        from alembic.script import ScriptDirectory  # noqa: PLC0415

        named = {"version_table": VERSION_TABLE}
        scripts = ScriptDirectory.from_config(_alembic())
        with _named_errors(), self._engine.connect() as connection:
            found = MigrationContext.configure(connection, opts=named).get_current_revision()
        if found is None:
            return "none"
        if found == scripts.get_current_head():
            return "ours"
        return "older" if found in {step.revision for step in scripts.walk_revisions()} else "newer"

    def try_writing(self) -> None:
        """Raise `PeopleUnavailable` unless we may change its rows. Changes nothing."""
        nothing = update(people).where(false()).values(reason="")
        with _named_errors(), self._engine.connect() as connection:
            connection.execute(nothing)
            connection.rollback()

    def migrate(self) -> None:
        """Make the tables, or change those of an older version; touch none of a newer one."""
        # Half a second to import, and needed once.
        from alembic import command  # noqa: PLC0415
        from alembic.util import CommandError  # noqa: PLC0415

        settings = _alembic()
        with _named_errors():
            self._keep_private()
        with _named_errors(), self._engine.begin() as connection:
            settings.attributes["connection"] = connection
            try:
                command.upgrade(settings, "head")
            except CommandError as error:
                raise PeopleUnavailable(
                    "The list of accounts was written by a newer version of the portal.",
                    "Install that version, or bring back the copy that was made before it.",
                    detail=str(error),
                ) from None
        self._ready = True

    def _keep_private(self) -> None:
        """Who is who is nobody else's to read. SQLite's journals get the file's own rights."""
        if self._file and not self._file.exists():
            self._file.touch(0o600)
        elif self._file and self._file.stat().st_size == 0:
            self._file.chmod(0o600)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def _postgresql(url: URL) -> Engine:
    # An extra, which a hub with SQLite need not have.
    from daas_authenticator.database import postgresql  # noqa: PLC0415

    engine = create_engine(url, connect_args=postgresql.arguments(url), pool_pre_ping=True)
    postgresql.give_up_on_silence(engine)
    return engine


def _alembic() -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    settings = Config()
    settings.set_main_option("script_location", str(_MIGRATIONS))
    return settings


def _check_references(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (SQLAlchemyError, OSError) as error:
        # The text of SQLAlchemy's own error may hold the statement's values.
        raise PeopleUnavailable(
            "The list of accounts cannot be read or written just now.",
            detail=f"people_database: {type(error).__name__}: {getattr(error, 'orig', '')}",
        ) from None

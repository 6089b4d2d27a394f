"""Keeps the logins over a restart of the hub, in the authenticator's database.

Blocking calls, made by `register` in threads.
"""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import delete, insert, select

from daas_authenticator.database.engine import Database
from daas_authenticator.database.tables import logins
from daas_authenticator.logins.login import Login


class LoginStore:
    """The logins in *database*. Every method raises `PeopleUnavailable` when it is out of reach."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction

    def all(self) -> tuple[Login, ...]:
        """Return the logins, those too whose time is over."""
        with self._transaction() as database:
            return tuple(Login(*row) for row in database.execute(select(logins)))

    def add(self, login: Login) -> None:
        """Keep *login*, in the place of an older one of the same browser."""
        with self._transaction() as database:
            database.execute(delete(logins).where(logins.c.key == login.key))
            database.execute(insert(logins).values(**asdict(login)))

    def remove(self, keys: Iterable[str]) -> None:
        """Forget logins."""
        with self._transaction() as database:
            database.execute(delete(logins).where(logins.c.key.in_(tuple(keys))))

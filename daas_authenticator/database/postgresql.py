"""Connections to PostgreSQL that give up: a server, or one of its processes, may stop answering.

Used by `engine`, and only where `people_database` is on PostgreSQL: psycopg is an extra.
"""

import time
from collections.abc import Generator
from typing import Any, TypeVar

from psycopg import Connection, OperationalError
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL

T = TypeVar("T")

#: Twice this, for a dead connection and a new one, is what `links.people` waits.
_ANSWER_SECONDS = 4.5


def arguments(url: URL) -> dict[str, Any]:
    """Return what libpq is told beside *url*: to notice a dead network, to end what takes long."""
    given = url.query.get("options", ())
    options = (given,) if isinstance(given, str) else given
    return {
        "connect_timeout": 4,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 8000,
        "options": " ".join((*options, "-c statement_timeout=4000")),
    }


def give_up_on_silence(engine: Engine) -> None:
    """Let each question to the server end within seconds, whatever has happened to it.

    The limits of libpq and of the server do not help where a process of the server hangs and its
    machine is well. The pool never hands out again what was closed here.
    """

    def connect(_dialect: Any, _record: Any, given: Any, named: Any) -> Connection[Any]:
        return _Impatient.connect(*given, **named)

    event.listen(engine, "do_connect", connect)


class _Impatient(Connection[Any]):
    def wait(self, gen: Generator[Any, Any, T], *given: Any, **named: Any) -> T:
        return super().wait(self._in_time(gen), *given, **named)

    def _in_time(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        end = time.monotonic() + _ANSWER_SECONDS
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted  # nothing, ten times a second, while nothing comes
                if not ready and time.monotonic() > end:
                    self.close()
                    raise OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as done:
            answer: T = done.value
            return answer

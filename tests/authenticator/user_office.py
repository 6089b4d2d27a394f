"""A user office on loopback that speaks the login contract of CALIPSOplus, in the test's process.

There is no other one to be had: the contract is a page of the old backend's documentation.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

PEOPLE = {"grace@example.org": ("correct horse", {"username": "grace", "id": 4711})}


@dataclass
class UserOffice:
    """What the office answers; a test may change it. *asked* is what came."""

    port: int
    status: int = 0
    body: Any = None
    redirect: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/login"


class Login(RequestHandler):
    """`BACKEND_UO_LOGIN`."""

    def initialize(self, office: UserOffice) -> None:
        self.office = office

    def post(self) -> None:
        assert self.request.headers["Content-Type"] == "application/json"
        sent = json.loads(self.request.body)
        assert sent.keys() == {"username", "password"}
        self.office.asked.append(sent)
        password, person = PEOPLE.get(sent["username"], (None, {}))
        if self.office.redirect:
            self.redirect(self.office.redirect)
            return
        self.set_status(self.office.status or (200 if password == sent["password"] else 401))
        body = person if self.office.body is None else self.office.body
        self.finish(body if isinstance(body, bytes) else json.dumps(body))


@asynccontextmanager
async def open_office(port: int, **tls: Any) -> AsyncIterator[UserOffice]:
    """Let an office answer at *port* until the end of the block."""
    office = UserOffice(port)
    server = HTTPServer(Application([(r"/.*", Login, {"office": office})]), **tls)
    server.listen(port, "127.0.0.1")
    try:
        yield office
    finally:
        server.stop()
        await server.close_all_connections()

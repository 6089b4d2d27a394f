"""A visitor without a browser for installations whose names no name server knows."""

import asyncio
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from tests.hosting.place import Place
from tests.visitor import Visitor, hidden_fields


class ThisMachine(AbstractResolver):
    """Finds every host here."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[Any]:
        """Return the loopback address."""
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": family,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Hold nothing."""


class Guest(Visitor):
    """Trusts the authority of *place*, checks its certificates, and follows all redirects."""

    def __init__(self, place: Place) -> None:
        super().__init__(place.url)
        self._place = place

    async def __aenter__(self) -> "Guest":
        connector = aiohttp.TCPConnector(
            resolver=ThisMachine(), ssl=self._place.tls, family=socket.AF_INET
        )
        jar = aiohttp.CookieJar(unsafe=True)
        self._http = aiohttp.ClientSession(cookie_jar=jar, connector=connector)
        return self

    async def arrive(self, who: str) -> None:
        """Sign in as *who*."""
        self.who = who
        page = await self.get(self._place.portal)
        answer = await self.post(page.url, {"person": who, **hidden_fields(page.text)})
        assert answer.url == self._place.portal

    async def open_session(self, app: str, proposal: str) -> str:
        """Press the portal's button; return the session's address."""
        page = await self.get(self._place.portal)
        form = {"_xsrf": hidden_fields(page.text)["_xsrf"], "app": app, "proposal": proposal}
        answer = await self.post(f"{self._place.portal}open", form)
        async with asyncio.timeout(30):
            while "/sessions/" in answer.url:
                await asyncio.sleep(0.1)
                answer = await self.get(answer.url)
        assert answer.status == 200
        return answer.url

    async def stop(self, session: str) -> None:
        """Press the button that ends *session*."""
        page = await self.get(self._place.portal)
        form = {"_xsrf": hidden_fields(page.text)["_xsrf"], "session": session}
        assert (await self.post(f"{self._place.portal}stop", form)).status == 200

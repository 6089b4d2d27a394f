"""The ways to sign in at this hub, and which of them are out of order just now.

Made by the authenticator: one `OpenIDClient` for each provider that is switched on. The sign-in
page shows what `listed` returns. Looking after the providers never delays the hub.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from logging import Logger, LoggerAdapter
from typing import Any

from daas_authenticator.client import OpenIDClient
from daas_authenticator.providers import Provider
from daas_model.errors import BadRequest, DaasError, LoginFailed

_RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Way:
    """One entry of the sign-in page. *path* is below the hub's prefix; empty: not to sign in."""

    id: str
    title: str
    for_whom: str
    path: str
    out_of_order: bool


class Ways:
    """The providers that are switched on, in the operator's order."""

    def __init__(
        self,
        providers: Iterable[Provider],
        make_client: Callable[[Provider], OpenIDClient],
        log: "Logger | LoggerAdapter[Any]",
    ) -> None:
        found = tuple(providers)
        #: Also those of providers that are switched off: their people own their names.
        self.issuers = frozenset(provider.issuer for provider in found)
        self._clients = {p.id: make_client(p) for p in found if p.enabled}
        self._log = log
        self._broken: dict[str, DaasError] = {}

    def __bool__(self) -> bool:
        return bool(self._clients)

    def client(self, provider_id: str, to_link: bool = False) -> OpenIDClient:
        """Return the client to sign in with, or to link an identity.

        Raises an error that says why there is none.
        """
        client = self._clients.get(provider_id)
        if client is None:
            raise BadRequest("This way to sign in does not exist here.", "Choose another one.")
        if not client.provider.signs_in and not to_link:
            raise LoginFailed(
                f"{client.provider.title} can be linked to an account, but not sign you in.",
                "Choose another way to sign in.",
                detail=f"{provider_id} is for linking only",
            )
        return client

    async def working_client(self, provider_id: str, to_link: bool = False) -> OpenIDClient:
        """Return the client to begin a login with; asks first when it was out of order."""
        client = self.client(provider_id, to_link)
        if provider_id in self._broken:
            await self._check(client)
        if provider_id in self._broken:
            raise self._broken[provider_id].with_traceback(None)
        return client

    def client_of(self, provider_id: str, issuer: str) -> OpenIDClient | None:
        """Return the client that knows a login of before; None when that way was taken away."""
        client = self._clients.get(provider_id)
        known = client is not None and client.provider.signs_in
        return client if known and client and client.provider.issuer == issuer else None

    def providers(self) -> tuple[Provider, ...]:
        """Return the providers that are switched on, those for linking only too."""
        return tuple(client.provider for client in self._clients.values())

    def title_of(self, issuer: str) -> str:
        """Return how the sign-in page calls an issuer; the issuer itself when it is not there."""
        titles = {provider.issuer: provider.title for provider in self.providers()}
        return titles.get(issuer, issuer)

    def listed(self) -> tuple[Way, ...]:
        """Return what the sign-in page shows."""
        return tuple(
            Way(
                id=p.id,
                title=p.title,
                for_whom=p.for_whom,
                path=p.login_path if p.signs_in else "",
                out_of_order=p.id in self._broken,
            )
            for p in self.providers()
        )

    def only_way(self) -> Way | None:
        """Return the one way to sign in, when there is exactly one."""
        ways = [way for way in self.listed() if way.path]
        return ways[0] if len(ways) == 1 else None

    async def look_after(self, seconds: float) -> None:
        """Ask every provider, now and every *seconds*, sooner while one is out of order."""
        while True:
            try:
                await self.check()
            except Exception:  # looking after them must not end while the hub runs
                self._log.exception("Asking the providers ended in an error of ours.")
            await asyncio.sleep(min(seconds, _RETRY_SECONDS) if self._broken else seconds)

    async def check(self) -> None:
        """Ask every provider once, at the same time. Each has its own time limit."""
        await asyncio.gather(*(self._check(client) for client in self._clients.values()))

    async def _check(self, client: OpenIDClient) -> None:
        name = client.provider.id
        try:
            await client.check()
        except DaasError as error:
            if name not in self._broken:
                self._log.warning("Signing in by %s is out of order: %s", name, error.detail)
            self._broken[name] = error
        else:
            if self._broken.pop(name, None):
                self._log.info("Signing in by %s works again.", name)

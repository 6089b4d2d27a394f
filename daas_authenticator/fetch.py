"""The one way in which the hub asks a provider for anything.

Made by the authenticator for each provider and called by `OpenIDClient`: discovery, keys,
tokens and userinfo share one rule of certificates, proxy, size and time. RFC 9700, 4.11 on
redirects.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from daas_authenticator.discovery import LOOPBACK
from daas_model.errors import ProviderUnavailable

#: Discovery documents and key sets have some 10 kB; what is larger is not read to its end.
LARGEST_ANSWER_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider sent. The body may hold tokens: it does not appear in `repr`."""

    code: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Fetch:
    """Asks providers over https. *ca_bundle* adds to the certificates that the system trusts."""

    def __init__(self, timeout_seconds: float, ca_bundle: str = "", proxy: str = "") -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._trusted = ssl.create_default_context()
        if ca_bundle:
            self._trusted.load_verify_locations(cafile=ca_bundle)
        self._proxy = proxy

    async def __call__(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Answer:
        """Return the answer, whatever its status; redirects are answers and not followed.

        Raises `ProviderUnavailable` when nothing usable came in time.
        """
        try:
            # A client for each call keeps no cookie, and no connection to go stale.
            async with (
                aiohttp.ClientSession(
                    timeout=self._timeout, auto_decompress=False, trust_env=False
                ) as session,
                session.request(
                    method,
                    url,
                    data=body,
                    headers={**(headers or {}), "Accept-Encoding": "identity"},
                    ssl=self._trusted,
                    proxy=self._proxy_for(url),
                    allow_redirects=False,
                ) as response,
            ):
                content = await _limited(response.content)
                return Answer(response.status, content, response.headers)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # An exception's text can hold the address that was asked; its kind is enough.
            raise silent(type(error).__name__) from None

    def _proxy_for(self, url: str) -> str | None:
        return None if urlsplit(url).hostname in LOOPBACK else self._proxy or None


async def _limited(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for part in content.iter_any():
        body += part
        if len(body) > LARGEST_ANSWER_BYTES:
            raise silent(f"more than {LARGEST_ANSWER_BYTES // 1024} KiB")
    return bytes(body)


def silent(why: str) -> ProviderUnavailable:
    """Return the error for a provider that is down, or as good as down; *why* is for the log."""
    return ProviderUnavailable("The identity provider does not answer.", detail=why)

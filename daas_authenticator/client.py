"""One identity provider as the hub sees it: discovery, code, tokens, userinfo, refresh.

Made by the authenticator; several providers will be several of these. It asks through the
authenticator's HTTP client, so that one setting of proxy and certificates serves every call.
"""

import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

from tornado.httpclient import HTTPClientError
from tornado.httputil import url_concat

from daas_authenticator.discovery import KeyCache, ProviderMetadata, discovery_url, parse_metadata
from daas_authenticator.id_token import Expected, UnknownKey, verify_id_token
from daas_authenticator.login_flow import LoginFlow
from daas_model.errors import LoginFailed, ProviderUnavailable

_OLDEST_METADATA_SECONDS = 3600


class Response(Protocol):
    """What we read of tornado's HTTP response."""

    code: int
    body: bytes


class Refused(LoginFailed):
    """The provider answered with a 4xx: this code or token is good for nothing (any more)."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gave. Not one of them appears in `repr`."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified person of one issuer: (issuer, subject) is who, *claims* is what userinfo said."""

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(repr=False)
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the operator registered at the provider."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: tuple[str, ...]
    timeout_seconds: float


class OpenIDClient:
    """Speaks OpenID Connect with one provider.

    *fetch* is called as `fetch(url, **HTTPRequest arguments)` and returns a `Response` for
    every HTTP status. All methods raise `ProviderUnavailable` when the provider does not
    answer, and `LoginFailed` when its answer cannot be trusted.
    """

    def __init__(self, settings: ClientSettings, fetch: Callable[..., Awaitable[Response]]) -> None:
        self._settings = settings
        self._fetch = fetch
        self._metadata: ProviderMetadata | None = None
        self._metadata_at = float("-inf")
        self._keys = KeyCache(self._fetch_keys)

    async def metadata(self) -> ProviderMetadata:
        """Return the provider's metadata, asked at the first login and then once an hour."""
        if (
            self._metadata is None
            or time.monotonic() - self._metadata_at > _OLDEST_METADATA_SECONDS
        ):
            document = await self._json(discovery_url(self._settings.issuer))
            self._metadata = parse_metadata(document, self._settings.issuer)
            self._metadata_at = time.monotonic()
        return self._metadata

    async def authorization_url(
        self, flow: LoginFlow, redirect_uri: str, extra: Mapping[str, str]
    ) -> str:
        """Return where to send the browser for *flow* (code flow, PKCE S256, nonce, state)."""
        metadata = await self.metadata()
        return url_concat(
            metadata.authorization_endpoint,
            {
                **extra,
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": redirect_uri,
                "scope": " ".join(self._settings.scope),
                "state": flow.state,
                "nonce": flow.nonce,
                "code_challenge": flow.challenge,
                "code_challenge_method": "S256",
            },
        )

    async def sign_in(self, code: str, flow: LoginFlow, redirect_uri: str) -> Identity:
        """Exchange *code* and return who signed in, with the ID token and userinfo verified."""
        tokens = await self._token_request(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": flow.verifier,
            }
        )
        subject: str = (await self._verified(tokens.id_token, flow.nonce))["sub"]
        return await self.identify(tokens, subject)

    async def identify(self, tokens: Tokens, subject: str) -> Identity:
        """Ask userinfo, which must speak of *subject* (Core 5.3.2: else tokens were swapped).

        Raises `Refused` when the access token is not accepted any more.
        """
        metadata = await self.metadata()
        claims = await self._json(
            metadata.userinfo_endpoint,
            headers={
                "Accept": "application/json",
                "Authorization": f"Bearer {tokens.access_token}",
            },
        )
        if claims.get("sub") != subject:
            raise LoginFailed(
                "Your identity provider's answers contradict each other.",
                detail="userinfo: sub is not that of the login",
            )
        return Identity(self._settings.issuer, subject, claims, tokens)

    async def renew(self, refresh_token: str, subject: str) -> Tokens:
        """Return fresh tokens of *subject* (Core 12.2). The old ones may be worth nothing now.

        Raises `Refused` when the provider does not accept the refresh token any more.
        """
        tokens = await self._token_request(
            {"grant_type": "refresh_token", "refresh_token": refresh_token}, refresh_token
        )
        if tokens.id_token is not None:
            claims = await self._verified(tokens.id_token, nonce=None)
            if claims["sub"] != subject:
                raise LoginFailed(
                    "Your identity provider answered for somebody else.",
                    detail="refresh: sub of the ID token is not that of the login",
                )
        return tokens

    async def _verified(self, id_token: object, nonce: str | None) -> Mapping[str, Any]:
        metadata = await self.metadata()
        expected = Expected(
            metadata.issuer, self._settings.client_id, metadata.signing_algorithms, nonce
        )
        try:
            return verify_id_token(id_token, await self._keys.current(), expected, time.time())
        except UnknownKey:
            keys = await self._keys.after_rotation()
            return verify_id_token(id_token, keys, expected, time.time())

    async def _token_request(self, form: dict[str, str], kept: str | None = None) -> Tokens:
        metadata = await self.metadata()
        client_id, secret = self._settings.client_id, self._settings.client_secret
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if metadata.basic_client_auth:
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"  # RFC 6749, 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form = {**form, "client_id": client_id, "client_secret": secret}
        answer = await self._json(
            metadata.token_endpoint, method="POST", headers=headers, body=urlencode(form)
        )
        return _parse_tokens(answer, kept)

    async def _fetch_keys(self) -> Mapping[str, Any]:
        return await self._json((await self.metadata()).jwks_uri)

    async def _json(self, url: str, **request: Any) -> Mapping[str, Any]:
        """Return the JSON object at *url*. Answers, which may hold tokens, are never logged."""
        timeout = self._settings.timeout_seconds
        try:
            response = await self._fetch(
                url,
                connect_timeout=timeout,
                request_timeout=timeout,
                follow_redirects=False,
                **request,
            )
        except (HTTPClientError, OSError) as error:
            raise _silent(type(error).__name__) from None
        if response.code >= 500 or response.code == 429:
            raise _silent(f"HTTP {response.code}")
        if response.code != 200:
            raise Refused(
                "Your identity provider did not accept this login.", detail=f"HTTP {response.code}"
            )
        try:
            answer = json.loads(response.body)
        except ValueError:
            raise _silent("no JSON") from None
        if not isinstance(answer, dict):
            raise _silent("no JSON object")
        return answer


def _parse_tokens(answer: Mapping[str, Any], kept: str | None) -> Tokens:
    access, renewal, identity = (
        answer.get(name) for name in ("access_token", "refresh_token", "id_token")
    )
    if not isinstance(access, str) or str(answer.get("token_type", "")).lower() != "bearer":
        raise LoginFailed(
            "Your login could not be verified.", detail="token endpoint: no bearer access token"
        )
    scope = answer.get("scope")
    return Tokens(
        access_token=access,
        refresh_token=renewal if isinstance(renewal, str) else kept,
        id_token=identity if isinstance(identity, str) else None,
        scope=tuple(scope.split()) if isinstance(scope, str) else (),
    )


def _silent(why: str) -> ProviderUnavailable:
    return ProviderUnavailable("The identity provider does not answer.", detail=why)

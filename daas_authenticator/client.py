"""One identity provider as the hub sees it: discovery, code, tokens, userinfo, refresh.

Made by the authenticator, one for each provider of the configuration. It asks through *fetch*
only, so that one setting of proxy and certificates serves every call.
"""

import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode

from joserfc.jwk import Key
from tornado.httputil import url_concat

from daas_authenticator.discovery import KeyCache, ProviderMetadata, discovery_url, parse_metadata
from daas_authenticator.fetch import Answer, silent
from daas_authenticator.id_token import Expected, UnknownKey, issued_at, verify_id_token
from daas_authenticator.kept import Kept
from daas_authenticator.login_flow import LoginFlow
from daas_authenticator.logins.logout_token import LogoutNotice, verify_logout_token
from daas_authenticator.providers import Provider
from daas_model.errors import LoginFailed, ProviderUnavailable

Verified = TypeVar("Verified")

# A provider that asks us to come back later has not refused anybody.
_COME_BACK_LATER = frozenset({408, 425, 429})


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
    """A verified person of one provider: (issuer, subject) is who; *claims* say the rest.

    *login_claims* are those of the ID token of a login: when and how she signed in, and the
    provider's name for it. They are empty at a refresh.
    """

    provider: Provider
    subject: str
    nonce: str
    claims: Mapping[str, Any] = field(repr=False)
    tokens: Tokens
    login_claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def issuer(self) -> str:
        """The provider's issuer."""
        return self.provider.issuer


class OpenIDClient:
    """Speaks OpenID Connect with one provider.

    All methods raise `ProviderUnavailable` when the provider does not answer, and `LoginFailed`
    when its answer cannot be trusted.
    """

    def __init__(self, provider: Provider, fetch: Callable[..., Awaitable[Answer]]) -> None:
        self.provider = provider
        self._fetch = fetch
        self._metadata = Kept(self._discover)
        self._keys = KeyCache(self._fetch_keys)

    async def metadata(self) -> ProviderMetadata:
        """Return the provider's metadata, asked at the first login and then once an hour."""
        return await self._metadata.current()

    async def check(self) -> None:
        """Ask for the metadata anew, and for the keys if need be: raises when one fails."""
        await self._metadata.anew()
        if not await self._keys.current():
            raise ProviderUnavailable("The identity provider has no keys.", detail="JWKS: no keys")

    async def authorization_url(
        self, flow: LoginFlow, redirect_uri: str, extra: Mapping[str, str]
    ) -> str:
        """Return where to send the browser for *flow* (code flow, PKCE S256, nonce, state)."""
        metadata = await self.metadata()
        return url_concat(
            metadata.authorization_endpoint,
            {
                **extra,
                **self.provider.authorize_params,
                **flow.wanted_from_provider,
                "response_type": "code",
                "client_id": self.provider.client_id,
                "redirect_uri": redirect_uri,
                "scope": " ".join(self.provider.scope),
                "state": flow.state,
                "nonce": flow.nonce,
                "code_challenge": flow.challenge,
                "code_challenge_method": "S256",
            },
        )

    async def end_session_endpoint(self) -> str:
        """Return where a browser ends its login at the provider; empty when it cannot."""
        return (await self.metadata()).end_session_endpoint if self.provider.ends_login else ""

    async def logout_notice(self, token: str) -> LogoutNotice:
        """Return whose login the provider says has ended (Back-Channel Logout 1.0, 2.6)."""
        return await self._by_keys(
            lambda keys, expected: verify_logout_token(token, keys, expected, time.time()), None
        )

    async def check_answer(self, issuer: str | None) -> None:
        """Raise `LoginFailed` when the answer's `iss` is another provider's (RFC 9207, 2.4)."""
        if issuer is None and not (await self.metadata()).sends_issuer:
            return
        if issuer != self.provider.issuer:
            raise LoginFailed(
                "This answer does not come from your identity provider.",
                detail="iss in the answer is missing or not our provider",
            )

    async def verified_sample(self, id_token: str) -> Mapping[str, Any]:
        """Return the claims of an ID token of any age, verified but for its nonce and the time."""
        return await self._by_keys(
            lambda keys, expected: verify_id_token(
                id_token, keys, expected, issued_at(id_token, keys, expected)
            ),
            None,
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
        claims = await self._verified(tokens.id_token, flow.nonce)
        if self.provider.claims_from == "id_token":
            return Identity(self.provider, claims["sub"], flow.nonce, claims, tokens, claims)
        identity = await self.identify(tokens, claims["sub"], flow.nonce)
        return replace(identity, login_claims=claims)

    async def refresh(self, tokens: Tokens, subject: str, nonce: str) -> Identity:
        """Return what the provider says today of *subject*, with the tokens it is known by now.

        Raises `Renewed`, with tokens to keep, when the old ones are spent and the provider then
        fell silent; `Refused` when it accepts the old ones no more.
        """
        if self.provider.claims_from == "userinfo":
            try:
                return await self.identify(tokens, subject, nonce)
            except Refused:
                if tokens.refresh_token is None:
                    raise
        if tokens.refresh_token is None:
            raise Refused("Your login has ended.", detail="refresh: there is no refresh token")
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
        renewed = await self._token_request(form, tokens)
        try:
            claims = await self._same_person(renewed.id_token, subject, nonce)
            if self.provider.claims_from == "userinfo":
                return await self.identify(_with_id_token(renewed, tokens), subject, nonce)
            if claims is None:
                raise silent("refresh: no ID token")
            return Identity(self.provider, subject, nonce, claims, renewed)
        except ProviderUnavailable as error:
            raise Renewed(replace(renewed, id_token=tokens.id_token), error.detail) from None

    async def identify(self, tokens: Tokens, subject: str, nonce: str) -> Identity:
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
        return Identity(self.provider, subject, nonce, claims, tokens)

    async def _same_person(
        self, id_token: str | None, subject: str, nonce: str
    ) -> Mapping[str, Any] | None:
        """Return the claims of a refreshed ID token, if there is one (Core 12.2)."""
        if id_token is None:
            return None
        claims = await self._verified(id_token, nonce=None)
        if claims["sub"] != subject or claims.get("nonce", nonce) != nonce:
            raise LoginFailed(
                "Your identity provider answered for somebody else.",
                detail="refresh: sub or nonce of the ID token is not that of the login",
            )
        return claims

    async def _verified(self, id_token: object, nonce: str | None) -> Mapping[str, Any]:
        return await self._by_keys(
            lambda keys, expected: verify_id_token(id_token, keys, expected, time.time()), nonce
        )

    async def _by_keys(
        self, verify: Callable[[Sequence[Key], Expected], Verified], nonce: str | None
    ) -> Verified:
        """Return what *verify* says with the provider's keys, once more with fresh ones."""
        metadata = await self.metadata()
        expected = Expected(
            metadata.issuer, self.provider.client_id, metadata.signing_algorithms, nonce
        )
        try:
            return verify(await self._keys.current(), expected)
        except UnknownKey:
            return verify(await self._keys.after_rotation(), expected)

    async def _token_request(self, form: dict[str, str], kept: Tokens | None = None) -> Tokens:
        metadata = await self.metadata()
        client_id, secret = self.provider.client_id, self.provider.client_secret
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

    async def _discover(self) -> ProviderMetadata:
        document = await self._published(discovery_url(self.provider.issuer))
        return parse_metadata(document, self.provider.issuer, self.provider.claims_from)

    async def _fetch_keys(self) -> Mapping[str, Any]:
        return await self._published((await self.metadata()).jwks_uri)

    async def _published(self, url: str) -> Mapping[str, Any]:
        """Return a document that is for everybody: when it is not there, nobody was refused."""
        try:
            return await self._json(url)
        except Refused as error:
            raise silent(error.detail) from None

    async def _json(self, url: str, **request: Any) -> Mapping[str, Any]:
        """Return the JSON object at *url*. Answers, which may hold tokens, are never logged."""
        answer = await self._fetch(url, **request)
        if 400 <= answer.code < 500 and answer.code not in _COME_BACK_LATER:
            raise Refused(
                "Your identity provider did not accept this login.", detail=f"HTTP {answer.code}"
            )
        if answer.code != 200:
            raise silent(f"HTTP {answer.code}")
        try:
            found = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise silent("no JSON") from None
        if not isinstance(found, dict):
            raise silent("no JSON object")
        return found


class Renewed(ProviderUnavailable):
    """The provider gave new *tokens*, then fell silent: they must be kept, the old are spent."""

    def __init__(self, tokens: Tokens, detail: str) -> None:
        super().__init__("The identity provider does not answer.", detail=detail)
        self.tokens = tokens


def _parse_tokens(answer: Mapping[str, Any], kept: Tokens | None) -> Tokens:
    access, renewal, identity = (
        answer.get(name) for name in ("access_token", "refresh_token", "id_token")
    )
    bearer = str(answer.get("token_type", "")).lower() == "bearer"
    # The token becomes a header: a line end in it would begin another one.
    if (
        not isinstance(access, str)
        or not bearer
        or not access.isascii()
        or not access.isprintable()
    ):
        raise LoginFailed(
            "Your login could not be verified.", detail="token endpoint: no bearer access token"
        )
    scope = answer.get("scope")
    return Tokens(
        access_token=access,
        refresh_token=renewal if isinstance(renewal, str) else kept.refresh_token if kept else None,
        id_token=identity if isinstance(identity, str) else None,
        scope=tuple(scope.split()) if isinstance(scope, str) else (),
    )


def _with_id_token(renewed: Tokens, old: Tokens) -> Tokens:
    """Return *renewed*, with the ID token of before when none came: a logout will name it."""
    return replace(renewed, id_token=renewed.id_token or old.id_token)

"""Asks one OpenID provider what a login would ask, and has `provider_rules` judge the answers.

Called by `check`. The hub's own client asks, so that certificates, proxy, limits and verdicts are
the hub's; beside it stands a recorder of what came back.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.client import OpenIDClient
from daas_authenticator.discovery import discovery_url
from daas_authenticator.fetch import Answer, Fetch
from daas_authenticator.login_flow import LoginFlow
from daas_authenticator.providers import Provider
from daas_command.checks import provider_rules as rules
from daas_command.checks.finding import Findings, ok
from daas_model.errors import DaasError

#: A code that no provider has given, in letters that every provider can read.
NO_CODE = "daas-check-is-no-code"


class Recorder:
    """Asks as `Fetch` does, and keeps each answer with the time at which it came."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.answers: list[tuple[str, float, Answer]] = []

    async def __call__(self, url: str, **request: Any) -> Answer:
        """Return the answer; raises as `Fetch` does."""
        answer = await self._fetch(url, **request)
        self.answers.append((url, time.time(), answer))
        return answer

    def last(self, url: str) -> Answer | None:
        """Return the last answer from *url*, if one came."""
        return next((a for asked, _, a in reversed(self.answers) if asked == url), None)

    @property
    def dated(self) -> list[tuple[float, Answer]]:
        """All answers, each with when it came."""
        return [(at, answer) for _, at, answer in self.answers]


def client_of(hub: DaasAuthenticator, provider: Provider) -> tuple[OpenIDClient, Recorder]:
    """Return the hub's client for *provider*, and what records its answers."""
    fetch = Fetch(hub.provider_timeout_seconds, provider.ca_bundle, provider.proxy)
    recorder = Recorder(fetch)
    return OpenIDClient(provider, recorder), recorder


async def provider_findings(hub: DaasAuthenticator, provider: Provider) -> Findings:
    """Examine *provider*: what it publishes, then what it says to our client."""
    if not provider.enabled:
        yield ok("provider", "is switched off, and was not asked")
        return
    client, recorder = client_of(hub, provider)
    try:
        metadata = await client.metadata()
    except DaasError as error:
        yield rules.silence("discovery document", provider, error.detail)
        return
    yield ok("discovery document", f"is of {provider.issuer} and offers what the hub needs")
    yield ok("signatures", ", ".join(sorted(metadata.signing_algorithms)))
    try:
        await client.check()
        yield ok("keys", "are published")
    except DaasError as error:
        yield rules.silence("keys", provider, error.detail.removeprefix("JWKS: "))
    document = _document(recorder.last(discovery_url(provider.issuer)))
    for finding in rules.features(provider, document, hub.redirect_uri(provider.backchannel_path)):
        yield finding
    uri = hub.callback_of(provider)
    with suppress(DaasError):
        await client.sign_in(NO_CODE, LoginFlow(provider=provider.id), uri)
    secret = recorder.last(metadata.token_endpoint)
    yield rules.client_secret(provider, secret)
    yield rules.clock(recorder.dated)
    ours, other = await asyncio.gather(
        _tried(hub, client, recorder, uri),
        _tried(hub, client, recorder, f"{uri}-that-nobody-registered"),
    )
    known = secret is not None and rules.token_error(secret) == "invalid_grant"
    yield rules.redirect_address(provider, uri, ours, other, known)


async def _tried(
    hub: DaasAuthenticator, client: OpenIDClient, recorder: Recorder, uri: str
) -> rules.Trial:
    """Begin a login as a browser would, with the answer to go to *uri*, and end it there."""
    flow = LoginFlow(provider=client.provider.id)
    url = await client.authorization_url(flow, uri, hub.extra_authorize_params)
    try:
        answer = await recorder(url, headers={"Accept": "text/html"})
    except DaasError as error:
        return rules.Trial("silent", error.detail)
    return rules.trial(answer, uri)


def _document(answer: Answer | None) -> Mapping[str, Any]:
    """Return the document that the client has read; empty when it has changed since, for worse."""
    try:
        found = json.loads(answer.body) if answer else {}
    except (ValueError, RecursionError):
        found = {}
    return found if isinstance(found, dict) else {}

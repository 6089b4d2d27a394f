"""What the hub would make of a sample: an ID token, a token answer or the JSON of userinfo.

Called by `check` for `--token`. Said is what decides something here, and nothing else of the
person; the token's text is never printed.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.client import Identity, Tokens
from daas_authenticator.id_token import LEEWAY_SECONDS
from daas_authenticator.providers import Provider
from daas_authenticator.rights.rules import rights_of
from daas_command.checks.finding import Finding, Findings, ok, refused, warning, wrong
from daas_command.checks.hub import people_version
from daas_command.checks.provider_rules import setting
from daas_command.checks.providers import client_of
from daas_model.errors import AccountProblem, DaasError


@dataclass(frozen=True, slots=True)
class Sample:
    """Either an ID token or the claims of userinfo. Neither appears in `repr`."""

    id_token: str = field(default="", repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)


def parse_sample(text: str) -> Sample:
    """Return what *text* is. Raises `ValueError` with words that repeat nothing of it."""
    text = text.strip()
    if not text.startswith("{"):
        if text.count(".") != 2 or not text.isascii() or any(c.isspace() for c in text):
            raise ValueError("is neither an ID token nor a JSON object")
        return Sample(id_token=text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    token = found.get("id_token")
    return Sample(id_token=token) if isinstance(token, str) else Sample(claims=found)


async def sample_findings(hub: DaasAuthenticator, provider: Provider, sample: Sample) -> Findings:
    """Examine *sample* as an answer of *provider*."""
    if not provider.signs_in:
        mend = f"Look at {setting(provider, 'enabled')} and link_only."
        yield wrong("provider", "signs nobody in: a sample of it gives no name", mend)
        return
    claims = sample.claims
    if sample.id_token:
        client, _ = client_of(hub, provider)
        try:
            claims = await client.verified_sample(sample.id_token)
        except DaasError as error:
            mend = f"Is it an ID token of {provider.id}, made for this client?"
            yield refused("signature", error, mend)
            return
        yield ok("signature", "is the provider's, and the token is for this hub")
        yield age(claims, time.time())
    else:
        yield ok("signature", "userinfo has none: taken as it is")
    if not isinstance(claims.get("sub"), str):
        yield wrong("sub", "is missing", "The provider must send it; the hub refuses the login.")
        return
    async for finding in _what_it_gives(hub, provider, claims, bool(sample.id_token)):
        yield finding


def age(claims: Mapping[str, Any], now: float) -> Finding:
    """Say when the token was made. An old sample is a good one."""
    made, ends = float(claims["iat"]), float(claims["exp"])
    if made > now + LEEWAY_SECONDS:
        said = f"it is {made - now:.0f} s from the future: the hub would refuse it"
        return wrong("times", said, "Let both machines keep time by NTP.")
    old = "; it has expired, which a sample may" if ends < now else ""
    return ok("times", f"made {now - made:.0f} s ago{old}")


async def _what_it_gives(
    hub: DaasAuthenticator, provider: Provider, claims: Mapping[str, Any], by_token: bool
) -> Findings:
    tokens = Tokens("", None, None)
    login_claims = claims if by_token else {}
    identity = Identity(provider, claims["sub"], "", claims, tokens, login_claims)
    elsewhere = by_token and provider.claims_from == "userinfo"
    yield await _name(hub, identity, elsewhere)
    key = hub.user_auth_state_key
    state = {"provider": provider.id, "issuer": provider.issuer, key: dict(claims)}
    groups = sorted(await hub.get_user_groups(state))
    yield ok("groups", ", ".join(groups) or "none")
    yield ok("rights", ", ".join(sorted(rights_of(provider.id, claims, hub.rules))) or "none")
    if provider.legacy_claim:
        value = claims.get(provider.legacy_claim)
        yield (
            ok("legacy id", str(value))
            if value
            else warning(
                "legacy id",
                f"the claim {provider.legacy_claim} is missing",
                f"Look at {setting(provider, 'legacy_claim')}, if old identifiers shall be found.",
            )
        )
    if by_token:
        yield _second_factor(hub, provider, claims)


async def _name(hub: DaasAuthenticator, identity: Identity, elsewhere: bool) -> Finding:
    what, claim = "name", setting(identity.provider, "username_claim")
    try:
        if await people_version(hub) == "ours":
            name = await hub.admission.name_of(identity)
            await hub.check_not_blocked(name)
        else:
            name = hub.admission.claimed_name(identity)
    except AccountProblem as error:
        if elsewhere:
            return warning(
                what,
                f"the ID token names no account ({error.detail})",
                "The hub reads names from userinfo: give its JSON by --token.",
            )
        return refused(what, error, f"Look at {claim}, or link this identity: daas people link.")
    except DaasError as error:
        mend = "See `daas people show`, or link this identity: `daas people link`."
        return refused(what, error, mend)
    if not hub.validate_username(name):
        return wrong(what, f"{name} cannot be an account here", f"Look at {claim}, name_pattern.")
    return ok(what, f"she would come in as {name}")


def _second_factor(
    hub: DaasAuthenticator, provider: Provider, claims: Mapping[str, Any]
) -> Finding:
    what, wanted = "acr and auth_time", hub.step_up_of(provider.id).acr_values
    acr, at = claims.get("acr", "none"), claims.get("auth_time", "none")
    said = f"acr {acr}, auth_time {at}"
    if wanted and (acr not in wanted or at == "none"):
        mend = f"Rights need one of these in DaasAuthenticator.step_up: {', '.join(wanted)}."
        return warning(what, f"{said}: no step-up", mend)
    return ok(what, said)

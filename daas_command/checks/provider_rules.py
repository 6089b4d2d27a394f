"""What a provider's answers mean for the hub, in words. Pure; called by `providers`.

What providers answer to a client id, a redirect address or a secret that they do not know stands
in `docs/how-to/check-a-configuration.md`, with which of them were tried.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from daas_authenticator.discovery import is_safe_url
from daas_authenticator.fetch import Answer
from daas_authenticator.id_token import LEEWAY_SECONDS
from daas_authenticator.providers import DEFAULT, Provider
from daas_command.checks.finding import Finding, ok, warning, wrong

#: Half of what the hub bears: the clocks drift apart, and a warning should come first.
DRIFT_SECONDS = LEEWAY_SECONDS / 2

# RFC 6749, 4.1.2.1 and 5.2; OpenID Connect Core, 3.1.2.6. Other texts are not repeated.
_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_redirect_uri",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "unsupported_response_type",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
        "interaction_required",
        "login_required",
        "consent_required",
    }
)
_REASONS = {
    "ClientConnectorCertificateError": (
        "its certificate is not trusted",
        "Name the file with the authority that signed it in {ca_bundle}.",
    ),
    "ClientConnectorSSLError": ("does not speak TLS there", "Look at the address in {issuer}."),
    "ClientConnectorDNSError": ("its host's name is unknown", "Look at the address in {issuer}."),
    "ClientProxyConnectionError": ("the proxy does not answer", "Look at {proxy}."),
    "ClientHttpProxyError": ("the proxy refuses the way there", "Look at {proxy}."),
    "ClientConnectorError": ("nobody answers there", "Look whether it runs, and at {proxy}."),
    "TimeoutError": (
        "no answer in time",
        "Look whether it runs and whether {proxy} is needed; DaasAuthenticator."
        "provider_timeout_seconds is the limit.",
    ),
    "no JSON": ("the answer is no JSON", "Look at {issuer}: this is no provider's address."),
    "no JSON object": ("the answer is no JSON object", "Look at {issuer}."),
    "HTTP 404": ("there is nothing (HTTP 404)", "Write {issuer} exactly as the provider does."),
}


def setting(provider: Provider, name: str) -> str:
    """Return how the configuration calls the value *name* of *provider*."""
    if provider.id == DEFAULT:
        return f"DaasAuthenticator.{name}"
    return f'DaasAuthenticator.providers["{provider.id}"]["{name}"]'


def silence(what: str, provider: Provider, detail: str) -> Finding:
    """Return what the log's *detail* of a failed question means."""
    words = {name: setting(provider, name) for name in ("issuer", "ca_bundle", "proxy")}
    if detail.startswith("discovery document: "):
        said = detail.removeprefix("discovery document: ")
        return wrong(what, said, f"Look at {words['issuer']}, then at the provider's own settings.")
    if detail.startswith("HTTP 3"):
        said = f"is a redirect ({detail}), which the hub does not follow"
        return wrong(what, said, f"Write {words['issuer']} exactly as the provider does.")
    said, mend = _REASONS.get(detail, (detail, "Look at {issuer}, and ask who runs the provider."))
    return wrong(what, said, mend.format(**words))


def clock(answers: Sequence[tuple[float, Answer]]) -> Finding:
    """Compare clocks by the `Date` of *answers*, each with when it came (RFC 9110, 6.6.1)."""
    what = "clock"
    skews = [skew for at, answer in answers if (skew := _skew(at, answer)) is not None]
    if not skews:
        return warning(
            what,
            "the provider does not say what time it has",
            "Compare both clocks by hand: more than 60 s apart, logins fail.",
        )
    # A document may come out of somebody's cache; the latest date cannot be too late.
    skew = max(skews)
    said = f"the provider's is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
    mend = "Let both machines keep time by NTP."
    if abs(skew) > LEEWAY_SECONDS:
        return wrong(what, f"{said}: logins fail", mend)
    if abs(skew) > DRIFT_SECONDS:
        return warning(what, f"{said}; beyond {LEEWAY_SECONDS} s logins fail", mend)
    return ok(what, f"agrees with the provider's within {max(abs(skew), 1):.0f} s")


def _skew(at: float, answer: Answer) -> float | None:
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
        return date + int(answer.headers.get("Age", "0")) - at
    except (ValueError, TypeError, OverflowError):
        return None


def features(provider: Provider, document: Mapping[str, Any], notices: str) -> list[Finding]:
    """Return what *document* offers besides what the hub cannot do without.

    *notices* is where the hub is told of logins that ended.
    """
    found = []
    if document.get("code_challenge_methods_supported") is None:
        found.append(
            warning(
                "PKCE",
                "is not announced; the hub sends S256 all the same",
                "Switch it on there if you can: an intercepted code is then worth nothing.",
            )
        )
    else:
        found.append(ok("PKCE", "S256"))
    offered = document.get("scopes_supported")
    missing = [s for s in provider.scope if isinstance(offered, list) and s not in offered]
    if missing:
        mend = f"Look at {setting(provider, 'scope')}, or add them there."
        found.append(warning("scopes", f"{', '.join(missing)} not announced", mend))
    return [*found, _sign_out(provider, document), _back_channel(document, notices)]


def _sign_out(provider: Provider, document: Mapping[str, Any]) -> Finding:
    what = "sign-out there"
    if not provider.ends_login:
        return ok(what, "is switched off by ends_login")
    if is_safe_url(document.get("end_session_endpoint")):
        return ok(what, "is offered (end_session_endpoint)")
    return warning(
        what,
        "is not offered: who signs out here stays signed in there",
        "If the provider can do it, switch it on there; if not, tell people to close the browser.",
    )


def _back_channel(document: Mapping[str, Any], notices: str) -> Finding:
    what = "notice of ended logins"
    if document.get("backchannel_logout_supported") is True:
        return ok(what, f"is offered; register as back-channel logout address: {notices}")
    return warning(
        what,
        "is not offered: a login that ends there is noticed at its next renewal",
        "If that is too late, shorten DaasAuthenticator.renewal_seconds.",
    )


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of an authorization request. *kind*: page, code, error, refused or silent."""

    kind: str
    error: str = ""


def trial(answer: Answer, redirect_uri: str) -> Trial:
    """Return what *answer* to an authorization request with *redirect_uri* means."""
    if 300 <= answer.code < 400:
        target = answer.headers.get("Location", "")
        query = parse_qs(urlsplit(target).query) if _is_url(target) else {}
        if "error" in query:
            return Trial("error", known_error(query["error"][0]))
        if target.split("?")[0] == redirect_uri and "code" in query:
            return Trial("code")
        return Trial("page")
    if answer.code == 200:
        return Trial("page")
    later = answer.code >= 500 or answer.code in (408, 425, 429)
    return Trial("silent" if later else "refused", f"HTTP {answer.code}")


def redirect_address(
    provider: Provider, uri: str, ours: Trial, other: Trial, secret_known: bool
) -> Finding:
    """Judge the redirect address *uri* by the trial of it, and of one that nobody registered."""
    what = "redirect address"
    client_id = setting(provider, "client_id")
    if "silent" in (ours.kind, other.kind):
        said = f"cannot be tried ({ours.error or other.error}): {uri}"
        return warning(what, said, "Compare it with what is registered there.")
    if ours.kind == "refused":
        cause = "this address" if secret_known else f"the client id ({client_id}) or this address"
        mend = f"Register exactly this at the client there: {uri}"
        return wrong(what, f"the provider does not know {cause} ({ours.error}): {uri}", mend)
    if ours.kind == "error":
        mend = (
            f"Look at the client there: does {client_id} exist, may it use the code flow, has it "
            f"these scopes ({' '.join(provider.scope)})? Register: {uri}"
        )
        return wrong(what, f"the provider refuses the request ({ours.error}): {uri}", mend)
    if other.kind == "code" or (other.kind == ours.kind == "page"):
        return warning(
            what,
            f"the provider answers alike for an address that is not registered: {uri}",
            "Either it looks only after the person has signed in, or a pattern is registered "
            "there: compare, and register this address and no other.",
        )
    return ok(what, f"is registered: {uri}")


def client_secret(provider: Provider, answer: Answer | None) -> Finding:
    """Judge the client's secret by *answer* to a token request with a code that is none."""
    what = "client secret"
    names = f"{setting(provider, 'client_id')} and client_secret"
    if answer is None:
        return warning(what, "the token endpoint does not answer", "Ask who runs the provider.")
    error = token_error(answer)
    if error == "invalid_grant":
        return ok(what, "is accepted (a code that is none was refused as invalid_grant)")
    if answer.code == 401 or error in ("invalid_client", "unauthorized_client"):
        mend = f"Compare {names} with the client there; it must be confidential, with code flow."
        return wrong(what, f"is not accepted ({error or 'HTTP 401'})", mend)
    if error in ("unsupported_grant_type", "invalid_scope"):
        return wrong(
            what, f"the client may not sign people in ({error})", "Allow it the code flow."
        )
    if answer.code == 200:
        return wrong(what, "a code that is none was accepted", "Do not use this provider.")
    return warning(
        what,
        f"cannot be judged: the token endpoint answers {error or f'HTTP {answer.code}'}",
        "Sign in once: that is the only test.",
    )


def token_error(answer: Answer) -> str:
    """Return the error code in a token endpoint's *answer* (RFC 6749, 5.2); empty if unknown."""
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    return known_error(said.get("error")) if isinstance(said, dict) else ""


def known_error(text: object) -> str:
    """Return *text* if it is an error of the standards, which no secret is."""
    return text if isinstance(text, str) and text in _ERRORS else "an error of its own"


def _is_url(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True

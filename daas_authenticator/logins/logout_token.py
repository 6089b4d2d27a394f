"""Is this notice true, that a provider has ended a login? Pure verification, no I/O.

Called by `OpenIDClient`. OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from joserfc.jwk import Key

from daas_authenticator.id_token import (
    LEEWAY_SECONDS,
    Expected,
    check_addressee,
    signed_claims,
    time_of,
)
from daas_model.errors import LoginFailed

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
#: An older notice is a copy; providers that could not reach us do not try for longer.
OLDEST_SECONDS = 300


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """Whose login has ended: all of *subject*'s, or the one that the provider calls *sid*.

    Either may be empty, not both. *token_id* is for telling copies.
    """

    subject: str
    sid: str
    token_id: str


def verify_logout_token(
    token: str, keys: Sequence[Key], expected: Expected, now: float
) -> LogoutNotice:
    """Return what *token* says when everything about it holds.

    Raises `UnknownKey` when another set of keys might help, else `LoginFailed`.
    """
    # Providers of before 2022 call it JWT; what tells it from an ID token is `events`.
    claims = signed_claims(token, keys, expected.algorithms, kinds=("JWT", "LOGOUT+JWT"))
    check_addressee(claims, expected)
    written = time_of(claims, "iat")
    if not now - OLDEST_SECONDS < written < now + LEEWAY_SECONDS:
        raise _refused("it is too old, or from the future")
    if "exp" in claims and time_of(claims, "exp") <= now - LEEWAY_SECONDS:
        raise _refused("it has expired")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise _refused("it is not about a logout")
    if "nonce" in claims:
        raise _refused("it has a nonce, as ID tokens do")
    subject, sid, token_id = (claims.get(name, "") for name in ("sub", "sid", "jti"))
    if not all(isinstance(text, str) for text in (subject, sid, token_id)) or not token_id:
        raise _refused("sub, sid or jti is no text")
    if not subject and not sid:
        raise _refused("it names nobody")
    return LogoutNotice(subject, sid, token_id)


def _refused(why: str) -> LoginFailed:
    return LoginFailed("The notice could not be verified.", detail=f"logout token: {why}")

"""Is this ID token true, for us, and of this login? Pure verification, no I/O.

Called by `OpenIDClient`. OpenID Connect Core 1.0, section 3.1.3.7; RFC 8725 for the algorithms.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry, extract_compact

from daas_model.errors import LoginFailed

# Clocks of provider and hub may differ by this much.
LEEWAY_SECONDS = 60


class UnknownKey(LoginFailed):
    """No key that we know made this signature; the provider may have changed its keys."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say. *nonce* is None at a refresh, where providers may leave it out."""

    issuer: str
    client_id: str
    algorithms: Collection[str]
    nonce: str | None


def verify_id_token(
    token: object, keys: Sequence[Key], expected: Expected, now: float
) -> Mapping[str, Any]:
    """Return the claims of *token* when everything about it holds.

    Raises `UnknownKey` when another set of keys might help, else `LoginFailed`. Neither
    carries the token or a part of it.
    """
    if not isinstance(token, str) or not token.isascii():
        raise _refused("there is no ID token")
    # Access and logout tokens are signed by the same keys (RFC 8725, 3.11).
    claims = signed_claims(token, keys, expected.algorithms, kinds=("JWT",))
    check_addressee(claims, expected)
    _check_times(claims, now)
    if expected.nonce is not None and claims.get("nonce") != expected.nonce:
        raise _refused("the nonce is not that of this login")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise _refused("sub is missing, or no text")
    return claims


def issued_at(token: str, keys: Sequence[Key], expected: Expected) -> float:
    """Return when *token* was made: the time at which a sample of any age is to be judged.

    Raises as `verify_id_token`.
    """
    return time_of(signed_claims(token, keys, expected.algorithms, kinds=("JWT",)), "iat")


def signed_claims(
    token: str, keys: Sequence[Key], allowed: Collection[str], kinds: Collection[str]
) -> dict[str, Any]:
    """Return the claims of a token that one of *keys* signed, and whose `typ` is one of *kinds*.

    Raises as `verify_id_token`.
    """
    registry = JWSRegistry(algorithms=list(allowed))
    try:
        header = extract_compact(token.encode(), registry=registry).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise _refused(f"it is no signed token ({type(error).__name__})") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if str(header.get("typ", "JWT")).upper() not in kinds:
        raise _refused("it is a token of another kind")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise _refused("its algorithm is not allowed")
    # Without a key name every key may be tried: there are few, and a signature is a signature.
    for key in keys:
        if kid is not None and key.kid != kid:
            continue
        try:
            return jwt.decode(token, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError):
            continue
    raise UnknownKey("Your login could not be verified.", detail="ID token: no key fits")


def check_addressee(claims: Mapping[str, Any], expected: Expected) -> None:
    """Raise `LoginFailed` unless our provider wrote this for us."""
    if claims.get("iss") != expected.issuer:
        raise _refused("iss is not our provider")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise _refused("aud does not name us")
    party = claims.get("azp")
    if party is None and len(audiences) > 1:
        raise _refused("aud names several and azp is missing")
    if party is not None and party != expected.client_id:
        raise _refused("azp does not name us")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    if time_of(claims, "exp") <= now - LEEWAY_SECONDS:
        raise _refused("it has expired")
    valid_from = time_of(claims, "nbf") if "nbf" in claims else 0.0
    if max(time_of(claims, "iat"), valid_from) > now + LEEWAY_SECONDS:
        raise _refused("it is from the future; compare the clocks of hub and provider")


def time_of(claims: Mapping[str, Any], name: str) -> float:
    """Return the claim *name*, in seconds since 1970. Raises `LoginFailed` when it is no time."""
    value = claims.get(name)
    # A comparison with NaN is always false: such a token would never expire.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _refused(f"{name} is missing or no time")
    return value


def _refused(why: str) -> LoginFailed:
    return LoginFailed("Your login could not be verified.", detail=f"ID token: {why}")

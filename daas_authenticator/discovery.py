"""What an OpenID provider says about itself, and the keys it signs with.

Called by `OpenIDClient`. OpenID Connect Discovery 1.0, RFC 8414, RFC 7517.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, RSAKey

from daas_authenticator.kept import Kept
from daas_model.errors import ProviderUnavailable

# Signatures that only the provider can make. "none" and the HMAC family, whose key the hub
# also has, are left out on purpose.
ASYMMETRIC = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_SMALLEST_RSA_BITS = 2048
_MOST_KEYS = 50  # each may cost a signature check
_PUBLIC_PARTS = frozenset(["kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"])


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The part of a discovery document that the login needs, checked."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    jwks_uri: str
    signing_algorithms: frozenset[str]
    basic_client_auth: bool
    sends_issuer: bool  # RFC 9207: the answer to the browser names its issuer
    end_session_endpoint: str  # RP-Initiated Logout 1.0; empty when there is none


def discovery_url(issuer: str) -> str:
    """Return where *issuer* publishes its metadata (Discovery 1.0, section 4)."""
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def is_safe_url(url: object) -> bool:
    """Tell whether the hub may send a secret to *url*: https, or plain http on this machine."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # "https://[" or a port that is no number
        return False
    if not parts.hostname or parts.username or parts.password or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def parse_metadata(
    document: Mapping[str, Any], issuer: str, claims_from: str = "userinfo"
) -> ProviderMetadata:
    """Return what *document* says, if it is the one of *issuer* and offers what we need.

    A userinfo endpoint is needed unless the claims are read from the ID token.

    Raises `ProviderUnavailable`; what is wrong stands in its detail, for the operator.
    """
    if document.get("issuer") != issuer:
        raise _unusable(f"its issuer is not exactly {issuer!r}")
    needed = {"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"}
    for name in sorted(needed - ({"userinfo_endpoint"} if claims_from == "id_token" else set())):
        if not is_safe_url(document.get(name)):
            raise _unusable(f"its {name} is missing or is not https")
    algorithms = ASYMMETRIC.intersection(
        _texts(document.get("id_token_signing_alg_values_supported"), ("RS256",))
    )
    if not algorithms:
        raise _unusable("it signs with no algorithm that we accept")
    methods = document.get("code_challenge_methods_supported")
    if methods is not None and "S256" not in _texts(methods, ()):
        raise _unusable("it offers PKCE without S256")
    ending = str(document.get("end_session_endpoint", ""))
    return ProviderMetadata(
        issuer=issuer,
        authorization_endpoint=document["authorization_endpoint"],
        token_endpoint=document["token_endpoint"],
        userinfo_endpoint=document.get("userinfo_endpoint", ""),
        jwks_uri=document["jwks_uri"],
        signing_algorithms=algorithms,
        basic_client_auth="client_secret_basic"
        in _texts(document.get("token_endpoint_auth_methods_supported"), ("client_secret_basic",)),
        sends_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        end_session_endpoint=ending if is_safe_url(ending) else "",
    )


def parse_keys(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """Return the public signing keys of a JWK set; kinds that we do not know are left out."""
    found = []
    entries = document.get("keys")
    for entry in entries[:_MOST_KEYS] if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC"):
            continue
        if entry.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key({k: v for k, v in entry.items() if k in _PUBLIC_PARTS})
        except (JoseError, ValueError, TypeError):
            continue
        if not isinstance(key, RSAKey) or key.public_key.key_size >= _SMALLEST_RSA_BITS:
            found.append(key)
    return tuple(found)


class KeyCache:
    """The provider's keys, fetched when first needed, again when they are old or do not fit.

    *fetch* returns the JWK set. Somebody who sends tokens with invented key names must not
    make us ask the provider each time: two such fetches are at least 30 s apart.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Mapping[str, Any]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        async def load() -> tuple[Key, ...]:
            return parse_keys(await fetch())

        self._kept = Kept(load, clock)

    async def current(self) -> tuple[Key, ...]:
        """Return the keys; raises what *fetch* raises."""
        return await self._kept.current()

    async def after_rotation(self) -> tuple[Key, ...]:
        """Return the keys, freshly fetched unless that was done within the last 30 s."""
        return await self._kept.newer()


def _texts(value: object, missing: tuple[str, ...]) -> tuple[str, ...]:
    if value is None:
        return missing
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _unusable(why: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        "The identity provider does not offer what this portal needs.",
        "Tell your facility's support the code.",
        detail=f"discovery document: {why}",
    )

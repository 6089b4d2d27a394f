"""Discovery: only the provider's own document, and its keys, are believed."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from daas_authenticator.discovery import KeyCache, discovery_url, parse_keys, parse_metadata
from daas_model.errors import ProviderUnavailable

ISSUER = "https://sso.example/realms/users"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://sso.example/authorize",
    "token_endpoint": "https://sso.example/token",
    "userinfo_endpoint": "https://sso.example/userinfo",
    "jwks_uri": "https://sso.example/jwks",
}


def test_the_address_of_the_document_follows_the_issuer() -> None:
    expected = "https://sso.example/.well-known/openid-configuration"
    assert discovery_url("https://sso.example/") == discovery_url("https://sso.example") == expected


def test_what_a_document_leaves_out_has_the_standards_default() -> None:
    metadata = parse_metadata(DOCUMENT, ISSUER)
    assert metadata.signing_algorithms == {"RS256"}
    assert metadata.basic_client_auth
    assert not metadata.sends_issuer


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"issuer": ISSUER + "/"}, "issuer", id="another issuer"),
        pytest.param({"issuer": None}, "issuer", id="no issuer"),
        pytest.param({"token_endpoint": None}, "token_endpoint", id="no token endpoint"),
        pytest.param({"jwks_uri": "http://sso.example/k"}, "https", id="keys over http"),
        pytest.param(
            {"token_endpoint": "http://127.0.0.1.evil.example/t"}, "https", id="lookalike"
        ),
        pytest.param({"userinfo_endpoint": "file:///etc/passwd"}, "https", id="a file"),
        pytest.param({"jwks_uri": "https://a@evil.example/"}, "https", id="a name in the address"),
        pytest.param(
            {"id_token_signing_alg_values_supported": ["none", "HS256"]}, "algorithm", id="no alg"
        ),
        pytest.param({"code_challenge_methods_supported": ["plain"]}, "S256", id="plain PKCE"),
    ],
)
def test_a_document_that_we_cannot_trust_stops_the_login(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ProviderUnavailable) as refusal:
        parse_metadata({**DOCUMENT, **changes}, ISSUER)
    assert why in refusal.value.detail


def test_keys_that_cannot_verify_a_signature_of_the_provider_are_left_out() -> None:
    good = [RSAKey.generate_key(2048, {"kid": "r"}), ECKey.generate_key("P-256", {"kid": "e"})]
    entries = KeySet(good).as_dict(private=False)["keys"]
    bad = [
        OctKey.generate_key(256).as_dict(private=True),
        {**entries[0], "kid": "enc", "use": "enc"},
        {"kty": "RSA", "kid": "broken"},
        {"kty": "from the future"},
        "no key",
    ]
    assert [key.kid for key in parse_keys({"keys": [*bad, *entries]})] == ["r", "e"]
    assert parse_keys({"keys": "none"}) == ()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_changed_key_is_found_at_once_and_floods_do_not_reach_the_provider() -> None:
    clock, fetched = Clock(), []
    entries = {
        name: KeySet([ECKey.generate_key("P-256", {"kid": name})]).as_dict(private=False)
        for name in ("old", "new")
    }

    async def fetch() -> dict[str, Any]:
        fetched.append(clock.now)
        return entries["old" if len(fetched) == 1 else "new"]

    cache = KeyCache(fetch, clock)
    assert [key.kid for key in await cache.current()] == ["old"]
    clock.now += 31
    assert [key.kid for key in await cache.after_rotation()] == ["new"]
    for _ in range(50):
        await cache.after_rotation()
    assert len(fetched) == 2
    clock.now += 31
    await cache.after_rotation()
    assert len(fetched) == 3


async def test_keys_are_not_kept_for_more_than_an_hour() -> None:
    clock, fetched = Clock(), []

    async def fetch() -> dict[str, Any]:
        fetched.append(clock.now)
        return {"keys": []}

    cache = KeyCache(fetch, clock)
    await cache.current()
    await cache.current()
    clock.now += 3601
    await cache.current()
    assert len(fetched) == 2

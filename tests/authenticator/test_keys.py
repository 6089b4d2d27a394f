"""The provider's keys change, and somebody invents names of keys: both with a real provider."""

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from daas_authenticator import kept
from daas_model.errors import LoginFailed, ProviderUnavailable

from .conftest import LyingProvider
from .test_fetch import client_of, sign_in

NEW = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
NAMED = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})


@pytest.mark.parametrize("key", [NEW, NAMED], ids=["same name", "new name"])
async def test_attack_08_a_new_key_is_fetched_once(
    provider: LyingProvider, key: RSAKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(provider.issuer)
    assert await sign_in(client, provider) == "a1"
    monkeypatch.setattr(kept, "SHORTEST_REFETCH_SECONDS", 0)
    provider.keys = [key]
    provider.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
    for _ in range(3):
        assert await sign_in(client, provider) == "a1"
    assert provider.asked.count("jwks") == 2


async def test_attack_08_invented_key_names_do_not_make_us_ask_each_time(
    provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(provider.issuer)
    assert await sign_in(client, provider) == "a1"
    provider.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "invented"}, claims, NAMED)
    for _ in range(20):
        with pytest.raises(LoginFailed):
            await sign_in(client, provider)
    assert provider.asked.count("jwks") == 1


async def test_attack_08_a_key_that_was_taken_back_is_not_believed_for_longer_than_an_hour(
    provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(provider.issuer)
    assert await sign_in(client, provider) == "a1"
    provider.keys = [NAMED]
    monkeypatch.setattr(kept, "OLDEST_SECONDS", 0)
    with pytest.raises(LoginFailed):
        await sign_in(client, provider)


async def test_without_keys_nobody_is_believed_and_nobody_is_refused_for_good(
    provider: LyingProvider,
) -> None:
    client = client_of(provider.issuer)
    provider.status = {"jwks": 404}
    with pytest.raises(ProviderUnavailable):
        await sign_in(client, provider)
    provider.status = {}
    assert await sign_in(client, provider) == "a1"

"""The ID token: every way to cheat with it is refused, and says nothing of the token."""

import base64
import hmac
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from daas_authenticator.discovery import ASYMMETRIC
from daas_authenticator.id_token import Expected, UnknownKey, verify_id_token
from daas_model.errors import LoginFailed

from .conftest import KEY, unsigned

NOW = time.time()
EXPECTED = Expected("https://sso.example", "hub", ASYMMETRIC, "n0nce")
TRUE: dict[str, Any] = {
    "iss": "https://sso.example",
    "aud": "hub",
    "sub": "a1",
    "nonce": "n0nce",
    "iat": int(NOW),
    "exp": int(NOW) + 300,
}


def signed(alg: str = "RS256", key: Any = KEY, kid: str | None = "first", **changes: Any) -> str:
    claims = {name: v for name, v in {**TRUE, **changes}.items() if v is not None}
    header = {"alg": alg} if kid is None else {"alg": alg, "kid": kid}
    return jwt.encode(header, claims, key, [alg])


def with_the_public_key_as_secret() -> str:
    body = unsigned(TRUE, alg="HS256").rpartition(".")[0]
    mac = hmac.digest(KEY.as_pem(private=False), body.encode(), "sha256")
    return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def changed_after_signing() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{signed(sub='root').split('.')[1]}.{signature}"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(), id="one audience"),
        pytest.param(signed(aud=["hub"]), id="a list of one audience"),
        pytest.param(signed(aud=["hub", "other"], azp="hub"), id="several audiences and azp"),
        pytest.param(signed(kid=None), id="no key name"),
        pytest.param(signed("PS256"), id="PS256"),
        pytest.param(signed(iat=int(NOW) + 30), id="a clock 30 s ahead"),
    ],
)
def test_a_true_token_says_who_signed_in(token: str) -> None:
    assert verify_id_token(token, [KEY], EXPECTED, NOW)["sub"] == "a1"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(unsigned(TRUE), id="alg none"),
        pytest.param(with_the_public_key_as_secret(), id="HS256 with the public key"),
        pytest.param(changed_after_signing(), id="changed after signing"),
        pytest.param(signed(key=RSAKey.generate_key(2048)), id="another's signature"),
        pytest.param(signed(iss=None), id="no iss"),
        pytest.param(signed(iss="https://sso.example/"), id="iss with a slash more"),
        pytest.param(signed(aud=None), id="no aud"),
        pytest.param(signed(aud="other"), id="another's aud"),
        pytest.param(signed(aud="hubris"), id="aud that only begins like ours"),
        pytest.param(signed(aud={"hub": 1}), id="aud that is no list"),
        pytest.param(signed(aud=["hub", "other"]), id="several audiences without azp"),
        pytest.param(signed(azp="other"), id="another's azp"),
        pytest.param(signed(exp=None), id="no exp"),
        pytest.param(signed(exp=int(NOW) - 120), id="expired"),
        pytest.param(signed(exp=str(int(NOW) + 300)), id="exp as text"),
        pytest.param(signed(exp=float("nan")), id="exp that is no number"),
        pytest.param(signed(iat=None), id="no iat"),
        pytest.param(signed(iat=int(NOW) + 3600), id="iat in the future"),
        pytest.param(signed(nbf=int(NOW) + 3600), id="nbf in the future"),
        pytest.param(signed(nonce=None), id="no nonce"),
        pytest.param(signed(nonce="other"), id="another login's nonce"),
        pytest.param(signed(sub=None), id="no sub"),
        pytest.param(signed(sub=""), id="empty sub"),
        pytest.param(signed(sub=["a1"]), id="sub as list"),
        pytest.param("not.a.token", id="no token"),
        pytest.param("é" * 40, id="not ASCII"),
        pytest.param(None, id="nothing"),
        pytest.param({"alg": "RS256"}, id="an object"),
    ],
)
def test_a_false_token_is_refused_without_a_word_of_it(token: Any) -> None:
    with pytest.raises(LoginFailed) as refusal:
        verify_id_token(token, [KEY], EXPECTED, NOW)
    told = f"{refusal.value} {refusal.value.detail}"
    assert "eyJ" not in told
    assert "a1" not in told


def test_an_algorithm_that_the_provider_does_not_announce_is_refused() -> None:
    only_es = Expected(EXPECTED.issuer, "hub", frozenset({"ES256"}), "n0nce")
    with pytest.raises(LoginFailed, match="verified"):
        verify_id_token(signed(), [KEY], only_es, NOW)


def test_a_key_of_another_kind_under_the_same_name_is_refused() -> None:
    other = ECKey.generate_key("P-256", {"kid": "first"})
    with pytest.raises(UnknownKey):
        verify_id_token(signed(), [other], EXPECTED, NOW)


def test_another_key_name_asks_for_fresh_keys() -> None:
    with pytest.raises(UnknownKey):
        verify_id_token(signed(kid="second"), [KEY], EXPECTED, NOW)


def test_a_refresh_may_leave_the_nonce_out() -> None:
    refresh = Expected(EXPECTED.issuer, "hub", ASYMMETRIC, None)
    assert verify_id_token(signed(nonce=None), [KEY], refresh, NOW)["sub"] == "a1"

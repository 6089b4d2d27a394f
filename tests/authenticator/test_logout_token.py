"""A notice that a login has ended is believed when the provider signed it for us, just now."""

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from daas_authenticator.id_token import Expected, UnknownKey
from daas_authenticator.logins.logout_token import LogoutNotice, verify_logout_token
from daas_model.errors import LoginFailed

from .conftest import KEY, unsigned

NOW = time.time()
EXPECTED = Expected("https://sso.facility.example", "hub", {"RS256"}, nonce=None)
EVENT = "http://schemas.openid.net/event/backchannel-logout"
GOOD: dict[str, Any] = {
    "iss": EXPECTED.issuer,
    "aud": "hub",
    "iat": int(NOW),
    "exp": int(NOW) + 120,
    "jti": "n1",
    "sub": "a1",
    "sid": "s1",
    "events": {EVENT: {}},
}


def signed(key: RSAKey = KEY, typ: str = "logout+jwt", **changed: object) -> str:
    claims = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "first", "typ": typ}, claims, key, ["RS256"])


@pytest.mark.parametrize(
    ("token", "notice"),
    [
        pytest.param(signed(), LogoutNotice("a1", "s1", "n1"), id="one login"),
        pytest.param(signed(sid=None), LogoutNotice("a1", "", "n1"), id="all of a person"),
        pytest.param(signed(sub=None), LogoutNotice("", "s1", "n1"), id="a login without a name"),
        pytest.param(signed(typ="JWT", exp=None), LogoutNotice("a1", "s1", "n1"), id="of before"),
    ],
)
def test_a_true_notice_names_a_login(token: str, notice: LogoutNotice) -> None:
    assert verify_logout_token(token, [KEY], EXPECTED, NOW) == notice


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(unsigned(GOOD), id="unsigned"),
        pytest.param(unsigned(GOOD, "HS256"), id="another algorithm"),
        pytest.param(signed(RSAKey.generate_key(2048)), id="a stranger's key"),
        pytest.param(signed(typ="at+jwt"), id="an access token"),
        pytest.param(signed(iss="https://evil.example"), id="another provider"),
        pytest.param(signed(aud="another"), id="for somebody else"),
        pytest.param(signed(events=None), id="an ID token"),
        pytest.param(signed(events={"https://other.example": {}}), id="about something else"),
        pytest.param(signed(events={EVENT: True}), id="no event object"),
        pytest.param(signed(events=[EVENT]), id="events of another type"),
        pytest.param(signed(nonce="x"), id="with a nonce"),
        pytest.param(signed(iat=int(NOW) - 301), id="old"),
        pytest.param(signed(iat=int(NOW) + 120), id="of the future"),
        pytest.param(signed(iat=None), id="of no time"),
        pytest.param(signed(exp=int(NOW) - 61), id="expired"),
        pytest.param(signed(sub=None, sid=None), id="about nobody"),
        pytest.param(signed(jti=None), id="without a number"),
        pytest.param(signed(sub=["a1"]), id="sub of another type"),
        pytest.param("garbage", id="garbage"),
        pytest.param("", id="nothing"),
    ],
)
def test_attack_17_a_false_notice_is_refused(token: str) -> None:
    with pytest.raises(LoginFailed):
        verify_logout_token(token, [KEY], EXPECTED, NOW)


def test_another_set_of_keys_may_help() -> None:
    with pytest.raises(UnknownKey):
        verify_logout_token(signed(), [], EXPECTED, NOW)

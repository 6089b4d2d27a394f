"""What is decided about a password before any source is asked: pure rules, in tables."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from traitlets import TraitError

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.passwords.connection import client_address, why_unsafe
from daas_authenticator.passwords.kept import KeptPasswordLogin
from daas_authenticator.passwords.limits import ADDRESS, NAME, PAIR, Failures, Limits, network
from daas_authenticator.passwords.settings import LdapValues, parse_password_ways
from daas_authenticator.passwords.typed import Typed, typed_name
from daas_model.errors import BadRequest, DaasError, LoginFailed, TooManyAttempts

LDAP = {"kind": "ldap", "servers": ["ldaps://ldap.example"], "people_base": "dc=example"}
OFFICE = {"kind": "user-office", "url": "https://office.example/login"}


# -- the settings ---------------------------------------------------------------------------


def test_nothing_takes_a_password_unless_it_is_set_up() -> None:
    authenticator = DaasAuthenticator()
    assert authenticator.password_ways == {}
    assert not authenticator.passwords
    assert authenticator.passwords.listed() == ()


def test_a_way_needs_little_and_a_switched_off_one_is_not_offered() -> None:
    ways = {"staff": LDAP, "here": {"kind": "pam", "enabled": False}, "guests": OFFICE}
    authenticator = DaasAuthenticator(password_ways=ways)
    assert [way.id for way in authenticator.passwords.listed()] == ["staff", "guests"]
    assert authenticator.passwords.issuers == {"ldap:staff", "pam:here", "user-office:guests"}


@pytest.mark.parametrize(
    ("ways", "complaint"),
    [
        ({"Staff": LDAP}, "no id"),
        ({"staff": "ldap"}, "must be a mapping"),
        ({"staff": {}}, "kind must be one of ldap, pam, user-office"),
        ({"staff": {**LDAP, "password": "secret-of-the-way"}}, "there is no password"),
        ({"staff": {"kind": "ldap", "servers": ["ldaps://x"]}}, "people_base is missing"),
        ({"staff": {**LDAP, "servers": "ldaps://x"}}, "servers must be a list of texts"),
        ({"staff": {**LDAP, "servers": ["http://x"]}}, "ldaps://, ldap:// or ldapi://"),
        ({"staff": {**LDAP, "servers": ["ldap://x"], "starttls": False}}, "this machine only"),
        ({"staff": {**LDAP, "starttls": "no"}}, "starttls must be True or False"),
        ({"staff": {**LDAP, "people_filter": "(uid=*)"}}, "must be a filter"),
        ({"staff": {**LDAP, "bind_dn": "cn=daas"}}, "bind_dn needs one of"),
        ({"staff": {**LDAP, "bind_password_file": "/x"}}, "bind_dn needs one of"),
        ({"staff": {**LDAP, "title": " "}}, "title and for_whom"),
        ({"staff": {**LDAP, "timeout_seconds": 0}}, "timeout_seconds must be 1"),
        ({"staff": {**LDAP, "timeout_seconds": True}}, "timeout_seconds must be a whole number"),
        ({"here": {"kind": "pam", "min_uid": 0}}, "root never signs in"),
        ({"here": {"kind": "pam", "service": "../shadow"}}, "/etc/pam.d"),
        ({"guests": {"kind": "user-office", "url": "http://office.example/"}}, "https address"),
        ({"guests": {**OFFICE, "ca_bundle": "/nowhere"}}, "ca_bundle is not a file"),
    ],
)
def test_values_that_cannot_work_stop_the_hub_and_say_why(
    ways: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TraitError, match="password_ways") as refusal:
        DaasAuthenticator(password_ways=ways)
    assert complaint in str(refusal.value)
    assert "secret-of-the-way" not in str(refusal.value)


def test_the_services_password_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = {**LDAP, "bind_dn": "cn=daas", "bind_password_env": "LDAP_PASSWORD"}
    with pytest.raises(ValueError, match="leads to an empty password"):
        parse_password_ways({"staff": entry})
    monkeypatch.setenv("LDAP_PASSWORD", "secret-of-the-way")
    (values,) = parse_password_ways({"staff": entry})
    assert isinstance(values, LdapValues)
    assert values.bind_password == "secret-of-the-way"
    assert "secret-of-the-way" not in repr(values)


# -- what is typed --------------------------------------------------------------------------


def form(name: str | bytes, password: str | bytes) -> dict[str, list[bytes]]:
    values = {"username": name, "password": password}
    return {k: [v if isinstance(v, bytes) else v.encode()] for k, v in values.items()}


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    "password", [" with spaces ", "a\r\nb\tc", COMPOSED, DECOMPOSED, "pässwörd", "x" * 1024]
)
def test_attack_30_a_password_is_taken_as_it_was_typed(password: str) -> None:
    assert Typed.from_form(form(" alice ", password)) == Typed("alice", password)


@pytest.mark.parametrize(
    ("name", "password", "error"),
    [
        pytest.param("alice", "", BadRequest, id="empty password"),
        pytest.param("alice", " \t\r\n\u00a0", BadRequest, id="blank password"),
        pytest.param("  ", "secret", BadRequest, id="blank name"),
        pytest.param("alice", "secret\0more", LoginFailed, id="NUL, where C ends"),
        pytest.param("alice", "x" * 10_000, LoginFailed, id="10 kB"),
        pytest.param("alice", b"\xff\xfe", LoginFailed, id="no text"),
        pytest.param("a" * 129, "secret", LoginFailed, id="long name"),
        pytest.param("alice\nbob", "secret", LoginFailed, id="line end in the name"),
        pytest.param("al\u202eice", "secret", LoginFailed, id="direction mark in the name"),
        pytest.param("al\u00adice", "secret", LoginFailed, id="invisible letter in the name"),
    ],
)
def test_attack_30_what_cannot_be_right_is_asked_nowhere(
    name: str, password: str, error: type[DaasError]
) -> None:
    with pytest.raises(error) as refusal:
        Typed.from_form(form(name, password))
    assert "secret" not in f"{refusal.value} {refusal.value.detail}"


@pytest.mark.parametrize("fields", [{}, {"username": [b"alice"]}, {"password": [b"secret"]}])
def test_a_form_that_lacks_a_field_asks_for_it(fields: dict[str, list[bytes]]) -> None:
    with pytest.raises(BadRequest, match="Type your name and your password"):
        Typed.from_form(fields)


def test_a_form_with_two_passwords_is_none() -> None:
    with pytest.raises(BadRequest):
        Typed.from_form({"username": [b"alice"], "password": [b"one", b"two"]})


def test_what_was_typed_is_not_in_its_repr() -> None:
    assert "secret" not in repr(Typed("secret", "secret"))


@pytest.mark.parametrize("name", ["x" * 200, "\u202ealice", b"\xff"])
def test_only_a_name_is_shown_once_more(name: str | bytes) -> None:
    assert typed_name(form(name, "secret")) == ""
    assert typed_name(form("<alice>", "secret")) == "<alice>"


@pytest.mark.parametrize(
    "spelling", ["alice", "ALICE", "Álice", "al ice", "\uff41lice", "a\u0301lice"]
)
def test_attack_30_spellings_that_a_directory_may_equate_count_together(spelling: str) -> None:
    assert Typed(spelling, "secret").key == "alice"


# -- how often ------------------------------------------------------------------------------


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def addresses() -> Iterator[str]:
    yield from (f"10.{n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(1, 10**6))


def test_attack_30_the_sixth_guess_at_a_name_from_one_address_is_not_made(clock: Clock) -> None:
    limits = Limits(clock)
    for _ in range(PAIR.most):
        limits.begin("staff", "alice", "10.0.0.1")
    with pytest.raises(TooManyAttempts, match="Wait 15 minutes") as refusal:
        limits.begin("staff", "alice", "10.0.0.1")
    assert refusal.value.retry_seconds == PAIR.lock_seconds
    limits.begin("staff", "alice", "10.0.0.2")
    limits.begin("staff", "bob", "10.0.0.1")
    limits.begin("guests", "alice", "10.0.0.1")
    clock.now += PAIR.lock_seconds
    limits.begin("staff", "alice", "10.0.0.1")


def test_a_success_forgets_the_failures_before_it(clock: Clock) -> None:
    limits = Limits(clock)
    for _ in range(3):
        for _ in range(PAIR.most - 1):
            limits.begin("staff", "alice", "10.0.0.1")
        limits.succeeded(limits.begin("staff", "alice", "10.0.0.1"))


def test_a_password_that_nobody_judged_is_no_failure(clock: Clock) -> None:
    limits = Limits(clock)
    for _ in range(100):
        limits.undo(limits.begin("staff", "alice", "10.0.0.1"))


def test_attack_30_one_address_that_tries_many_names_is_stopped(clock: Clock) -> None:
    limits = Limits(clock)
    for n in range(ADDRESS.most):
        limits.begin("staff", f"name{n}", "10.0.0.1")
    with pytest.raises(TooManyAttempts):
        limits.begin("staff", "another", "10.0.0.1")
    limits.begin("staff", "another", "10.0.0.2")


def test_attack_30_an_own_login_in_between_does_not_open_the_address_again(clock: Clock) -> None:
    limits = Limits(clock)
    for n in range(ADDRESS.most - 1):
        limits.begin("staff", f"name{n}", "10.0.0.1")
    limits.succeeded(limits.begin("staff", "mallory", "10.0.0.1"))
    limits.begin("staff", "another", "10.0.0.1")
    with pytest.raises(TooManyAttempts):
        limits.begin("staff", "mallory", "10.0.0.1")


def test_attack_30_a_thousand_addresses_get_some_300_guesses_a_day_at_one_name(
    clock: Clock,
) -> None:
    limits, made, waits, end = Limits(clock), 0, [], clock.now + 24 * 3600
    for address in addresses():
        if clock.now >= end:
            break
        try:
            limits.begin("staff", "alice", address)
            made += 1
        except TooManyAttempts as error:
            waits.append(error.retry_seconds)
            clock.now += error.retry_seconds
    assert max(waits) <= NAME.lock_seconds
    assert NAME.most < made <= NAME.most + 24 * 3600 / NAME.lock_seconds


def test_attack_30_who_has_signed_in_from_here_is_not_kept_out_by_others(clock: Clock) -> None:
    limits = Limits(clock)
    limits.succeeded(limits.begin("staff", "alice", "192.0.2.1"))
    for address, _ in zip(addresses(), range(NAME.most), strict=False):
        limits.begin("staff", "alice", address)
    with pytest.raises(TooManyAttempts):
        limits.begin("staff", "alice", "198.51.100.1")
    limits.succeeded(limits.begin("staff", "alice", "192.0.2.1"))


def test_attack_30_what_is_remembered_is_bounded() -> None:
    failures = Failures(PAIR, most_keys=10)
    for n in range(1000):
        failures.add(n, float(n))
    assert len(failures) == 10
    for _ in range(1000):
        failures.add("one", 1000.0)
    assert failures.wait("one", 1000.0) == PAIR.lock_seconds
    assert failures.wait(0, 1000.0) == 0


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_attack_30_a_subscribers_many_addresses_are_one(address: str, counted: str) -> None:
    assert network(address) == counted


# -- from where, and how --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({}, "peer"),
        ({"X-Forwarded-For": "192.0.2.7"}, "192.0.2.7"),
        ({"X-Forwarded-For": "1.1.1.1, 192.0.2.7"}, "192.0.2.7"),
        ({"X-Forwarded-For": "1.1.1.1,192.0.2.7,10.0.0.5"}, "192.0.2.7"),
        ({"X-Forwarded-For": "10.0.0.5"}, "10.0.0.5"),
        ({"X-Forwarded-For": "192.0.2.7", "X-Real-Ip": "1.1.1.1"}, "192.0.2.7"),
        ({"X-Real-Ip": "1.1.1.1"}, "peer"),
    ],
)
def test_attack_30_an_address_is_what_the_last_proxy_saw(
    headers: dict[str, str], address: str
) -> None:
    assert client_address(headers, "peer", {"10.0.0.5"}) == address


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        pytest.param("192.0.2.7, 10.42.3.9", "192.0.2.7", id="in a trusted network"),
        pytest.param("192.0.2.7, ::ffff:10.42.3.9", "192.0.2.7", id="written as IPv6"),
        pytest.param("192.0.2.7, ::ffff:10.0.0.5", "192.0.2.7", id="trusted, written as IPv6"),
        pytest.param("192.0.2.7, 2001:db8::7", "192.0.2.7", id="in a trusted network of IPv6"),
        pytest.param("192.0.2.7, 10.43.0.1", "10.43.0.1", id="beside it"),
        pytest.param("192.0.2.7, unknown", "unknown", id="no address"),
    ],
)
def test_attack_30_a_trusted_network_is_that_network_and_no_more(hops: str, address: str) -> None:
    """An ingress controller's pods have no address of their own for long."""
    trusted = {"10.0.0.5", "10.42.0.0/16", "2001:db8::/64"}
    assert client_address({"X-Forwarded-For": hops}, "peer", trusted) == address
    safe = why_unsafe(
        HTTPS, {"X-Forwarded-For": hops, "X-Forwarded-Proto": "https,http"}, "", trusted
    )
    assert (safe == "") is (address == "192.0.2.7")


HTTPS, HERE = "https://daas.example/hub/", "http://localhost:8000/hub/"


@pytest.mark.parametrize(
    ("public_url", "forwarded_for", "forwarded_proto", "peer", "safe"),
    [
        pytest.param(HTTPS, "192.0.2.7", "https", "127.0.0.1", True, id="our proxy ends TLS"),
        pytest.param(HTTPS, "192.0.2.7", "http", "127.0.0.1", False, id="past the TLS proxy"),
        pytest.param(HTTPS, "192.0.2.7", "https,http", "", False, id="a browser says https"),
        pytest.param(HTTPS, "1.1.1.1, 127.0.0.1", "https,http", "", True, id="nginx here, https"),
        pytest.param(HTTPS, "1.1.1.1, 127.0.0.1", "http,http", "", False, id="nginx here, http"),
        pytest.param(HTTPS, "1.1.1.1, 10.0.0.5", "https,http", "", True, id="a trusted proxy"),
        pytest.param(HTTPS, "1.1.1.1, 10.0.0.6", "https,http", "", False, id="a proxy unnamed"),
        pytest.param(HTTPS, "", "", "192.0.2.7", False, id="straight to the hub"),
        pytest.param(HERE, "127.0.0.1", "http", "127.0.0.1", True, id="a demo on this machine"),
        pytest.param(HERE, "::ffff:127.0.0.1", "http", "", True, id="the same, by IPv6"),
        pytest.param(HERE, "192.0.2.7", "http", "127.0.0.1", False, id="a demo seen from outside"),
        pytest.param(HERE, "", "", "127.0.0.1", True, id="a hub without its proxy"),
        pytest.param("", "127.0.0.1", "https", "127.0.0.1", False, id="no address is set"),
        pytest.param("http://daas.example/hub/", "192.0.2.7", "https", "", False, id="plain http"),
    ],
)
def test_a_password_is_taken_only_where_nobody_reads_along(
    public_url: str, forwarded_for: str, forwarded_proto: str, peer: str, safe: bool
) -> None:
    headers = {"X-Forwarded-For": forwarded_for, "X-Forwarded-Proto": forwarded_proto}
    assert (why_unsafe(public_url, headers, peer, {"10.0.0.5"}) == "") is safe


# -- what is kept ---------------------------------------------------------------------------


def test_a_kept_login_comes_back_and_an_ended_one_does_not() -> None:
    kept = KeptPasswordLogin("staff", "ldap:staff", "uuid", 1000)
    state = json.loads(json.dumps(kept.to_state()))
    assert KeptPasswordLogin.from_state(state) == kept
    assert KeptPasswordLogin.from_state(kept.without_tokens()) is None
    provider_login = {"provider": "staff", "issuer": "https://x", "sub": "1", "access_token": "t"}
    assert KeptPasswordLogin.from_state(provider_login) is None
    assert KeptPasswordLogin.from_state(None) is None

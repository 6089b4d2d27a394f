"""Addresses: what the environment may say, and a host of her own for every name."""

import re
from itertools import product

import pytest

from daas_model.hosting import Hosting

LISTEN = "http://127.0.0.1:8000/"
PUBLIC = "https://daas.facility.example/"
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def test_subdomains_are_the_hosts_of_sessions_and_the_portal_is_on_the_hubs() -> None:
    hosting = Hosting.parse("subdomains", "https://daas.facility.example:8443/a/b", LISTEN)
    assert hosting.public_url == "https://daas.facility.example:8443/a/b/"
    assert hosting.listen_url == "http://127.0.0.1:8000/a/b/"
    assert hosting.portal_path == "/a/b/services/portal/"
    assert hosting.portal_url == "https://daas.facility.example:8443/a/b/services/portal/"
    assert hosting.session_origins == "https://*.daas.facility.example:8443"
    assert hosting.host_of("anna", "", "user") == "anna.daas.facility.example"
    assert hosting.host_of("portal", "", "service") == "daas.facility.example"
    assert hosting.host_of("other", "", "service") == "other--service.daas.facility.example"


def test_sessions_may_have_a_domain_of_their_own() -> None:
    hosting = Hosting.parse("subdomains", PUBLIC, LISTEN, "https://daas-sessions.example/")
    assert hosting.host_of("anna", "", "user") == "anna.daas-sessions.example"
    assert hosting.host_of("portal", "", "service") == "daas.facility.example"
    assert hosting.session_origins == "https://*.daas-sessions.example"
    assert hosting.portal_url == "https://daas.facility.example/services/portal/"


def test_paths_need_no_public_address_and_take_the_proxys_path() -> None:
    hosting = Hosting.parse("paths", "", "http://127.0.0.1:8000/daas")
    assert not hosting.subdomains
    assert hosting.listen_url == "http://127.0.0.1:8000/daas/"
    assert hosting.portal_url == hosting.portal_path == "/daas/services/portal/"
    assert hosting.session_origins == ""


@pytest.mark.parametrize(
    ("kind", "public", "sessions", "sentence"),
    [
        ("subdomains", "", "", "set DAAS_PUBLIC_URL"),
        ("subdomains", "http://daas.facility.example/", "", "https address"),
        ("subdomains", "https://192.0.2.1/", "", "host name"),
        ("subdomains", "https://[2001:db8::1]/", "", "host name"),
        ("subdomains", "https://localhost/", "", "host name"),
        ("subdomains", f"https://{'a.' * 120}example/", "", "host name"),
        ("subdomains", "https://Daas.facility.example/", "", "small letters"),
        ("subdomains", "https://me@daas.facility.example/", "", "as browsers see it"),
        ("subdomains", "https://daas.facility.example:x/", "", "as browsers see it"),
        ("subdomains", "https://daas.facility.example/?a", "", "as browsers see it"),
        ("subdomains", "https://daas.facility.example/a//b", "", "as browsers see it"),
        ("subdomains", "https://daas.facility.example/../a", "", "as browsers see it"),
        ("subdomains", "daas.facility.example", "", "as browsers see it"),
        ("subdomains", "https://portal.daas.example/", "https://daas.example/", "not be below"),
        ("subdomains", PUBLIC, "https://daas.example:8443/", "same port"),
        ("subdomains", PUBLIC, "http://daas.example/", "https address"),
        ("paths", PUBLIC, "https://daas.example/", "DAAS_HOSTING=subdomains"),
        ("sub-domains", PUBLIC, "", "DAAS_HOSTING must be"),
        ("", PUBLIC, "", "DAAS_HOSTING must be"),
    ],
)
def test_an_address_that_cannot_work_stops_the_start_with_a_sentence(
    kind: str, public: str, sessions: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Hosting.parse(kind, public, LISTEN, sessions)


NAMES = [
    *("".join(letters) for size in (1, 2, 3, 4) for letters in product("a0-_.", repeat=size)),
    *("".join(("a", *letters)) for letters in product("ab-_.", repeat=5)),
    *(("a." * 16)[:32], ("a_" * 16)[:32], "a" * 32, "a" * 31 + "-"),
    *("portal", "portal--service", "services", "xn--a-0ga", "u-ab--0123456", "123", "Anna", "ANNA"),
]


def test_no_two_names_share_a_host_and_one_wildcard_covers_all() -> None:
    hosting = Hosting.parse("subdomains", PUBLIC, LISTEN)
    names = set(NAMES)
    hosts = {hosting.host_of(name, "", "user") for name in names}
    services = {hosting.host_of(name, "", "service") for name in names}
    assert len(hosts) == len(services) == len(names)
    assert hosts & services == set()
    for host in hosts | services - {"daas.facility.example"}:
        label = host.removesuffix(".daas.facility.example")
        assert LABEL.fullmatch(label), host
        assert "daas.facility.example" not in label
    assert "daas.facility.example" not in hosts


@pytest.mark.parametrize("name", ["a", "anna", "anna-smith", "u2026142", "a-1"])
def test_a_plain_name_is_the_host(name: str) -> None:
    hosting = Hosting.parse("subdomains", PUBLIC, LISTEN)
    assert hosting.host_of(name, "", "user") == f"{name}.daas.facility.example"


def test_a_name_with_a_dot_is_to_be_recognised_and_too_long_to_be_guessed() -> None:
    hosting = Hosting.parse("subdomains", PUBLIC, LISTEN)
    label = hosting.host_of("anna.smith", "", "user").removesuffix(".daas.facility.example")
    # 160 bits: nobody finds a second name that fits. JupyterHub's own rule keeps 28.
    assert re.fullmatch("u-annasmit--[0-9a-f]{40}", label)

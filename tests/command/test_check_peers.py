"""`daas check` of real directories, PAM, a user office, and of providers that are not ours."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.authenticator.keycloak_server import is_fetched, starting_keycloak
from tests.authenticator.pam_here import pam_here
from tests.authenticator.slapd import BASE, READER, Slapd, group, person
from tests.authenticator.test_certified_provider import LIBRARY, certified_provider
from tests.authenticator.user_office import open_office
from tests.conftest import free_port, short_folder

from .checking import SECRET, Checked, make_well


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with short_folder() as folder:
        server = Slapd(folder)
        try:
            yield server.start(
                person("pi", 20001, 30000, "/home/pi"), group("scientists", 30000, "pi")
            )
        finally:
            server.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as place:
        yield place


@pytest.fixture
def daas(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Checked:
    """The command for a facility without a provider."""
    make_well(folder, "http://127.0.0.1:1", monkeypatch)
    checked = Checked(folder, capsys)
    checked.spoil("c.DaasAuthenticator.providers = {}")
    return checked


def ldap_accounts(daas: Checked, slapd: Slapd, **settings: Any) -> None:
    values = {
        "servers": [slapd.tls],
        "ca_file": str(slapd.ca_file),
        "bind_dn": READER,
        "password_file": str(slapd.password_file),
        "people_base": f"ou=people,{BASE}",
        "groups_base": f"ou=groups,{BASE}",
        **settings,
    }
    daas.spoil("c.DaasAuthenticator.account_source = 'ldap'")
    for name, value in values.items():
        daas.spoil(f"c.LdapAccounts.{name} = {value!r}")


async def test_accounts_by_ldap_are_found_as_at_a_start(daas: Checked, slapd: Slapd) -> None:
    ldap_accounts(daas, slapd)
    told = await daas("--name", "pi")
    assert f"ok       {slapd.tls}: answers" in told
    assert "account: pi, home /home/pi, groups scientists" in told


async def test_an_ldap_server_that_is_down_is_seen_beside_one_that_answers(
    daas: Checked, slapd: Slapd
) -> None:
    away = f"ldaps://localhost:{free_port()}"
    ldap_accounts(daas, slapd, servers=[slapd.tls, away])
    told = await daas("--name", "pi", code=1)
    assert f"ok       {slapd.tls}: answers" in told
    assert f"wrong    {away}: The facility's directory of accounts does not answer" in told
    assert "account: pi" in told


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        pytest.param({"ca_file": ""}, "its certificate is not trusted", id="unknown authority"),
        pytest.param({"bind_dn": f"cn=x,{BASE}"}, "does not accept bind_dn", id="no such reader"),
        pytest.param({"password_file": "/nowhere"}, "password_file cannot be used", id="no file"),
        pytest.param({"people_base": "ou=x"}, "LDAPNoSuchObjectResult", id="no such place"),
    ],
)
async def test_what_is_wrong_with_ldap_is_named(
    daas: Checked, slapd: Slapd, settings: dict[str, str], says: str
) -> None:
    ldap_accounts(daas, slapd, **settings)
    told = await daas(code=1)
    assert says in told
    assert "→ Look at LdapAccounts: servers, ca_file" in told


async def test_each_source_of_passwords_is_asked_and_nobody_gets_in(
    daas: Checked, slapd: Slapd, folder: Path
) -> None:
    (folder / "pam").mkdir()
    away = free_port()
    async with open_office(free_port()) as office:
        daas.spoil(
            f"""
c.DaasAuthenticator.password_ways = {{
    "ldap": {{"kind": "ldap", "servers": [{slapd.tls!r}, "ldaps://localhost:{away}"],
        "ca_file": {str(slapd.ca_file)!r}, "people_base": "ou=people,{BASE}", "bind_dn": {READER!r},
        "bind_password_file": {str(slapd.password_file)!r}}},
    "pam": {{"kind": "pam", "command": {pam_here(folder / "pam", "pi:x")!r}}},
    "helper": {{"kind": "pam", "command": ["/nowhere"]}},
    "office": {{"kind": "user-office", "url": {office.url!r}}},
    "closed": {{"kind": "user-office", "url": "http://127.0.0.1:{away}/login"}},
    "off": {{"kind": "user-office", "url": "https://x.example", "enabled": False}},
}}"""
        )
        told = await daas(code=1)
        assert [set(sent.values()) for sent in office.asked] == [{"daas-check-is-nobody"}]
    assert f"ok       ldap ({slapd.tls}): answers, and refuses" in told
    assert f"wrong    ldap (ldaps://localhost:{away}): LDAP: " in told
    assert "ok       pam (pam): answers, and refuses" in told
    assert "there is no PAM service daas" in told
    assert "helper: the helper /nowhere is not there" in told
    assert "ok       office (user-office): answers, and refuses" in told
    assert "wrong    closed (user-office): ClientConnectorError" in told
    assert "ok       off: is switched off" in told


async def test_a_source_that_lets_anybody_in_is_found_out(daas: Checked) -> None:
    async with open_office(free_port()) as office:
        office.status, office.body = 200, {"username": "somebody"}
        way = {"kind": "user-office", "url": office.url}
        daas.spoil(f"c.DaasAuthenticator.password_ways = {{'office': {way!r}}}")
        assert "a name that nobody has, with any password" in await daas(code=1)


async def test_passwords_without_https_are_named(daas: Checked) -> None:
    daas.spoil("c.JupyterHub.public_url = 'http://daas.facility.example/'")
    way = {"kind": "user-office", "url": "https://x.example", "enabled": False}
    daas.spoil(f"c.DaasAuthenticator.password_ways = {{'office': {way!r}}}")
    assert "is not https: the hub takes no passwords" in await daas(code=1)


@pytest.mark.skipif(LIBRARY is None, reason="npm's oidc-provider is not installed: run make")
async def test_a_certified_provider_is_well_and_knows_wrong_clients(
    daas: Checked, folder: Path
) -> None:
    port = free_port()
    with certified_provider(port, "http://127.0.0.1:8000/hub/oidc/c/callback", folder / "said"):
        await well_and_knows_wrong_clients(daas, f"http://127.0.0.1:{port}", "c", "hub", SECRET)


@pytest.mark.keycloak
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("java") is None, reason="no Java: make test-packages")
@pytest.mark.skipif(not is_fetched(), reason="no Keycloak: make keycloak")
async def test_keycloak_is_well_and_knows_wrong_clients(daas: Checked, folder: Path) -> None:
    with starting_keycloak(free_port(), folder / "log") as keycloak:
        keycloak.wait()
        keycloak.register("daas-test", "http://127.0.0.1:8000", "staff")
        issuer = f"{keycloak.url}/realms/daas-test"
        await well_and_knows_wrong_clients(daas, issuer, "staff", "daas", "secret-of-staff")


async def well_and_knows_wrong_clients(
    daas: Checked, issuer: str, name: str, client_id: str, secret: str
) -> None:
    """Examine the provider with the client that it knows, and with three that it does not."""
    entry = {"issuer": issuer, "client_id": client_id, "client_secret": secret}
    hub = "http://127.0.0.1:8000/"
    for public_url, different, code, says in (
        (hub, {}, 0, ("client secret: is accepted", "redirect address: is registered")),
        (hub, {"client_secret": "wrong-one"}, 1, ("secret: is not accepted",)),
        (hub, {"client_id": "x"}, 1, ("secret: is not accepted", "does not know the client id")),
        ("https://x.example/", {}, 1, ("secret: is accepted", "does not know this address")),
    ):
        providers = {name: {**entry, **different}}
        daas.hidden += [providers[name]["client_secret"]]
        daas.spoil(f"c.JupyterHub.public_url = {public_url!r}")
        daas.spoil(
            "c.DaasAuthenticator.provider_timeout_seconds = 30"
        )  # its first answers are slow
        daas.spoil(f"c.DaasAuthenticator.providers = {providers!r}")
        told = await daas(code=code)
        assert all(words in told for words in says), told

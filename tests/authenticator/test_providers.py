"""Providers by values: a profile, an issuer and a client are enough; a wrong value is named."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from traitlets import TraitError

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.profiles import PROFILES
from daas_authenticator.providers import parse_providers

LEAST = {"issuer": "https://sso.example", "client_id": "daas", "client_secret": "s3cret"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_needs_only_issuer_and_client(profile: str) -> None:
    (provider,) = parse_providers({"one": {"profile": profile, **LEAST}})
    assert provider.title == PROFILES[profile].title
    assert provider.scope[0] == "openid"
    assert provider.login_path == "oidc/one/login"
    assert provider.callback_path == "oidc/one/callback"
    assert provider.signs_in is (profile != "orcid")


def test_no_profile_knows_an_issuer() -> None:
    assert "https://" not in repr(PROFILES)


@pytest.mark.parametrize("profile", set(PROFILES) - {"keycloak", "lemonldap"})
def test_groups_of_a_provider_that_is_not_the_facilitys_are_not_read(profile: str) -> None:
    assert PROFILES[profile].groups_claim == ""


@pytest.mark.parametrize("profile", PROFILES)
def test_only_a_facilitys_own_provider_names_people(profile: str) -> None:
    own = profile in ("oidc", "keycloak", "lemonldap")
    assert parse_providers({"one": {"profile": profile, **LEAST}})[0].names_people is own


def test_a_facilitys_own_values_win() -> None:
    own = {"title": "Staff", "scope": "profile roles", "proxy": "http://p.example:3128"}
    (provider,) = parse_providers(
        {"one": {**LEAST, **own}}, proxy="http://other.example", ca_bundle=""
    )
    assert provider.title == "Staff"
    assert provider.scope == ("openid", "profile", "roles")
    assert provider.proxy == "http://p.example:3128"


def test_proxy_and_certificates_of_all_serve_each(certificates: Path) -> None:
    two = {"one": LEAST, "two": {**LEAST, "client_id": "other", "proxy": "", "ca_bundle": ""}}
    one, other = parse_providers(two, str(certificates), "http://proxy.example:3128")
    assert (one.ca_bundle, one.proxy) == (str(certificates), "http://proxy.example:3128")
    assert (other.ca_bundle, other.proxy) == ("", "")


@pytest.fixture
def certificates() -> Path:
    import certifi  # noqa: PLC0415

    return Path(certifi.where())


def test_a_secret_may_stand_in_a_file_or_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("SECRET_OF_TWO", "from the environment")
    without = {name: value for name, value in LEAST.items() if name != "client_secret"}
    one, two = parse_providers(
        {
            "one": {**without, "client_secret_file": str(tmp_path / "secret")},
            "two": {**without, "client_id": "b", "client_secret_env": "SECRET_OF_TWO"},
        }
    )
    assert (one.client_secret, two.client_secret) == ("from a file", "from the environment")
    assert "from a file" not in repr(one)
    assert "from the environment" not in repr(two)


def test_what_is_switched_off_may_lack_its_secret() -> None:
    off = {"issuer": "https://sso.example", "client_id": "daas", "enabled": False}
    assert not parse_providers({"one": off})[0].signs_in


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        pytest.param("One", {}, "no id", id="capital letter"),
        pytest.param("default", {}, "no id", id="the name of the single one"),
        pytest.param("a/b", {}, "no id", id="a path"),
        pytest.param("one", {"issuer": "http://sso.example"}, "issuer", id="no https"),
        pytest.param("one", {"issuer": None}, "issuer", id="no issuer"),
        pytest.param("one", {"client_id": ""}, "client_id", id="no client"),
        pytest.param("one", {"client_secret": ""}, "exactly one", id="no secret"),
        pytest.param("one", {"client_secret_env": "X"}, "exactly one", id="two secrets"),
        pytest.param("one", {"profile": "umbrela"}, "umbrella", id="unknown profile"),
        pytest.param("one", {"isuer": "x"}, "isuer", id="a typing error"),
        pytest.param("one", {"enabled": "no"}, "enabled", id="a text for a choice"),
        pytest.param("one", {"scope": 7}, "scope", id="scope of another type"),
        pytest.param("one", {"proxy": "proxy.example"}, "proxy", id="no address"),
        pytest.param("one", {"ca_bundle": "/no/such/file"}, "ca_bundle", id="no file"),
        pytest.param("one", {"ca_bundle": __file__}, "ca_bundle", id="no certificates"),
        pytest.param("one", {"claims_from": "token"}, "claims_from", id="unknown source"),
    ],
)
def test_a_wrong_value_is_named_and_the_secret_is_not(
    name: str, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(TraitError, match=r"DaasAuthenticator\.providers") as refusal:
        DaasAuthenticator(providers={name: {**LEAST, **change}})
    assert why in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_two_providers_are_not_one() -> None:
    with pytest.raises(TraitError, match="same issuer"):
        DaasAuthenticator(providers={"one": LEAST, "two": LEAST})


def test_the_single_providers_settings_go_on_working() -> None:
    authenticator = DaasAuthenticator(
        issuer="https://sso.example",
        client_id="daas",
        client_secret="s3cret",
        oauth_callback_url="https://hub.example/hub/oauth_callback",
    )
    assert authenticator.login_url("/hub/") == "/hub/oauth_login"
    assert authenticator.redirect_uri("x") == "https://hub.example/hub/x"


@pytest.mark.parametrize("several", [0, 1, 2])
def test_a_login_begins_at_the_only_way_or_on_the_page(several: int) -> None:
    providers = {f"p{n}": {**LEAST, "client_id": f"c{n}"} for n in range(several)}
    providers["orcid"] = {"profile": "orcid", **LEAST}
    url = DaasAuthenticator(providers=providers).login_url("/hub/")
    assert url == ("/hub/oidc/p0/login" if several == 1 else "/hub/login")


@pytest.mark.parametrize("public_url", ["", "http://daas.facility.example/"])
async def test_the_hub_does_not_start_when_it_would_have_to_guess_its_address(
    public_url: str,
) -> None:
    authenticator = DaasAuthenticator(providers={"one": LEAST})
    with pytest.raises(TraitError, match=r"JupyterHub\.public_url"):
        authenticator.get_handlers(SimpleNamespace(public_url=public_url))


def test_another_http_client_is_refused_instead_of_ignored() -> None:
    with pytest.raises(TraitError, match="ca_bundle and proxy"):
        DaasAuthenticator(http_request_kwargs={"ca_certs": "x"})

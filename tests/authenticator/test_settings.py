"""Settings: explained, checked, and light to read."""

import subprocess
import sys

import pytest
from jupyterhub.app import JupyterHub
from oauthenticator.generic import GenericOAuthenticator
from traitlets import TraitError
from traitlets.config import Config

from daas_authenticator import configure
from daas_authenticator.authenticator import DaasAuthenticator


def test_configure_makes_the_hub_use_this_authenticator() -> None:
    config = Config()
    configure(config)
    assert config.JupyterHub.authenticator_class == "daas"
    authenticator = DaasAuthenticator(config=config)
    assert authenticator.enable_auth_state
    assert authenticator.manage_groups


def test_neither_a_clock_nor_the_provider_ends_the_token_of_a_session() -> None:
    config = Config()
    configure(config)
    hub = JupyterHub(config=config)
    assert hub.oauth_token_expires_in > 10 * hub.cookie_max_age_days * 24 * 3600
    assert not DaasAuthenticator(config=config).auth_refresh_strict


def test_reading_the_configuration_loads_no_hub() -> None:
    code = "import sys, daas_authenticator; print('jupyterhub' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


OWN = sorted(
    set(DaasAuthenticator.class_trait_names(config=True))
    - set(GenericOAuthenticator.class_trait_names(config=True))
)


@pytest.mark.parametrize("name", OWN)
def test_every_setting_is_explained_with_an_example(name: str) -> None:
    assert "Example:" in DaasAuthenticator.class_traits()[name].help


@pytest.mark.parametrize(
    "issuer",
    ["http://sso.example", "ftp://sso.example", "sso.example", "https://sso.example/?realm=a"],
)
def test_an_issuer_that_is_not_https_is_refused(issuer: str) -> None:
    with pytest.raises(TraitError, match="issuer"):
        DaasAuthenticator(issuer=issuer)


@pytest.mark.parametrize("url", ["//evil.example/", "https://evil.example/", "/portal", "portal/"])
def test_the_portal_is_a_path_on_this_host(url: str) -> None:
    with pytest.raises(TraitError, match="portal_url"):
        DaasAuthenticator(portal_url=url)


def test_names_are_not_bent() -> None:
    authenticator = DaasAuthenticator()
    assert authenticator.normalize_username("Alice") == "Alice"
    assert not authenticator.validate_username("Alice")
    assert not authenticator.validate_username("root")
    assert authenticator.validate_username("alice")

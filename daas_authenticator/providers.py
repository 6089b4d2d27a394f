"""The identity providers of this facility, from the configuration. Parsed once, checked.

Called by `settings` (to refuse bad values) and by the authenticator (to make a client of each).
"""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from daas_authenticator.discovery import is_safe_url
from daas_authenticator.profiles import PROFILES, ClaimsFrom

DEFAULT = "default"  # the provider of the settings `issuer`, `client_id`, `client_secret`

_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SECRETS = ("client_secret", "client_secret_file", "client_secret_env")
_BOOLEANS = ("enabled", "link_only", "makes_admins", "names_people", "ends_login")
_CLAIMS_FROM = ("userinfo", "id_token")


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to sign in, as the operator set it up."""

    id: str
    title: str
    for_whom: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: tuple[str, ...]
    username_claim: str
    groups_claim: str
    claims_from: ClaimsFrom = "userinfo"
    enabled: bool = True
    link_only: bool = False
    names_people: bool = True
    ends_login: bool = True
    legacy_claim: str = ""
    makes_admins: bool = False
    ca_bundle: str = ""
    proxy: str = ""
    authorize_params: Mapping[str, str] = field(default_factory=dict)

    @property
    def signs_in(self) -> bool:
        """Whether people may come in this way."""
        return self.enabled and not self.link_only

    @property
    def login_path(self) -> str:
        """The page below the hub's prefix that sends a browser to this provider."""
        return "oauth_login" if self.id == DEFAULT else f"oidc/{self.id}/login"

    @property
    def backchannel_path(self) -> str:
        """Where this provider says that it has ended a login."""
        return "oauth_backchannel" if self.id == DEFAULT else f"oidc/{self.id}/backchannel"

    @property
    def callback_path(self) -> str:
        """Where this provider, and no other, answers (RFC 9700, 4.4.2.2)."""
        return "oauth_callback" if self.id == DEFAULT else f"oidc/{self.id}/callback"


def parse_providers(
    entries: Mapping[str, Any], ca_bundle: str = "", proxy: str = ""
) -> tuple[Provider, ...]:
    """Return the providers of the setting `providers`, in its order.

    *ca_bundle* and *proxy* are for those that name none of their own. Raises `ValueError`
    whose text says which value of which provider is wrong, and never a secret.
    """
    found = tuple(_provider(name, entry, ca_bundle, proxy) for name, entry in entries.items())
    issuers = [(provider.issuer, provider.client_id) for provider in found]
    if len(set(issuers)) < len(issuers):
        raise ValueError("providers: two have the same issuer and client_id")
    return found


def check_issuer(issuer: object) -> str:
    """Return *issuer*, which must be https (or this machine itself) and without a query."""
    if not isinstance(issuer, str) or not is_safe_url(issuer) or "?" in issuer:
        raise ValueError("issuer must be an https address without a query")
    return issuer


def check_proxy(proxy: object) -> str:
    """Return *proxy*: empty, or the address of an http proxy."""
    if proxy == "":
        return ""
    parts = urlsplit(proxy) if isinstance(proxy, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError('the proxy must be an address like "http://proxy.facility.example:3128"')
    return str(proxy)


def check_ca_bundle(path: object) -> str:
    """Return *path*: empty, or a file that can be read."""
    if path == "":
        return ""
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError:  # an SSLError is one
        raise ValueError("ca_bundle is not a file with certificates that can be read") from None
    return str(path)


def _provider(name: object, entry: object, ca_bundle: str, proxy: str) -> Provider:
    if not isinstance(name, str) or not _ID.fullmatch(name) or name == DEFAULT:
        raise ValueError(
            f"providers: {name!r} is no id; small letters, digits and dashes, not {DEFAULT!r}"
        )
    try:
        if not isinstance(entry, Mapping):
            raise ValueError("must be a mapping")
        return _parse(name, dict(entry), ca_bundle, proxy)
    except ValueError as error:
        raise ValueError(f"providers[{name!r}]: {error}") from None


def _parse(name: str, entry: dict[str, Any], ca_bundle: str, proxy: str) -> Provider:
    profile = PROFILES.get(entry.pop("profile", "oidc"))
    if profile is None:
        raise ValueError(f"profile must be one of {', '.join(PROFILES)}")
    enabled = entry.get("enabled", True)
    # What is switched off may wait for its secret.
    secret = _secret(entry) if enabled is True else ""
    values = {f.name: getattr(profile, f.name) for f in fields(profile)}
    values |= {"ca_bundle": ca_bundle, "proxy": proxy} | entry
    unknown = values.keys() - {f.name for f in fields(Provider)} - set(_SECRETS)
    if unknown:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}")
    values = {key: value for key, value in values.items() if key not in _SECRETS}
    for key in _BOOLEANS:
        if not isinstance(values.get(key, False), bool):
            raise ValueError(f"{key} must be True or False")
    for key in ("title", "for_whom", "username_claim", "client_id"):
        if not isinstance(values.get(key), str) or not values[key].strip():
            raise ValueError(f"{key} is missing")
    if values["claims_from"] not in _CLAIMS_FROM:
        raise ValueError(f"claims_from must be one of {', '.join(_CLAIMS_FROM)}")
    for key in ("groups_claim", "legacy_claim"):
        if not isinstance(values.get(key, ""), str):
            raise ValueError(f'{key} must be a claim\'s name, or ""')
    values["issuer"] = check_issuer(values.get("issuer"))
    values["ca_bundle"] = check_ca_bundle(values["ca_bundle"])
    values["proxy"] = check_proxy(values["proxy"])
    values["scope"] = _scope(values["scope"])
    return Provider(id=name, client_secret=secret, **values)


def _scope(value: object) -> tuple[str, ...]:
    scope = value.split() if isinstance(value, str) else value
    if not isinstance(scope, list | tuple) or not all(isinstance(s, str) for s in scope):
        raise ValueError("scope must be a list of texts")
    return tuple(scope) if "openid" in scope else ("openid", *scope)


def _secret(entry: Mapping[str, Any]) -> str:
    given = [name for name in _SECRETS if entry.get(name)]
    if len(given) != 1:
        raise ValueError(f"give exactly one of {', '.join(_SECRETS)}")
    value = str(entry[given[0]])
    if given[0] == "client_secret_env":
        value = os.environ.get(value, "")
    elif given[0] == "client_secret_file":
        try:
            value = Path(value).read_text("utf-8").strip()
        except (OSError, ValueError):
            raise ValueError("client_secret_file cannot be read") from None
    if not value:
        raise ValueError(f"{given[0]} leads to an empty secret")
    return value

"""The ways to sign in with a password, from the configuration. Parsed once, checked.

Called by the trait `password_ways` (to refuse bad values) and by `ways.PasswordWays`. Needs
neither an LDAP nor a PAM library.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, ClassVar

from traitlets import TraitError

from daas_authenticator.accounts.ldap_addresses import are_addresses, in_the_clear
from daas_authenticator.accounts.ldap_filters import checked_filter
from daas_authenticator.discovery import is_safe_url
from daas_authenticator.providers import check_ca_bundle, check_proxy

_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_CALLED = {bool: "True or False", str: "a text", int: "a whole number"}
_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WayValues:
    """What all kinds have, named as in `providers.Provider` where it means the same."""

    kind: ClassVar[str] = ""
    username_claim: ClassVar[str] = "preferred_username"
    groups_claim: ClassVar[str] = "groups"
    #: What a facility checks itself names its people; no older system stands behind it.
    names_people: ClassVar[bool] = True
    legacy_claim: ClassVar[str] = ""

    id: str
    title: str = "Facility account"
    for_whom: str = "For staff and users with a name and a password at this facility."
    enabled: bool = True
    timeout_seconds: int = 10

    @property
    def issuer(self) -> str:
        """The text that stands for this source, for as long as its kind and id stay."""
        return f"{self.kind}:{self.id}"

    @property
    def login_path(self) -> str:
        """The page below the hub's prefix that takes this way's form."""
        return f"password/{self.id}/login"

    def check(self) -> None:
        """Raise `ValueError` when the values do not fit each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapValues(WayValues):
    """An LDAP directory: find the entry of a name, then bind as it with the password."""

    kind: ClassVar[str] = "ldap"

    servers: tuple[str, ...]
    people_base: str
    people_filter: str = "(&(objectClass=person)(uid={name}))"
    name_attribute: str = "uid"
    subject_attribute: str = "entryUUID"
    groups_attribute: str = ""
    starttls: bool = True
    ca_file: str = ""
    bind_dn: str = ""
    bind_password_file: str = ""
    bind_password_env: str = ""

    def check(self) -> None:
        """Raise `ValueError` when the values do not fit each other."""
        if not self.servers or not are_addresses(self.servers):
            raise ValueError("servers must be a list of ldaps://, ldap:// or ldapi:// addresses")
        if in_the_clear(self.servers, self.starttls):
            raise ValueError("starttls may be False on this machine only")
        checked_filter(self.people_filter, {"name"}, "people_filter")
        check_ca_bundle(self.ca_file)
        given = bool(self.bind_password_file) + bool(self.bind_password_env)
        if given != bool(self.bind_dn):
            raise ValueError("bind_dn needs one of bind_password_file, bind_password_env")
        if self.enabled and self.bind_password_env and not self.bind_password:
            raise ValueError("bind_password_env leads to an empty password")

    @property
    def bind_password(self) -> str | None:
        """The password from the environment; None when it is in a file, or there is none."""
        name = self.bind_password_env
        return os.environ.get(name, "") if name else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PamValues(WayValues):
    """The machine's own accounts, by a PAM service."""

    kind: ClassVar[str] = "pam"

    service: str = "daas"
    min_uid: int = 1000
    command: tuple[str, ...] = (sys.executable, "-m", "daas_authenticator.passwords.pam_helper")

    def check(self) -> None:
        """Raise `ValueError` when the values do not fit each other."""
        if not _SERVICE.fullmatch(self.service):
            raise ValueError("service must be the name of a file in /etc/pam.d")
        if self.min_uid < 1:
            raise ValueError("min_uid must be 1 or more: root never signs in")
        if not self.command:
            raise ValueError("command must be a program with its arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserOfficeValues(WayValues):
    """A user office that speaks the login contract of CALIPSOplus."""

    kind: ClassVar[str] = "user-office"

    url: str
    name_field: str = "username"
    subject_field: str = ""
    groups_field: str = ""
    ca_bundle: str = ""
    proxy: str = ""

    def check(self) -> None:
        """Raise `ValueError` when the values do not fit each other."""
        if not is_safe_url(self.url):
            raise ValueError("url must be an https address (http on this machine only)")
        if not self.name_field:
            raise ValueError("name_field is missing")
        check_ca_bundle(self.ca_bundle)
        check_proxy(self.proxy)


_KINDS: Mapping[str, type[WayValues]] = {
    values.kind: values for values in (LdapValues, PamValues, UserOfficeValues)
}


def parse_password_ways(entries: Mapping[str, Any]) -> tuple[WayValues, ...]:
    """Return the ways of the setting `password_ways`, in its order.

    Raises `ValueError` whose text says which value of which way is wrong, and never a secret.
    """
    return tuple(_way(name, entry) for name, entry in entries.items())


def _way(name: object, entry: object) -> WayValues:
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise ValueError(f"{name!r} is no id; small letters, digits and dashes")
    try:
        if not isinstance(entry, Mapping):
            raise ValueError("must be a mapping")
        return _parse(name, dict(entry))
    except (ValueError, TraitError) as error:
        raise ValueError(f"[{name!r}]: {error}") from None


def _parse(name: str, entry: dict[str, Any]) -> WayValues:
    kind = _KINDS.get(entry.pop("kind", ""))
    if kind is None:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}")
    known = {f.name: f for f in fields(kind) if f.name != "id"}
    unknown = entry.keys() - known.keys()
    if unknown:
        raise ValueError(f"there is no {', '.join(sorted(map(str, unknown)))}")
    missing = [key for key, f in known.items() if f.default is MISSING and not entry.get(key)]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    entry = {key: _value(known[key], value) for key, value in entry.items()}
    values = kind(id=name, **entry)
    if not values.title.strip() or not values.for_whom.strip():
        raise ValueError("title and for_whom may not be empty")
    if values.timeout_seconds < 1:
        raise ValueError("timeout_seconds must be 1 or more")
    values.check()
    return values


def _value(of: "Field[Any]", value: object) -> object:
    """Return *value* if it is of the kind that the field has; a list of texts as a tuple."""
    if of.type in (bool, str, int):
        if type(value) is not of.type:
            raise ValueError(f"{of.name} must be {_CALLED[of.type]}")
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{of.name} must be a list of texts")
    return tuple(value)

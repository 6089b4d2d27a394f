"""The checks of the LDAP servers' addresses in the settings. Needs no LDAP library.

Called by the traits of `LdapAccounts` and by `passwords.settings`.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from daas_authenticator.discovery import LOOPBACK

_ADDRESS = re.compile(r"ldap[si]?://[^/@?#]+")


def are_addresses(urls: Iterable[str]) -> bool:
    """Tell whether all of *urls* are `ldaps://`, `ldap://` or `ldapi://` with a host or socket."""
    return all(_ADDRESS.fullmatch(url) for url in urls)


def in_the_clear(urls: Iterable[str], starttls: bool) -> bool:
    """Tell whether a password to one of *urls* would leave this machine without TLS."""
    return not starttls and any(
        url.startswith("ldap://") and urlsplit(url).hostname not in LOOPBACK for url in urls
    )

"""The ways to sign in with a password: does each source answer, may a password be sent at all.

Called by `check`. Nobody's password is tried: each source is asked about a name that nobody has.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.discovery import is_safe_url
from daas_authenticator.passwords.settings import (
    LdapValues,
    PamValues,
    WayValues,
    parse_password_ways,
)
from daas_authenticator.passwords.typed import Typed
from daas_authenticator.passwords.ways import make_way
from daas_command.checks.accounts import NOBODY
from daas_command.checks.finding import Finding, Findings, ok, warning, wrong
from daas_model.errors import LoginFailed, ProviderUnavailable

_PAM_FOLDERS = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"))
_SETTINGS = {
    "ldap": "servers, ca_file, bind_dn and its password, people_base, people_filter",
    "pam": "service and command; where the hub is not root, command must be allowed by sudo",
    "user-office": "url, ca_bundle, proxy",
}


async def password_findings(hub: DaasAuthenticator) -> Findings:
    """Examine each way to sign in with a password."""
    if not is_safe_url(hub.redirect_uri("")):
        mend = "Set DAAS_PUBLIC_URL to the portal's https address."
        yield wrong("public address", "is not https: the hub takes no passwords", mend)
    for values in parse_password_ways(hub.password_ways):
        if not values.enabled:
            yield ok(values.id, "is switched off, and was not asked")
            continue
        if isinstance(values, PamValues):
            for finding in pam_findings(values, _PAM_FOLDERS):
                yield finding
        for one in _one_by_one(values):
            yield await _answers(one)


def _one_by_one(values: WayValues) -> list[WayValues]:
    """Only the first server that answers is asked: that another one is down would not be seen."""
    if isinstance(values, LdapValues):
        return [replace(values, servers=(url,)) for url in values.servers]
    return [values]


def pam_findings(values: PamValues, folders: tuple[Path, ...]) -> list[Finding]:
    """Return what is missing of the service and the helper of *values*."""
    found, place = [], f'DaasAuthenticator.password_ways["{values.id}"]'
    if not any((folder / values.service).is_file() for folder in folders):
        mend = f"Write {folders[0] / values.service}; see docs/how-to/sign-in-with-passwords.md."
        said = f"there is no PAM service {values.service}: PAM takes its service `other`"
        found.append(warning(values.id, said, mend))
    if shutil.which(values.command[0]) is None:
        mend = f'Look at {place}["command"].'
        found.append(wrong(values.id, f"the helper {values.command[0]} is not there", mend))
    return found


async def _answers(values: WayValues) -> Finding:
    what = f"{values.id} ({values.kind})"
    if isinstance(values, LdapValues):
        what = f"{values.id} ({', '.join(values.servers)})"
    try:
        await make_way(values).check(Typed(NOBODY, NOBODY))
    except LoginFailed:
        return ok(what, "answers, and refuses a name that nobody has")
    except ProviderUnavailable as error:
        mend = f'Look at DaasAuthenticator.password_ways["{values.id}"]: {_SETTINGS[values.kind]}.'
        return wrong(what, error.detail, mend)
    except OSError as error:
        mend = f'Look at DaasAuthenticator.password_ways["{values.id}"]["command"].'
        return wrong(what, f"cannot be started: {error.strerror}", mend)
    said = f"lets in {NOBODY}, a name that nobody has, with any password"
    return wrong(what, said, "Switch this way off, and look at its source.")

"""The hub itself: its address, its key, the people's database, the audit file, typing errors.

Called by `check`. Nothing is written or started.
"""

import os
from difflib import get_close_matches
from pathlib import Path

from jupyterhub.app import JupyterHub
from jupyterhub.crypto import CryptKeeper, EncryptionUnavailable
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.discovery import is_safe_url
from daas_command.checks.finding import Finding, Findings, aside, ok, refused, warning, wrong
from daas_command.known import OURS
from daas_model.errors import PeopleUnavailable
from daas_model.hosting import ONE_ADDRESS

_VERSIONS = {
    "none": "it has no tables yet; the hub makes them",
    "older": "it is of an older version; the hub brings it up to date when it starts",
}


async def hub_findings(config: Config, app: JupyterHub, hub: DaasAuthenticator) -> Findings:
    """Examine what all else rests on."""
    for finding in typing_errors(config):
        yield finding
    yield public_address(hub)
    yield one_address(app)
    yield _key()
    async for finding in _people_database(hub):
        yield finding
    yield _audit_file(Path(hub.audit_file))


def typing_errors(config: Config) -> list[Finding]:
    """Return a finding for each setting of ours that does not exist: the hub would ignore it."""
    found = []
    for owner in (*OURS, JupyterHub):
        known = owner.class_trait_names(config=True)
        for name in config.get(owner.__name__, {}):
            if name not in known:
                near = get_close_matches(name, known, 1)
                meant = f"Did you mean {owner.__name__}.{near[0]}?" if near else "Remove it."
                found.append(wrong(f"{owner.__name__}.{name}", "there is no such setting", meant))
    return found or [ok("settings", "all names are known")]


def public_address(hub: DaasAuthenticator) -> Finding:
    """Say whether browsers and providers can find the hub."""
    what, address = "public address", hub.redirect_uri("").removesuffix("hub/")
    set_it = "Set DAAS_PUBLIC_URL to its address, such as https://daas.facility.example/."
    if not address:
        return wrong(what, "is not set: the hub would not start with a provider", set_it)
    if not is_safe_url(address):
        return wrong(what, f"{address} is not https: providers do not answer there", set_it)
    if address.startswith("http:"):
        return ok(what, f"{address} (not https, which works on this machine only)")
    return ok(what, address)


def _key() -> Finding:
    what, mend = "JUPYTERHUB_CRYPT_KEY", "Make one with `openssl rand -hex 32` and keep it secret."
    try:
        CryptKeeper(config=Config()).check_available()
    except EncryptionUnavailable:
        return wrong(what, "is not set: the hub does not start, because it keeps logins", mend)
    except Exception:  # its text would show the key
        return wrong(what, "is no key of 32 bytes", mend)
    return ok(what, "is set")


async def people_version(hub: DaasAuthenticator) -> str:
    """Return `Database.version`, "none" too when there is no file, "unknown" if it is silent.

    Only "ours" may be asked for more: the hub's own code would change the tables of another.
    """
    file = _file_of(hub)
    if file is not None and not file.exists():
        return "none"
    try:
        return await aside(hub.database.version)
    except (PeopleUnavailable, ImportError, SQLAlchemyError):
        return "unknown"


def _file_of(hub: DaasAuthenticator) -> Path | None:
    url = make_url(hub.people_database)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


async def _people_database(hub: DaasAuthenticator) -> Findings:
    what, setting = "people_database", "DaasAuthenticator.people_database"
    file = _file_of(hub)
    if file is not None:
        finding = sqlite_file(file)
        yield finding
        if not file.exists() or finding.state == "wrong":
            return
    try:
        database = hub.database
    except (ImportError, SQLAlchemyError) as error:
        mend = f"Install its driver (pip install 'daas-hub[postgresql]'), or mend {setting}."
        yield wrong(what, f"there is no driver for it ({type(error).__name__})", mend)
        return
    try:
        version = await aside(database.version)
        if version == "ours":
            await aside(database.try_writing)
    except PeopleUnavailable as error:
        yield refused(what, error, f"Mend {setting}, or the rights of the hub's user there.")
        return
    if version == "newer":
        mend = "Install that version, or bring back the copy that was made before it."
        yield wrong(what, "was written by a newer version of the portal", mend)
    else:
        yield ok(what, _VERSIONS.get(version, "answers, is of this version and can be written"))


def sqlite_file(file: Path) -> Finding:
    """Say whether the hub, as whose user this runs, can keep a database at *file*."""
    what, setting = "people_database", "DaasAuthenticator.people_database"
    rights = f"Give the hub's user the right to write there, or change {setting}."
    if not file.parent.is_dir():
        return wrong(what, f"its folder {file.parent} is missing", f"Make it, or change {setting}.")
    if not may_write(file.parent):
        return wrong(what, f"its folder {file.parent} cannot be written", rights)
    if not file.exists():
        return ok(what, f"{file} is not there yet; the hub makes it")
    if not may_write(file):
        return wrong(what, f"{file} cannot be written", rights)
    return ok(what, f"{file} is there")


def _audit_file(file: Path) -> Finding:
    what = "audit_file"
    place = file if file.exists() else file.parent
    if may_write(place) and not file.is_dir():
        return ok(what, f"{file} can be written")
    mend = "Give the hub's user the right to write there, or change DaasAuthenticator.audit_file."
    return wrong(what, f"{file} cannot be written: what is done to accounts is not recorded", mend)


def may_write(place: Path) -> bool:
    """Tell whether this process may write *place*."""
    return os.access(place, os.W_OK, effective_ids=True)


def one_address(app: JupyterHub) -> Finding:
    """Say whether sessions have addresses of their own."""
    what = "addresses of sessions"
    if app.subdomain_host:
        return ok(what, "each person's sessions have a host of their own")
    return warning(
        what, ONE_ADDRESS, "Set DAAS_HOSTING=subdomains; see docs/how-to/put-nginx-in-front.md."
    )

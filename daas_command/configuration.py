"""Reads the configuration that the hub reads, and makes the authenticator as the hub would.

Used by the subcommands. Nothing of the hub is started.
"""

import logging
import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyterhub.app import JupyterHub
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from daas_authenticator.authenticator import DaasAuthenticator
from daas_model.errors import BadRequest

#: Names of settings whose values are nobody's to read; files and variables are only places.
_SECRET = re.compile(r"(secret|password|token|_key)s?\Z", re.IGNORECASE)


def load(file: Path) -> Config:
    """Return the configuration in *file* and in what it names. Raises `BadRequest`."""
    try:
        loaded: Config = PyFileConfigLoader(file.name, path=str(file.parent)).load_config()
    except ConfigFileNotFound:
        raise BadRequest(
            f"There is no configuration at {file}.", "Name it: daas --config FILE …"
        ) from None
    except (Exception, SystemExit) as error:
        # It is a program: whatever it raises is what its writer must know.
        raise BadRequest(
            f"{file} cannot be read: {type(error).__name__}: {str(error).rstrip('.')}.",
            "Run this as the hub's user, with the hub's DAAS_ variables.",
        ) from None
    return loaded


def authenticator(config: Config) -> DaasAuthenticator:
    """Return the authenticator that the hub makes of *config*. Raises `BadRequest`."""
    try:
        return DaasAuthenticator(config=config)
    except (TraitError, ValueError) as error:
        raise BadRequest(f"{error}.", "The hub would not start with this. Mend it.") from None


def hubs_settings(config: Config) -> JupyterHub:
    """Return the hub, not started, as *config* makes it. Raises `BadRequest`."""
    try:
        app = JupyterHub(config=config, log_level=logging.CRITICAL)
        _ = app.public_url
    except (TraitError, ValueError) as error:
        raise BadRequest(f"{error}.", "The hub would not start with this. Mend it.") from None
    return app


def secrets_in(values: Mapping[str, Any]) -> frozenset[str]:
    """Return what stands in *values* under names that speak of a secret, however deep."""
    found: set[str] = set()
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= secrets_in(value)
        elif _SECRET.search(str(name)) and value:
            found.add(str(value))
    return frozenset(found)


def become_owner(database: str) -> None:
    """Work as the user whose the file of *database* is, so that the hub can write what we do.

    Raises `BadRequest` when there is no file yet, or when it is somebody else's.
    """
    url = make_url(database)
    if url.get_backend_name() != "sqlite" or not url.database:
        return
    file = Path(url.database)
    try:
        owner = file.stat()
    except OSError:
        raise BadRequest(
            f"There is no database at {file}.", "Start the hub once; it makes it."
        ) from None
    if owner.st_uid == os.geteuid():
        return
    if os.geteuid() != 0:
        raise BadRequest(f"{file} is another user's.", "Run this as the user that runs the hub.")
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)


def become_hub(database: str) -> None:
    """Work from now on as the user whose the file of *database* is, if we are root: as the hub.

    Everything is then read and written with the hub's rights. Raises `BadRequest` when the file
    is somebody else's.
    """
    try:
        url = make_url(database)
    except ArgumentError:
        raise BadRequest(
            "DaasAuthenticator.people_database is no address of a database.",
            'Write it as "sqlite:////var/lib/daas/people.sqlite".',
        ) from None
    file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    if file is None or not file.exists():
        return
    owner = file.stat()
    if owner.st_uid == os.geteuid():
        return
    if os.geteuid() != 0:
        raise BadRequest(f"{file} is another user's.", "Run this as the user that runs the hub.")
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:  # a number without a name has no groups either
        os.setgroups([])
    os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)

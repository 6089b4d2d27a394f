"""Who is it: one OpenID Connect login, one name, one local account.

`jupyterhub_config.py` calls `configure(c)`. This module imports nothing heavy, because other
processes of the portal read the same configuration.
"""

import logging
from pathlib import Path
from typing import Any


def configure(c: Any, *, state_folder: Path = Path()) -> None:
    """Make the hub sign people in with `DaasAuthenticator`.

    *c* is the traitlets configuration. The facility still sets `DaasAuthenticator.issuer`,
    `client_id`, `client_secret` and `oauth_callback_url`, and `JUPYTERHUB_CRYPT_KEY` in the
    hub's environment, because the provider's tokens are kept encrypted. *state_folder* holds
    what must survive: who is who here, and the record of what was done to accounts.
    """
    # With each form token the hub notes whose login it is for; that is nobody's to read.
    logging.getLogger("tornado.application").addFilter(
        lambda record: record.module != "_xsrf_utils"
    )
    c.JupyterHub.authenticator_class = "daas"
    # Leaving ends the tokens of sessions, no clock does: a session could not tell one from the
    # other, and would close what an expired login must not close.
    c.JupyterHub.oauth_token_expires_in = 365 * 24 * 3600
    c.DaasAuthenticator.auth_refresh_strict = False
    c.DaasAuthenticator.enable_auth_state = True
    c.DaasAuthenticator.manage_groups = True
    c.DaasAuthenticator.manage_roles = True
    # Who the provider lets in may see the portal; what she may open is the catalogue's answer.
    c.DaasAuthenticator.allow_all = True
    c.DaasAuthenticator.people_database = f"sqlite:///{(state_folder / 'people.sqlite').resolve()}"
    c.DaasAuthenticator.audit_file = str((state_folder / "audit.jsonl").resolve())

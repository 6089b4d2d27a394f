"""Who is it: one OpenID Connect login, one name, one local account.

`jupyterhub_config.py` calls `configure(c)`. This module imports nothing heavy, because other
processes of the portal read the same configuration.
"""

import logging
from pathlib import Path
from typing import Any

from daas_model.hosting import Hosting


def configure(c: Any, hosting: Hosting | None = None, *, state_folder: Path = Path()) -> None:
    """Make the hub sign people in with `DaasAuthenticator`, at the addresses of *hosting*.

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
    # What somebody makes for her scripts ends too.
    c.JupyterHub.token_expires_in_max_seconds = 365 * 24 * 3600
    c.DaasAuthenticator.enable_auth_state = True
    c.DaasAuthenticator.manage_groups = True
    c.DaasAuthenticator.manage_roles = True
    # Who the provider lets in may see the portal; what she may open is the catalogue's answer.
    c.DaasAuthenticator.allow_all = True
    c.DaasAuthenticator.people_database = f"sqlite:///{(state_folder / 'people.sqlite').resolve()}"
    c.DaasAuthenticator.audit_file = str((state_folder / "audit.jsonl").resolve())
    if hosting is not None:
        _keep_logins_apart(c, hosting)


def _keep_logins_apart(c: Any, hosting: Hosting) -> None:
    """Keep the hub's pages and cookies from what sessions, and pages elsewhere, may do."""
    c.JupyterHub.public_url = hosting.public_url
    # `__Host-`: no other host, not even one below ours, can plant such a cookie.
    c.JupyterHub.cookie_host_prefix_enabled = hosting.subdomains
    c.JupyterHub.tornado_settings = {
        "cookie_options": {"SameSite": "Lax", **({"secure": True} if hosting.https else {})},
        "headers": {
            # Whoever opens a page of the hub in a window keeps no hold of it.
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    }
    # The proxy, and what stands before it on this machine, say who is behind them.
    c.JupyterHub.trusted_downstream_ips = ["127.0.0.1", "::1"]
    c.DaasAuthenticator.portal_url = hosting.portal_path

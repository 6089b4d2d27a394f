"""The portal's pages and its API: a hub-managed service.

It talks to the hub by REST only and holds no data. Start reading at `app.py` (addresses and
settings), then `pages.py` (one handler per page, on `page.py`) and `opening.py` (what "Open" does).
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

from daas_model.hosting import PORTAL as NAME
from daas_model.hosting import Hosting
from daas_model.meeting import Meeting
from daas_portal.lifetime import mark


def configure(c: Any, hosting: Hosting, meeting: Meeting, *, config_file: Path) -> None:
    """Add the portal to the hub's services. *c* is the traitlets configuration.

    The portal reads the same *config_file* as the hub, so that both know one catalogue.
    """
    c.JupyterHub.services = [
        {
            "name": NAME,
            "url": meeting.portal_connect or f"http://127.0.0.1:{free_port()}",
            "command": [sys.executable, "-m", "daas_portal", f"--config={config_file}"],
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": [
                "read:users:name!user",
                "read:users:groups!user",
                "admin-ui",
            ],
            "display": False,
            "environment": {
                **{
                    name: value
                    for name, value in os.environ.items()
                    if name.startswith("DAAS_") and "SECRET" not in name
                },
                **mark(),
            },
        }
    ]
    c.JupyterHub.default_url = hosting.portal_path
    c.PortalApp.session_origins = hosting.session_origins
    c.JupyterHub.template_paths = [str(_templates() / "hub")]


def free_port() -> int:
    """Return a free port of the loopback address; the hub knows services by ports only."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _templates() -> Path:
    import daas_templates  # noqa: PLC0415  only whoever configures or serves pages needs it

    return Path(daas_templates.__file__).parent

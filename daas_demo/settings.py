"""The demo's values for the hub and the portal, loaded by `jupyterhub_config.py`.

Everything here is what a facility would write in a file of its own.
"""

import os
import sys
from pathlib import Path

from daas_demo.prepare import BLOCKED, NOTICE, SUPPORT
from daas_portal import free_port
from daas_portal.lifetime import mark
from daas_spawner import weaknesses

c = get_config()

folder = Path(os.environ["DAAS_DEMO_FOLDER"])
run = Path(os.environ["DAAS_RUN"])
url = os.environ["DAAS_URL"].rstrip("/")
TITLE = "Data analysis"
secret = os.environ.get("DAAS_DEMO_CLIENT_SECRET", "")  # the portal reads this file without it

c.DaasAuthenticator.issuer = f"{url}/services/provider"
c.DaasAuthenticator.client_id = "daas-demo"
c.DaasAuthenticator.client_secret = secret
c.DaasAuthenticator.oauth_callback_url = f"{url}/hub/oauth_callback"
c.DaasAuthenticator.allow_all = True
c.DaasAuthenticator.auto_login = True
c.DaasAuthenticator.blocked_users = {BLOCKED}
c.DaasAuthenticator.rights = [
    {"right": "admin", "provider": "default", "claim": "groups", "value": "daas-admins"},
]
# Nobody has a second factor here.
c.DaasAuthenticator.step_up = {"default": {"rights_without_step_up": True}}
c.DaasAuthenticator.support_contact = SUPPORT
c.DaasAuthenticator.account_source = "files"
c.DaasAuthenticator.directory_folder = str(folder / "directory")
c.DaasAuthenticator.min_uid = 60000
c.DaasAuthenticator.home_roots = [str(folder / "homes")]

c.FilesCatalogue.folder = str(folder / "proposals")
c.StorageLayout.raw = str(folder / "data" / "{beamline}" / "{proposal}" / "raw")
c.StorageLayout.processed = str(folder / "data" / "{beamline}" / "{proposal}" / "processed")
c.StorageLayout.roots = [str(folder / "data")]
c.Facility.machines_offered = {"small": {"title": "Small", "cpus": 2, "memory_gib": 4}}
if "DAAS_DEMO_ENGINE" in os.environ:
    # A second machine, in containers of the images that `make images` has made.
    c.Facility.engines_offered = {
        "here": {"title": "here", "kind": "local"},
        "containers": {
            "title": "containers",
            "kind": "docker",
            "address": os.environ["DAAS_DEMO_ENGINE"],
        },
    }
    c.Facility.machines_offered["large"] = {
        "title": "Large",
        "cpus": 2,
        "memory_gib": 8,
        "engine": "containers",
    }

c.DaasSpawner.examples_folder = str(folder / "examples")
c.DaasSpawner.notice = NOTICE
c.PortalApp.title = TITLE
c.PortalApp.notice = NOTICE
c.PortalApp.support = SUPPORT
c.PortalApp.weaknesses = list(weaknesses())
c.JupyterHub.template_vars = {
    "daas_title": TITLE,
    "daas_notice": NOTICE,
    "daas_support": SUPPORT,
}

c.JupyterHub.services.append(
    {
        "name": "provider",
        "url": f"http://127.0.0.1:{free_port()}",
        "command": [sys.executable, "-m", "daas_demo.provider"],
        "display": False,
        "environment": {
            "DAAS_RUN": str(run),
            **mark(),
            "DAAS_DEMO_URL": url,
            "DAAS_DEMO_CLIENT_ID": "daas-demo",
            "DAAS_DEMO_CLIENT_SECRET": secret,
        },
    }
)

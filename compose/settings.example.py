"""Settings to begin with for the portal as containers: `prepare` copies them into its folder.

All of them are in docs/reference/configuration.md. Files that they name must lie below DAAS_FOLDER,
or be bound into the hub's container in a docker-compose.override.yml.
"""

import os
from pathlib import Path

c = get_config()

folder = Path(__file__).parent
url = os.environ["DAAS_PUBLIC_URL"].rstrip("/")

c.DaasAuthenticator.issuer = "https://sso.facility.example/realms/users"
c.DaasAuthenticator.client_id = "daas"
c.DaasAuthenticator.client_secret = os.environ.get("DAAS_CLIENT_SECRET", "")
c.DaasAuthenticator.oauth_callback_url = f"{url}/hub/oauth_callback"

# The container knows none of the machine's users: accounts come from two files, or by LDAP.
c.DaasAuthenticator.account_source = "files"
c.DaasAuthenticator.directory_folder = str(folder / "directory")

c.FilesCatalogue.folder = str(folder / "proposals")
c.StorageLayout.raw = "/data/visitor/{proposal}/raw"
c.StorageLayout.processed = "/data/visitor/{proposal}/processed"
c.StorageLayout.group = "prop-{proposal}"
c.StorageLayout.roots = ["/data/visitor"]

# Sessions run beside the hub, in containers of the same engine.
c.Facility.engines_offered = {
    "containers": {
        "title": "containers",
        "kind": "docker",
        "address": os.environ.get("DAAS_ENGINE", "unix:///run/docker.sock"),
    }
}
c.Facility.machines_offered = {"medium": {"title": "Medium", "cpus": 4, "memory_gib": 16}}

c.PortalApp.title = "Data analysis at the Example Light Source"
c.PortalApp.support = "the user office, user.office@facility.example"

if "DAAS_DATABASE" in os.environ:
    c.DaasAuthenticator.people_database = os.environ["DAAS_DATABASE"]

"""The hub's configuration: reads the environment and calls one `configure(c)` per package.

A facility's own values stand in the file that `DAAS_SETTINGS` names; see
`docs/reference/configuration.md`. The portal reads this file too.
"""

import os
import shlex
from pathlib import Path

import daas_authenticator
import daas_portal
import daas_spawner
from daas_model.hosting import Hosting
from daas_model.meeting import Meeting

c = get_config()

here = Path(__file__).parent
state = Path(os.environ.get("DAAS_STATE", "/var/lib/daas"))
run = Path(os.environ.get("DAAS_RUN", "/run/daas"))

hosting = Hosting.parse(
    kind=os.environ.get("DAAS_HOSTING", "subdomains"),
    public_url=os.environ.get("DAAS_PUBLIC_URL", ""),
    sessions_url=os.environ.get("DAAS_SESSIONS_URL", ""),
    listen_url=os.environ.get("DAAS_URL", "http://127.0.0.1:8000/"),
)
meeting = Meeting.parse(
    hub_bind=os.environ.get("DAAS_HUB_BIND", ""),
    hub_connect=os.environ.get("DAAS_HUB_CONNECT", ""),
    proxy_api=os.environ.get("DAAS_PROXY_API", ""),
    portal_connect=os.environ.get("DAAS_PORTAL_CONNECT", ""),
)

c.JupyterHub.bind_url = hosting.listen_url
c.JupyterHub.db_url = os.environ.get("DAAS_DATABASE", f"sqlite:///{state}/jupyterhub.sqlite")
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(run / "proxy.pid")
if os.environ.get("DAAS_PROXY"):
    c.ConfigurableHTTPProxy.command = shlex.split(os.environ["DAAS_PROXY"])
elif "DAAS_PROXY" in os.environ:  # empty: it runs elsewhere
    c.ConfigurableHTTPProxy.should_start = False
    # So soon a proxy that was started again has its routes.
    c.JupyterHub.last_activity_interval = 20

c.Facility.apps_folder = os.environ.get("DAAS_APPS", str(here / "images"))
c.DaasSpawner.session_environment = os.environ.get("DAAS_ENVIRONMENT", str(here / ".session-env"))

daas_authenticator.configure(c, hosting, state_folder=state)
daas_spawner.configure(c, hosting, meeting, run_folder=run, state_folder=state)
daas_portal.configure(c, hosting, meeting, config_file=Path(__file__))

if "DAAS_SETTINGS" in os.environ:
    load_subconfig(os.environ["DAAS_SETTINGS"])

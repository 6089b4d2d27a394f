"""How a session runs: one plan, rendered for the engine it runs on.

Start reading at `spawner.py`; `plan.py` is the narrow waist; `one_door.py` says who may start;
`states.py` tells the portal; `local/` and `containers/` are the back ends.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from daas_model.hosting import Hosting
from daas_model.meeting import Meeting

#: The hub reads a body before it asks who sends it; the largest that anybody needs is far smaller.
MOST_BODY_BYTES = 2**20


def configure(
    c: Any, hosting: Hosting, meeting: Meeting, *, run_folder: Path, state_folder: Path
) -> None:
    """Set the hub up for our sessions. *c* is the traitlets configuration.

    *hosting* says on which hosts they live, *meeting* where the hub finds its proxy.
    *run_folder* holds sockets (short path, lower case), *state_folder* what must survive.
    """
    from daas_spawner import states, watching  # noqa: PLC0415  only the hub needs the hub's code
    from daas_spawner.one_door import roles  # noqa: PLC0415

    _bound_bodies()
    c.JupyterHub.spawner_class = "daas"
    c.JupyterHub.allow_named_servers = True
    # What runs must outlive a hub that is restarted; whoever ends the service ends them.
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.load_roles = roles()
    c.JupyterHub.extra_handlers = [*states.HANDLERS, *watching.HANDLERS]
    if hosting.subdomains:
        c.JupyterHub.subdomain_host = hosting.sessions_url
        c.JupyterHub.subdomain_hook = hosting.host_of
    c.DaasSpawner.portal_url = hosting.portal_url
    c.DaasSpawner.run_folder = str(run_folder)
    c.DaasSpawner.log_folder = str(state_folder / "session-logs")
    if meeting.by_network:
        c.JupyterHub.hub_bind_url = meeting.hub_bind
        c.JupyterHub.hub_connect_url = meeting.hub_connect
        c.ConfigurableHTTPProxy.api_url = meeting.proxy_api
    else:
        _meet_at_sockets(c, run_folder)


def _bound_bodies() -> None:
    """Let no body fill the memory of this process, the hub's or the portal's.

    The hub has no setting for it, and would take 100 MB from anybody, several at a time; tornado
    has one for all servers of a process.
    """
    from tornado.httpserver import HTTPServer  # noqa: PLC0415  as above

    HTTPServer.configure(None, max_body_size=MOST_BODY_BYTES)


def _meet_at_sockets(c: Any, run_folder: Path) -> None:
    # Sessions reach this socket through a relay each; nobody else but proxy and portal does.
    (run_folder / "hub").mkdir(parents=True, exist_ok=True, mode=0o700)
    hub = f"http+unix://{quote(str(run_folder / 'hub' / 'hub.sock'), safe='')}"
    c.JupyterHub.hub_bind_url = hub
    c.JupyterHub.hub_connect_url = hub
    c.JupyterHub.hub_socket_mode = 0o600
    proxy = quote(str(run_folder / "proxy.sock"), safe="")
    c.ConfigurableHTTPProxy.api_url = f"http+unix://{proxy}"


def weaknesses() -> tuple[str, ...]:
    """Return what is weaker on this machine than it should be, in sentences for a page."""
    from daas_spawner.local.limits import hierarchies, missing  # noqa: PLC0415  as above

    found = []
    if os.geteuid() != 0:
        found.append(
            "The portal runs as an ordinary user, so all sessions share one user id: people are "
            "kept apart by what is mounted only."
        )
    words = {"memory": "memory", "cpu": "processor time", "pids": "the number of processes"}
    unlimited = [words[name] for name in missing(hierarchies())]
    if unlimited:
        found.append(
            f"This machine does not let the portal limit {' or '.join(unlimited)}, so one session "
            "can slow down the others."
        )
    return tuple(found)

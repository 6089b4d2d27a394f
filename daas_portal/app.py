"""The portal's process: its settings, its addresses, its start and its end."""

import asyncio
import logging
import os
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jupyterhub.services.auth import HubOAuth
from tornado.httpserver import HTTPServer
from tornado.web import Application as WebApplication
from traitlets import List, Unicode
from traitlets.config import Application

from daas_catalogue.facility import Facility
from daas_model.errors import DaasError
from daas_model.hosting import ONE_ADDRESS
from daas_portal import pages
from daas_portal.events import Events, Watches
from daas_portal.hub import HubClient
from daas_portal.lifetime import until_ended
from daas_portal.opening import Opener
from daas_portal.page import Portal, log_request, security_headers

#: For so long a login that has ended may still see a page; the hub's default is 300.
LOGIN_KEPT_SECONDS = 30


class TabByTab(HubOAuth):
    """The hub's login, where tabs that sign in at the same moment do not share a cookie."""

    def set_state_cookie(self, handler: Any, *arguments: Any, **named: Any) -> Any:
        """Give each login a cookie of its own, as JupyterHub does from the second one on."""
        if self.state_cookie_name not in handler.request.cookies:
            handler.request.cookies[self.state_cookie_name] = "taken"
        return super().set_state_cookie(handler, *arguments, **named)


class PortalApp(Application):
    """Serves the portal's pages to people whom the hub has signed in."""

    name = "daas-portal"
    description = "The portal's pages and its API, started by the hub."

    config_file = Unicode(
        "jupyterhub_config.py",
        help="""The configuration that the hub was started with.

        The portal reads its own sections of it. Example: `/etc/daas/jupyterhub_config.py`.
        """,
    ).tag(config=True)
    title = Unicode(
        "Data analysis",
        help="""The portal's name on every page.

        Example: `Data analysis at the Example Light Source`.
        """,
    ).tag(config=True)
    notice = Unicode(
        "",
        help="""A sentence at the top of every page; empty for none.

        Example: `Maintenance on Tuesday from 8:00 to 10:00.`
        """,
    ).tag(config=True)
    weaknesses = List(
        Unicode(),
        [],
        help="""What is weaker here than it should be, in sentences for the home page.

        Filled by the configuration from what the spawner finds missing on this machine.
        Example: `["Memory cannot be limited."]`.
        """,
    ).tag(config=True)
    support = Unicode(
        "your facility's user office",
        help="""Whom a person asks for help, as it stands in a sentence.

        Example: `the user office, user.office@facility.example`.
        """,
    ).tag(config=True)
    session_origins = Unicode(
        "",
        help="""The hosts of sessions, as a content security policy writes them; empty where they
        share the portal's host. The portal's forms may lead there, and cookies follow it.

        Follows `DAAS_PUBLIC_URL` and `DAAS_HOSTING`. Example: `https://*.daas.facility.example`.
        """,
    ).tag(config=True)
    aliases = {"config": "PortalApp.config_file"}  # noqa: RUF012  traitlets' own way

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the command line and the configuration; check what they say."""
        self.parse_command_line(argv)
        file = Path(self.config_file).resolve()
        self.load_config_file(file.name, path=str(file.parent))
        logging.basicConfig(
            level=logging.INFO, format="[%(levelname).1s %(asctime)s %(name)s] %(message)s"
        )
        try:
            self.facility = Facility(parent=self)
            _ = self.facility.catalogue
        except DaasError as error:
            self.log.critical("The portal cannot start: %s", error)
            self.exit(1)

    def web_application(self, prefix: str, api_url: str, token: str) -> WebApplication:
        """Return the pages under *prefix*, talking to the hub at *api_url*."""
        hub = HubClient(api_url, token)
        apart = bool(self.session_origins)  # then browsers come by https
        # Without `expires_days` its cookie ends with the browser, as a login on a public
        # computer must.
        cookies = {"SameSite": "Lax", "expires_days": None, **({"secure": True} if apart else {})}
        TabByTab.instance(
            cache_max_age=LOGIN_KEPT_SECONDS,
            cookie_options=cookies,
            # The hub tells this to sessions only.
            cookie_host_prefix_enabled=apart,
        )
        settings: dict[str, Any] = {
            "portal": Portal(
                facility=self.facility,
                examples=bool(self.config.DaasSpawner.get("examples_folder")),
                hub=hub,
                opener=Opener(self.facility, hub),
                templates=templates(),
                title=self.title,
                notice=self.notice,
                weaknesses=(*(() if apart else (ONE_ADDRESS,)), *self.weaknesses),
                support=self.support,
                prefix=prefix,
                headers=security_headers(self.session_origins),
            ),
            "watches": Watches(hub, self.facility.apps),
            "cookie_secret": os.urandom(32),
            "xsrf_cookies": True,
            "xsrf_cookie_kwargs": cookies,
            "log_function": log_request,
        }
        static = str(files("daas_portal") / "static")
        return WebApplication(
            [
                (prefix.rstrip("/"), pages.Slash),
                (prefix, pages.Home),
                (f"{prefix}open/?", pages.Open),
                (f"{prefix}stop/?", pages.Stop),
                (f"{prefix}sessions/([a-z0-9-]+)/?", pages.Session),
                (f"{prefix}events/?", Events),
                (f"{prefix}apps/([^/]+)/icon/?", pages.Icon),
                (f"{prefix}static/(.*)", pages.Static, {"path": static}),
                (f"{prefix}oauth_callback", pages.Callback),
                (".*", pages.NotFound),
            ],
            **settings,
        )

    def start(self) -> None:
        """Serve until the hub ends this process or is gone."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        application = self.web_application(
            prefix=os.environ["JUPYTERHUB_SERVICE_PREFIX"],
            api_url=os.environ["JUPYTERHUB_API_URL"],
            token=os.environ["JUPYTERHUB_API_TOKEN"],
        )
        server = HTTPServer(application, xheaders=True)
        address = urlparse(os.environ["JUPYTERHUB_SERVICE_URL"])
        # A name by which a proxy elsewhere finds it is not one of this machine.
        host = "" if os.environ.get("DAAS_PORTAL_CONNECT") else address.hostname or "127.0.0.1"
        server.listen(address.port or 80, host)
        # The hub looks at its engines from now on, so that the first page knows what is away.
        asking = asyncio.ensure_future(application.settings["portal"].hub.states(""))
        await until_ended()
        asking.cancel()
        server.stop()


def templates() -> Environment:
    """Return the portal's templates. What people wrote is escaped; a missing name is an error."""
    import daas_templates  # noqa: PLC0415  a data package: its folder is all there is

    folder = Path(daas_templates.__file__).parent / "portal"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

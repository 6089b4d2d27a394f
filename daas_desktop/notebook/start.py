"""JupyterLab as a session: the hub's single-user server on the socket that the spawner made.

Called as `daas-notebook` by the spawner. Adds one launcher tile for each desktop named in
DAAS_TILES, and takes away what cannot work in a session without network or is not ours to offer.
"""

import datetime
import math
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import jupyter_server_proxy  # type: ignore[import-not-found]
from jupyter_server.serverapp import ServerApp
from jupyterhub.singleuser.extension import JupyterHubSingleUser
from tornado.ioloop import PeriodicCallback

from daas_desktop.__main__ import INHERITED_FD
from daas_desktop.door.notices import seconds_between_notices
from daas_desktop.door.use import WorkWatch
from daas_desktop.notebook.login import ASK_EVERY_S, EXTENSIONS, Door
from daas_desktop.notebook.tiles import parse_tiles, proxy_entry

# Language servers need programs that no image has; the shim serves the old notebook's addresses.
LEFT_OUT = {"jupyter_lsp": False, "notebook_shim": False}
DISABLED_PLUGINS = (
    # Its "Restart" goes to the hub's spawn page, which refuses: sessions start in the portal.
    # JupyterLab's own message about a lost connection takes its place.
    "@jupyterlab/hub-extension:connectionlost",
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/notebook-extension:language-server",
)


class InheritedSocketServer(ServerApp):
    """A Jupyter server on a socket that listens already: the hub's first question waits in it."""

    def _find_http_port(self) -> None:
        """Look for no port."""

    def _bind_http_server(self) -> None:
        listener = socket.socket(fileno=INHERITED_FD)
        listener.setblocking(False)
        self.http_server.add_socket(listener)


class Notebook(JupyterHubSingleUser):
    """JupyterLab behind the hub's login."""

    serverapp_class = InheritedSocketServer

    @classmethod
    def get_extension_package(cls) -> str:
        """Name this module; the default would be the whole package."""
        return "daas_desktop.notebook.start"

    @classmethod
    def make_serverapp(cls, **kwargs: Any) -> ServerApp:
        """Make the server without the extensions that nobody needs here."""
        kwargs["jpserver_extensions"] = {**kwargs.get("jpserver_extensions", {}), **LEFT_OUT}
        # JupyterLab's proxy would forward /proxy/<port> to any port of this machine, other
        # people's included; with this function gone only the tiles are left.
        jupyter_server_proxy.setup_handlers = lambda *_: None
        return super().make_serverapp(**kwargs)

    def load_config_file(self) -> None:
        """Take the hub's settings, then ours, above all files."""
        super().load_config_file()
        tiles = parse_tiles(os.environ.get("DAAS_TILES", ""))
        config = self.config
        # The address of a unix socket is no host name.
        config.ServerApp.ip = "localhost"
        config.ServerApp.port = 0
        # What is inside is asked about as often as what comes in; the hub's default is 300 s.
        config.ServerApp.identity_provider_class = Door
        config.HubOAuth.cookie_options = {"expires_days": None}
        config.HubOAuth.cache_max_age = math.ceil(ASK_EVERY_S)
        config.LabApp.extra_labextensions_path = [str(EXTENSIONS)]
        config.ServerProxy.servers = {tile.name: proxy_entry(tile) for tile in tiles}
        config.LabApp.news_url = None
        config.LabApp.check_for_updates_class = (
            "jupyterlab.handlers.announcements.NeverCheckForUpdate"
        )
        config.LabApp.extension_manager = "readonly"
        self.serverapp.update_config(config)

    def initialize(self, args: Sequence[str] | None = None) -> None:
        """Finish the start, then filter what the browser is told to load."""
        super().initialize(args)
        settings = self.serverapp.web_app.settings
        hub_hook = settings["page_config_hook"]

        def hook(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
            return without_plugins(hub_hook(handler, page_config))

        settings["page_config_hook"] = hook
        self._look_at_work(settings["last_activity_times"])

    def _look_at_work(self, last_times: dict[str, datetime.datetime]) -> None:
        """Let a program that computes count as use; what runs in a terminal says nothing else."""
        watch = WorkWatch(os.environ)

        def look() -> None:
            if watch.at_work():
                last_times["work"] = datetime.datetime.now(datetime.UTC)

        self._looking = PeriodicCallback(look, seconds_between_notices(os.environ) * 1000)
        self._looking.start()


def without_plugins(page_config: Mapping[str, Any]) -> dict[str, Any]:
    """Give the page's configuration with the plugins disabled that lead nowhere here."""
    already = page_config.get("disabledExtensions", [])
    return {**page_config, "disabledExtensions": sorted({*already, *DISABLED_PLUGINS})}


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "daas_desktop.notebook.start", "app": Notebook}]


def main() -> None:
    """Run JupyterLab until it is told to stop."""
    # Imported by its own name: run with -m there would be two of the class.
    from daas_desktop.notebook.start import Notebook as App  # noqa: PLC0415

    App.launch_instance()


if __name__ == "__main__":
    main()

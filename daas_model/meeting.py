"""Where hub, proxy and portal meet: at sockets of one machine, or in a cluster's network. Pure.

`jupyterhub_config.py` reads it once from the environment and hands it to each package.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

_VARIABLES = ("DAAS_HUB_BIND", "DAAS_HUB_CONNECT", "DAAS_PROXY_API", "DAAS_PORTAL_CONNECT")


@dataclass(frozen=True, slots=True)
class Meeting:
    """Addresses, all of them empty where the three share a machine and its sockets.

    The hub listens on *hub_bind*; proxy and portal find it at *hub_connect*, the hub finds the
    proxy's API at *proxy_api*, and the proxy finds the portal at *portal_connect*.
    """

    hub_bind: str = ""
    hub_connect: str = ""
    proxy_api: str = ""
    portal_connect: str = ""

    @classmethod
    def parse(
        cls, hub_bind: str, hub_connect: str, proxy_api: str, portal_connect: str
    ) -> "Meeting":
        """Read the four variables `DAAS_HUB_BIND` and so on.

        Raises ValueError with a sentence that says what to set.
        """
        addresses = (hub_bind, hub_connect, proxy_api, portal_connect)
        if not any(addresses):
            return cls()
        if not all(addresses):
            raise ValueError(f"{', '.join(_VARIABLES)}: set all four, or none of them")
        for variable, address in zip(_VARIABLES, addresses, strict=True):
            _check(variable, address, may_be_everywhere=variable == "DAAS_HUB_BIND")
        return cls(*addresses)

    @property
    def by_network(self) -> bool:
        """Whether they meet in a network."""
        return bool(self.hub_bind)


def _check(variable: str, address: str, may_be_everywhere: bool) -> None:
    try:
        parts = urlsplit(address)
        good = bool(parts.port) and (bool(parts.hostname) or may_be_everywhere)
    except ValueError:
        good = False
    if not good or parts.scheme != "http" or parts.path not in ("", "/"):
        raise ValueError(f"{variable} must be an address with a port, such as http://hub:8081")

"""What the demo's identity provider is told, and the rule that it stays on this machine.

Read by `provider` and its parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit


class NotLoopbackError(ValueError):
    """An address that others than this machine could reach."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What the hub's configuration gives the provider, by environment."""

    demo_url: str
    prefix: str
    host: str
    port: int
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def issuer(self) -> str:
        """The provider's name, and the address that all its others begin with."""
        return self.demo_url + self.prefix.rstrip("/")

    @property
    def redirect_uri(self) -> str:
        """The only address that logins are answered to."""
        return self.demo_url + "/hub/oauth_callback"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ProviderSettings":
        """Return the settings.

        Raises `NotLoopbackError`, or `KeyError` when a variable is missing.
        """
        demo_url = environment["DAAS_DEMO_URL"].rstrip("/")
        require_loopback_url(demo_url)
        require_loopback_url(environment["JUPYTERHUB_SERVICE_URL"])
        listen = urlsplit(environment["JUPYTERHUB_SERVICE_URL"])
        return cls(
            demo_url=demo_url,
            prefix=environment["JUPYTERHUB_SERVICE_PREFIX"],
            host=listen.hostname or "",
            port=listen.port or 80,
            client_id=environment["DAAS_DEMO_CLIENT_ID"],
            client_secret=environment["DAAS_DEMO_CLIENT_SECRET"],
        )


def is_loopback(host: str) -> bool:
    """Tell whether *host*, a name or an address, is this machine itself."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback


def require_loopback_url(url: str) -> None:
    """Raise `NotLoopbackError` unless *url* is plain http(s) to this machine."""
    parts = urlsplit(url)
    if (
        parts.scheme not in ("http", "https")
        or parts.username is not None
        or not is_loopback(parts.hostname or "")
    ):
        raise NotLoopbackError(
            "The demo's identity provider asks for no password: it runs on 127.0.0.1 only."
        )

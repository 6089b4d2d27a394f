"""From where a password comes, and whether it came there unread.

Called by `pages`. Pure functions. Headers are believed as far as our own proxy wrote them: it
adds to the end of `X-Forwarded-For` and `X-Forwarded-Proto`. What stands before, a browser may
have invented; it can only make us stricter.
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from daas_authenticator.discovery import is_safe_url


def client_address(headers: Mapping[str, str], peer: str, trusted: Collection[str]) -> str:
    """Return the address of the computer that asks.

    *peer* is who is connected to the hub, *trusted* are proxies before ours, or their networks,
    which the operator has named. `X-Real-Ip`, which the hub itself believes, is anybody's and not
    read.
    """
    hops = _hops(headers, "X-Forwarded-For") or [peer]
    return next((hop for hop in reversed(hops) if not _is_one_of(hop, trusted)), hops[0])


def why_unsafe(
    public_url: str, headers: Mapping[str, str], peer: str, trusted: Collection[str]
) -> str:
    """Return why no password may be sent over this connection; empty when it may.

    *public_url* is the hub's address as the operator has set it.
    """
    if not is_safe_url(public_url):
        return "The address of this portal is not set up, or is not https."
    unread = "Passwords may not be sent over this connection, which is not encrypted."
    hops, protocols = _hops(headers, "X-Forwarded-For"), _hops(headers, "X-Forwarded-Proto")
    first = hops[-1] if hops else peer
    if protocols[-1:] == ["https"]:
        return ""
    if not (_is_one_of(first, trusted) or is_on_this_machine(first)):
        return unread
    # A proxy that ends TLS says how it was asked.
    behind_tls = urlsplit(public_url).scheme == "https"
    return unread if behind_tls and "http" in protocols[:-1] else ""


def is_on_this_machine(address: str) -> bool:
    """Tell whether *address* is this machine's own; sockets of it have none."""
    try:
        ip = ip_address(address)
    except ValueError:
        return not address
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)


def _is_one_of(address: str, trusted: Collection[str]) -> bool:
    """Tell whether *trusted* names *address*, or a network that it is in; never when unclear."""
    if address in trusted:
        return True
    try:
        ip = ip_address(address)
        # A proxy that listens on addresses of both kinds writes the older ones so.
        ip = getattr(ip, "ipv4_mapped", None) or ip
        return any(ip in ip_network(one) for one in trusted)
    except ValueError:
        return False


def _hops(headers: Mapping[str, str], name: str) -> list[str]:
    return [hop.strip() for hop in headers.get(name, "").split(",") if hop.strip()]

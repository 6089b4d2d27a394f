"""From where a password comes, and whether it came there unread.

Called by `pages`. Pure functions. Headers are believed as far as our own proxy wrote them: it
adds to the end of `X-Forwarded-For` and `X-Forwarded-Proto`. What stands before, a browser may
have invented; it can only make us stricter.
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from daas_authenticator.discovery import is_safe_url


def client_address(headers: Mapping[str, str], peer: str, trusted: Collection[str]) -> str:
    """Return the address of the computer that asks.

    *peer* is who is connected to the hub, *trusted* are proxies before ours, which the
    operator has named. `X-Real-Ip`, which the hub itself believes, is anybody's and not read.
    """
    hops = _hops(headers, "X-Forwarded-For") or [peer]
    return next((hop for hop in reversed(hops) if hop not in trusted), hops[0])


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
    if first not in trusted and not is_on_this_machine(first):
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


def _hops(headers: Mapping[str, str], name: str) -> list[str]:
    return [hop.strip() for hop in headers.get(name, "").split(",") if hop.strip()]

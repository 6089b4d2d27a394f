"""What of this machine a session could try to reach: addresses and ports. Used by `network`.

Read from Linux's own tables, so that nothing is asked and no program is needed.
"""

import contextlib
import ipaddress
import re
import socket
import struct
from pathlib import Path

_NET = Path("/proc/net")
_LISTENS = "0A"
_MOST_PORTS = 40
#: An address that belongs to this machine, in the kernel's tree of routes.
_LOCAL = re.compile(r"\|-- (\S+)\s+/32 host LOCAL")


def addresses() -> list[str]:
    """Return this machine's addresses of both kinds, loopback first."""
    found = ["127.0.0.1", "::1"]
    with contextlib.suppress(OSError):
        found += _LOCAL.findall((_NET / "fib_trie").read_text("utf-8"))
    with contextlib.suppress(OSError):
        for line in (_NET / "if_inet6").read_text("utf-8").splitlines():
            found.append(str(ipaddress.ip_address(bytes.fromhex(line.split()[0]))))
    return [
        address
        for address in dict.fromkeys(found)
        if address in ("127.0.0.1", "::1") or not ipaddress.ip_address(address).is_loopback
    ]


def ports() -> list[int]:
    """Return the ports on which something listens that others could reach; 22 in any case."""
    found = [22]
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_NET / table).read_text("utf-8").splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                address, _, port = local.partition(":")
                if state == _LISTENS and not _is_loopback(address):
                    found.append(int(port, 16))
    return list(dict.fromkeys(found))[:_MOST_PORTS]


def _is_loopback(digits: str) -> bool:
    """Tell whether an address of the table, words in the machine's order, is loopback."""
    words = [int(digits[i : i + 8], 16) for i in range(0, len(digits), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    address = ipaddress.ip_address(packed)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def listener() -> socket.socket:
    """Listen on all addresses of this machine, on a free port: the caller closes it."""
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):
            return socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", 0))  # noqa: S104  what must not be reached

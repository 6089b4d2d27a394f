"""What a trial does inside its container, as an ordinary user: `look`, `connect`, `serve`.

Run there by its text (`python3 -c`), so it imports the standard library only and nothing of ours.
Each answer is one line of JSON, printed at once: whatever ends it, what was found is known.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

CONNECT_SECONDS = 2.0
BURN_SECONDS = 0.8


def look(order: dict[str, Any]) -> None:
    """Tell how the container is confined, and whether its limits hold."""
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines()
    )
    tell(
        uid=os.getuid(),
        seccomp=int(status.get("Seccomp", "0")),
        no_new_privileges=int(status.get("NoNewPrivs", "0")),
        capabilities=int(status["CapBnd"], 16) | int(status["CapEff"], 16),
        own_user_ids=Path("/proc/self/uid_map").read_text("utf-8").split() != _ALL_IDS,
        seen_processes=sum(name.isdigit() for name in os.listdir("/proc")),
        first_process=Path("/proc/1/comm").read_text("utf-8").strip(),
        writes_root=_writes("/daas-check") or _writes("/usr/daas-check"),
        writes_home=_writes(order["home"] + "/daas-check"),
        way=_unix(order["way"]),
        programs={name: shutil.which(name) or "" for name in order["programs"]},
    )
    if order["limits"]:
        tell(cpus=_cpus_used())
        tell(processes=_processes_made(order["processes"]))
        tell(memory_killed=_is_killed_beyond(order["memory_bytes"]))


_ALL_IDS = ["0", "0", "4294967295"]


def tell(**found: object) -> None:
    """Print one line of what was found."""
    print(json.dumps(found), flush=True)


def _writes(place: str) -> bool:
    try:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        return False
    os.unlink(place)
    return True


def _unix(place: str) -> str:
    try:
        with socket.socket(socket.AF_UNIX) as way:
            way.settimeout(CONNECT_SECONDS)
            way.connect(place)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _cpus_used() -> float:
    """Return how many processors two processes that compute get together."""
    began = time.monotonic()
    children = [_fork(_burn) for _ in range(2)]
    used = 0.0
    for child in children:
        _, _, usage = os.wait4(child, 0)
        used += usage.ru_utime + usage.ru_stime
    return used / (time.monotonic() - began)


def _burn() -> None:
    until = time.monotonic() + BURN_SECONDS
    while time.monotonic() < until:
        pass


def _processes_made(limit: int) -> int:
    """Return how many processes could be made before one was refused, or some beyond *limit*."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        while len(children) < limit + 16:
            children.append(_fork(signal.pause))
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return len(children)


def _is_killed_beyond(limit: int) -> bool:
    """Tell whether a process that takes one and a half times *limit* is killed."""
    child = _fork(lambda: len(b"x" * (limit * 3 // 2)))
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _fork(work: Any) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def connect(order: dict[str, Any]) -> None:
    """Try all *targets* (address, port) at once, and a *name*; tell which answered.

    Not before *wait_seconds*: a cluster closes a new pod's network a moment after its start.
    """
    time.sleep(order.get("wait_seconds", 0))
    asyncio.run(_connect(order))


async def _connect(order: dict[str, Any]) -> None:
    targets = [(str(host), int(port)) for host, port in order["targets"]]
    # As they are here: a cluster puts addresses into the order that only it knows.
    tell(tried=targets)
    answers = await asyncio.gather(*(_answers(*target) for target in targets))
    tell(reached=[list(target) for target, yes in zip(targets, answers, strict=True) if yes])
    servers = [(str(host), int(port)) for host, port in order.get("servers", ())]
    tell(name_known=is_known(order["name"], servers or name_servers()))


async def _answers(host: str, port: int) -> bool:
    if host.startswith("fe80:") and "%" not in host:
        # Such an address needs its link: whichever there is.
        return any([await _answers(f"{host}%{name}", port) for name in _devices() if name != "lo"])
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _devices() -> list[str]:
    lines = Path("/proc/net/dev").read_text("utf-8").splitlines()
    return [line.split(":")[0].strip() for line in lines if ":" in line]


def is_known(name: str, servers: list[tuple[str, int]]) -> bool:
    """Tell whether a name server knows *name* (RFC 1035), whatever libc is told to do."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = b"\xda\xa5\x01\x00\x00\x01" + bytes(6) + labels + b"\x00\x00\x01\x00\x01"
    for server in servers:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(CONNECT_SECONDS)
            asking.connect(server)
            asking.send(question)
            answer = asking.recv(512)
            if answer[:2] == question[:2] and answer[6:8] != b"\x00\x00":
                return True
    return False


def name_servers() -> list[tuple[str, int]]:
    """Return the name servers that libc would ask."""
    with contextlib.suppress(OSError):
        lines = Path("/etc/resolv.conf").read_text("utf-8").splitlines()
        words = [line.split() for line in lines]
        return [(word[1], 53) for word in words if word[:1] == ["nameserver"] and len(word) > 1]
    return []


def serve(order: dict[str, Any]) -> None:
    """Listen on *port* for a while; tell this container's own addresses."""
    try:
        listener = socket.create_server(
            ("::", order["port"]), family=socket.AF_INET6, dualstack_ipv6=True
        )
    except (OSError, ValueError):
        listener = socket.create_server(("0.0.0.0", order["port"]))  # noqa: S104  the container's
    with listener:
        tell(addresses=_addresses())
        time.sleep(order["seconds"])


def _addresses() -> list[str]:
    """Return IPv6 addresses; those of IPv4 the engine tells."""
    found = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text("utf-8").splitlines():
            digits, *_, device = line.split()
            if device != "lo":
                found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)))
    return found


def main() -> None:
    """Do what the first argument says, in JSON."""
    order = json.loads(sys.argv[1])
    # Whatever happens to who asked, this ends.
    signal.alarm(60)
    {"look": look, "connect": connect, "serve": serve}[order["do"]](order)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

"""A session's ways out: to the hub and to nothing else (X1, invariant 3), on every engine."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.engines.engines import SEALED
from tests.engines.sessions import Session, Sessions
from tests.engines.world import needs_root

pytestmark = pytest.mark.isolation
sealed_only = pytest.mark.parametrize("sessions", SEALED, indirect=True)
#: Where a cloud tells every program on a machine the machine's secrets.
METADATA = "169.254.169.254"


@pytest.fixture
def metadata() -> Iterator[None]:
    """Give this machine the address: no question of a test that fails leaves the machine."""
    address = ["dev", "lo"]
    subprocess.run(["ip", "address", "add", f"{METADATA}/32", *address], check=True)
    yield
    subprocess.run(["ip", "address", "del", f"{METADATA}/32", *address], check=True)


def machine_addresses() -> list[str]:
    """Return the machine's addresses, loopback first."""
    said = subprocess.run(["hostname", "--all-ip-addresses"], check=True, capture_output=True)
    return ["127.0.0.1", "::1", *said.stdout.decode().split()]


def connect(address: str, family: str) -> str:
    """Return a command that connects or fails."""
    script = (
        f"import socket; s = socket.socket(socket.{family}); s.settimeout(2); s.connect({address})"
    )
    return f'python3 -c "{script}"'


async def assert_closed(session: Session, address: str, port: int) -> None:
    """Look that *address* can be reached from here and not from the session."""
    with socket.create_connection((address, port), 2):
        pass  # else the test could not fail
    family = "AF_INET6" if ":" in address else "AF_INET"
    status, said = await session.run(connect(f"('{address}', {port})", family))
    assert status != 0, (address, port)
    assert "OSError" in said or "Error" in said


async def test_no_port_of_the_machine_can_be_reached(sessions: Sessions) -> None:
    """Not on loopback, not on any of the machine's addresses, of either kind."""
    session = await sessions.open("pi", "ours")
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        for address in machine_addresses():
            await assert_closed(session, address, server.getsockname()[1])


@needs_root
async def test_the_machines_ssh_cannot_be_reached(sessions: Sessions) -> None:
    """Where the machine has no ssh, a listener stands in its place."""
    session = await sessions.open("pi", "ours")
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("0.0.0.0", 22)))
        for address in ("127.0.0.1", machine_addresses()[2]):
            await assert_closed(session, address, 22)


@needs_root
async def test_the_metadata_of_a_cloud_cannot_be_reached(
    sessions: Sessions, metadata: None
) -> None:
    session = await sessions.open("pi", "ours")
    with socket.create_server((METADATA, 0)) as server:
        await assert_closed(session, METADATA, server.getsockname()[1])
    assert (await session.run(connect(f"('{METADATA}', 80)", "AF_INET")))[0] != 0


@sealed_only
async def test_there_is_one_device_and_no_route(sessions: Sessions) -> None:
    session = await sessions.open("pi", "ours")
    assert await session.run("grep -c : /proc/net/dev") == (0, "1\n")
    assert (await session.run("tail -n +2 /proc/net/route"))[1] == ""
    assert (await session.run("grep -v ' lo$' /proc/net/ipv6_route"))[1] == ""


async def test_abstract_sockets_of_the_machine_cannot_be_reached(sessions: Sessions) -> None:
    session = await sessions.open("pi", "ours")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("\0daas-isolation-test")
        one.listen()
        assert (await session.run(connect("'\\0daas-isolation-test'", "AF_UNIX")))[0] != 0


async def test_one_session_cannot_reach_another(sessions: Sessions) -> None:
    """Not by a port, not by an abstract socket, not by shared memory or files."""
    pi = await sessions.open("pi", "ours")
    other = await sessions.open("coproposer", "ours")
    serve = (
        "import socket, time; t = socket.create_server(('0.0.0.0', 7777));"
        "u = socket.socket(socket.AF_UNIX); u.bind('\\0mine'); u.listen();"
        "open('/tmp/mine', 'w'); open('/dev/shm/mine', 'w'); time.sleep(60)"
    )
    started = f'python3 -c "{serve}" > /dev/null 2>&1 & for i in 1 2 3 4 5 6 7 8 9; do'
    started += " sleep 0.2; test -e /dev/shm/mine && exit 0; done; exit 1"
    assert await pi.run(started) == (0, "")
    attempts = (
        connect("('127.0.0.1', 7777)", "AF_INET"),
        connect("'\\0mine'", "AF_UNIX"),
        "test -e /tmp/mine",
        "test -e /dev/shm/mine",
    )
    for attempt in attempts:
        assert (await pi.run(attempt))[0] == 0, attempt
        assert (await other.run(attempt))[0] != 0, attempt


@sealed_only
async def test_the_hubs_folder_cannot_be_changed(sessions: Sessions) -> None:
    """A link in the place of the hub's socket would deceive nobody but the person herself."""
    session = await sessions.open("pi", "ours")
    assert "hub.sock" in (await session.run("ls /run/daas"))[1]
    for attempt in ("rm -f /run/daas/hub.sock", "touch /run/daas/x", "ln -s /x /run/daas/y"):
        assert (await session.run(attempt))[0] != 0, attempt

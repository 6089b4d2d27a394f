"""The contract of isolation: what is tried from inside a session, on every back end.

A back end's tests subclass `IsolationContract` with a fixture `open_session` that starts a plan
for real and returns a `Session` to try things in.
"""

import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from daas_catalogue.facility import read_apps
from daas_model.apps import Machine
from daas_model.launch import LaunchRequest
from daas_model.people import Account
from daas_model.proposals import Storage
from daas_spawner.plan import SessionPlan, Surroundings, plan_session

APPS = read_apps(Path(__file__).parent / "apps")
TINY = Machine("tiny", "Tiny", 1, 0.25)
ENVIRONMENT = Path("/usr")  # the probe needs nothing but Debian's Python

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="two user ids need root")


@dataclass(frozen=True, slots=True)
class Session:
    """A running session: try things in it, and end it."""

    run: Callable[[str], Awaitable[tuple[int, str]]]
    stop: Callable[[], Awaitable[None]]


OpenSession = Callable[..., Awaitable[Session]]


@dataclass(frozen=True, slots=True)
class World:
    """A facility of two proposals and two people on this machine's disk."""

    top: Path

    def plan(self, person: str, *proposals: str, hub: Path | None = None) -> SessionPlan:
        """Return the plan of a session of *person* with *proposals*; *hub* is its way to it."""
        return plan_session(
            LaunchRequest("probe", "tiny", proposals),
            APPS,
            TINY,
            {id_: self.storage(id_) for id_ in proposals},
            self.account(person),
            self.around(person, hub or self.top / "hub"),
        )

    def account(self, person: str) -> Account:
        """Return one of two invented people; both are in the group of `ours`."""
        uid = {"pi": 61001, "coproposer": 61002}[person]
        groups = {"ours": 62001, **({"theirs": 62002} if person == "pi" else {})}
        return Account(person, uid, uid, groups, PurePosixPath(self.top / "homes" / person))

    def storage(self, id_: str) -> Storage:
        """Return the folders of a proposal."""
        place = self.top / "data" / id_
        return Storage(PurePosixPath(place / "raw"), PurePosixPath(place / "processed"), id_)

    def around(self, person: str, hub: Path) -> Surroundings:
        """Return what the installation gives."""
        return Surroundings(
            environment_folder=PurePosixPath(ENVIRONMENT),
            programs=(),
            hub_folder=PurePosixPath(hub),
            apps_folder=PurePosixPath(Path(__file__).parent / "apps"),
            examples=PurePosixPath(self.top / "examples"),
            hub={"JUPYTERHUB_API_TOKEN": f"token-of-{person}"},
        )


def make_world(top: Path) -> World:
    """Make the folders: raw as writable as bits can make it, so that the mount must protect it."""
    for person, uid in (("pi", 61001), ("coproposer", 61002)):
        folder(top / "homes" / person, uid, uid, 0o700)
        (top / "homes" / person / "diary.txt").write_text(f"diary of {person}")
    for id_, gid in (("ours", 62001), ("theirs", 62002)):
        folder(top / "data" / id_, 0, 0, 0o777)
        folder(top / "data" / id_ / "raw", 61001, gid, 0o2777)
        (top / "data" / id_ / "raw" / "scan.h5").write_text(f"raw of {id_}")
        (top / "data" / id_ / "raw" / "scan.h5").chmod(0o666)
        folder(top / "data" / id_ / "processed", 0, gid, 0o2770)
    folder(top / "examples", 0, 0, 0o755)
    folder(top / "hub", 0, 0, 0o755)
    return World(top)


def folder(path: Path, uid: int, gid: int, mode: int) -> None:
    """Make a folder that belongs to somebody."""
    path.mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(path, uid, gid)
    path.chmod(mode)


class IsolationContract:
    """What a person tries from inside. Every test tries for real and looks at what happened."""

    @pytest.fixture
    def open_session(self) -> OpenSession:
        raise NotImplementedError("start a plan on your back end")

    @pytest.fixture
    def world(self, short_path: Path) -> World:
        return make_world(short_path)

    async def test_raw_data_cannot_be_changed_by_any_means(
        self, open_session: OpenSession, world: World
    ) -> None:
        """D3: the bits would allow all of it."""
        session = await open_session(world.plan("pi", "ours"))
        raw = "~/Proposals/ours/raw"
        assert await session.run(f"cat {raw}/scan.h5") == (0, "raw of ours")
        for attempt in (
            f"echo x > {raw}/new",
            f"echo x >> {raw}/scan.h5",
            f"rm -f {raw}/scan.h5",
            f"chmod 777 {raw}",
            f"touch {raw}/scan.h5",
            f"mv {raw}/scan.h5 {raw}/other.h5",
            f"mount -o remount,rw {raw}",
            f"umount {raw}",
            f"unshare -Ur sh -c 'mount -o remount,rw,bind {raw} && echo x > {raw}/new'",
            f"ln {raw}/scan.h5 ~/Proposals/ours/processed/link && echo x > $_",
        ):
            status, said = await session.run(attempt)
            assert status != 0, (attempt, said)
        kept = world.top / "data" / "ours" / "raw"
        assert [file.name for file in kept.iterdir()] == ["scan.h5"]
        assert (kept / "scan.h5").read_text() == "raw of ours"

    async def test_processed_data_is_kept_when_the_session_has_ended(
        self, open_session: OpenSession, world: World
    ) -> None:
        """D4."""
        session = await open_session(world.plan("pi", "ours"))
        assert (await session.run("echo fit > ~/Proposals/ours/processed/fit.txt"))[0] == 0
        await session.stop()
        session = await open_session(world.plan("pi", "ours"))
        assert await session.run("cat ~/Proposals/ours/processed/fit.txt") == (0, "fit\n")

    @needs_root
    async def test_what_one_member_writes_another_can_change(
        self, open_session: OpenSession, world: World
    ) -> None:
        """D4, with two user ids."""
        processed = "~/Proposals/ours/processed"
        pi = await open_session(world.plan("pi", "ours"))
        made = await pi.run(f"mkdir -p {processed}/fits && echo one > {processed}/fits/a.txt")
        assert made == (0, "")
        other = await open_session(world.plan("coproposer", "ours"))
        assert (await other.run("id -u"))[1] != (await pi.run("id -u"))[1]
        for change in (
            f"echo two >> {processed}/fits/a.txt",
            f"echo new > {processed}/fits/b.txt",
            f"mv {processed}/fits/a.txt {processed}/fits/c.txt",
        ):
            assert await other.run(change) == (0, ""), change
        assert await pi.run(f"cat {processed}/fits/c.txt && rm {processed}/fits/b.txt") == (
            0,
            "one\ntwo\n",
        )

    async def test_no_other_proposal_exists(self, open_session: OpenSession, world: World) -> None:
        """X3: pi is a member of `theirs` too, but this session is for `ours`."""
        session = await open_session(world.plan("pi", "ours"))
        assert await session.run("ls ~/Proposals") == (0, "ours\n")
        _, found = await session.run("find / -path /proc -prune -o -name '*theirs*' -print")
        assert "theirs" not in found.replace("Permission denied", "")
        for guess in (world.top, world.top / "data", world.top / "data" / "theirs" / "raw"):
            assert (await session.run(f"ls {guess}"))[0] != 0

    async def test_without_a_proposal_there_is_no_proposals_folder(
        self, open_session: OpenSession, world: World
    ) -> None:
        """D10."""
        session = await open_session(world.plan("coproposer"))
        assert (await session.run("ls -d ~/Proposals"))[0] != 0
        assert (await session.run("pwd"))[1].strip().endswith("/Examples")
        assert (await session.run("touch ~/Examples/x"))[0] != 0
        assert (await session.run("touch ~/mine"))[0] == 0

    async def test_other_peoples_homes_do_not_exist(
        self, open_session: OpenSession, world: World
    ) -> None:
        """X3."""
        session = await open_session(world.plan("coproposer", "ours"))
        assert await session.run("ls /home") == (0, "coproposer\n")
        assert await session.run("cat ~/diary.txt") == (0, "diary of coproposer")
        assert "diary of pi" not in (await session.run("cat /home/*/diary.txt ~pi/diary.txt"))[1]

    async def test_other_peoples_processes_do_not_exist(
        self, open_session: OpenSession, world: World
    ) -> None:
        """Nor those of the machine."""
        await open_session(world.plan("pi", "ours"))
        session = await open_session(world.plan("coproposer", "ours"))
        _, numbers = await session.run("ls /proc | grep -c '^[0-9]'")
        assert int(numbers) < 10
        assert (await session.run(f"test -e /proc/{os.getpid()}/root/etc"))[0] != 0
        _, environments = await session.run("cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
        assert "token-of-coproposer" in environments
        assert "token-of-pi" not in environments

    async def test_the_machines_secrets_cannot_be_read(
        self, open_session: OpenSession, world: World
    ) -> None:
        """No shadow file, no devices, no kernel memory."""
        session = await open_session(world.plan("pi", "ours"))
        for path in (
            "/etc/shadow",
            "/etc/ssh",
            "/root",
            "/dev/mem",
            "/dev/kmsg",
            "/sys/kernel",
            "/var/log",
            "/var/lib",
            "/proc/1/root/etc/shadow",
            "/proc/kcore",
        ):
            status, said = await session.run(f"cat {path} 2>&1 || ls {path}")
            assert status != 0, (path, said)
        assert (await session.run("grep -c . /etc/passwd"))[1].strip() in {"2", "3"}

    async def test_the_session_has_no_rights_to_gain(
        self, open_session: OpenSession, world: World
    ) -> None:
        """Invariant 2: no root, no capability, no way to one."""
        session = await open_session(world.plan("pi", "ours"))
        _, status = await session.run("cat /proc/self/status")
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == 0
        assert lines["NoNewPrivs"] == "1"
        assert lines["Uid"].split()[0] != "0"
        for attempt in (
            "mknod ~/disk b 254 0",
            "chown 0:0 ~/diary.txt",
            "su -c id root",
            "mount -t tmpfs none /mnt",
            "hostname other",
            "kill -9 1",
        ):
            assert (await session.run(attempt))[0] != 0, attempt

    async def test_no_port_of_the_machine_can_be_reached(
        self, open_session: OpenSession, world: World
    ) -> None:
        """X1: not on loopback, not on the machine's address, not by an abstract socket."""
        session = await open_session(world.plan("pi", "ours"))
        with socket.create_server(("0.0.0.0", 0)) as server, socket.socket(socket.AF_UNIX) as one:
            port = server.getsockname()[1]
            one.bind("\0daas-isolation-test")
            one.listen()
            for address in ("127.0.0.1", "localhost", machine_address()):
                with socket.create_connection((address, port), 2):
                    pass  # reachable from outside, so that the test could fail
                tried = await session.run(connect(f"('{address}', {port})", "AF_INET"))
                assert tried[0] != 0, (address, tried)
            assert (await session.run(connect("'\\0daas-isolation-test'", "AF_UNIX")))[0] != 0
        _, devices = await session.run("grep -c : /proc/net/dev")
        assert devices.strip() == "1"

    async def test_a_session_that_takes_all_memory_ends_and_the_machine_does_not(
        self, open_session: OpenSession, world: World
    ) -> None:
        """L1: 0.25 GiB are given; half a GiB is asked for."""
        session = await open_session(world.plan("pi", "ours"))
        status, said = await session.run("python3 -c 'x = bytearray(512 * 2**20); print(len(x))'")
        assert status != 0, said

    async def test_programs_find_what_they_need_of_a_machine(
        self, open_session: OpenSession, world: World
    ) -> None:
        """Shared memory for processes that work together, certificates to check."""
        session = await open_session(world.plan("pi", "ours"))
        pool = "import multiprocessing as m; print(sum(m.Pool(2).map(abs, [-1, -2])))"
        assert await session.run(f'python3 -c "{pool}"') == (0, "3\n")
        assert (await session.run("ls /etc/ssl/certs > /dev/null"))[0] == 0
        assert (await session.run("touch /var/tmp/x /tmp/x /dev/shm/x"))[0] == 0

    async def test_the_session_says_its_name_and_not_the_machines(
        self, open_session: OpenSession, world: World
    ) -> None:
        """A prompt that a person recognises."""
        session = await open_session(world.plan("pi", "ours"))
        assert await session.run("hostname; whoami; umask") == (0, "probe-ours\npi\n0007\n")


def connect(address: str, family: str) -> str:
    """Return a command that connects or fails."""
    script = (
        f"import socket; s = socket.socket(socket.{family}); s.settimeout(2); s.connect({address})"
    )
    return f'python3 -c "{script}"'


def machine_address() -> str:
    """Return an address of this machine that is not loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: a route is looked up
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address

"""A machine in this machine: a network, mounts and processes of its own, where a cluster lives.

Whatever is started, mounted or given an address in it is gone when its first process ends, and
that ends with the tests. This machine keeps nothing but a link to it, which goes the same way.
"""

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tests.engines.daemons import PATH, Daemon, NotHere
from tests.engines.kubernetes.programs import CLUSTER, PAUSE

#: The network between this machine and that one, of those that are nobody's (RFC 2544).
HOST = "198.18.0.1"
ADDRESS = "198.18.0.2"
SERVICES = "198.18.1.0/24"
PODS = "198.18.4.0/22"
LINK = "daas-kube"
#: Where clouds tell a machine its secrets.
METADATA = "169.254.169.254"
#: What a kubelet wants the kernel to say; it is shown that, so that it sets nothing.
KERNEL = {
    "kernel/keys/root_maxbytes": 25000000,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
}
#: Folders with fixed names that programs write to, each with one of the run's in its place.
PLACES = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log")


@dataclass(slots=True)
class Machine:
    """The machine; its programs write to *logs* and *folder*, which is gone after the run."""

    folder: Path
    logs: Path
    first: int = 0
    _daemon: Daemon = field(init=False)
    _programs: list[Daemon] = field(default_factory=list)

    def start(self) -> None:
        """Make it, and the link to it. Raises `NotHere`."""
        self._daemon = Daemon(
            [
                "unshare",
                "--net",
                "--mount",
                "--propagation=slave",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                str(PAUSE),
            ],
            log=self.logs / "machine.log",
            ready=self._is_made,
            # unshare heeds no other while it waits.
            at_death="KILL",
        )
        self._daemon.start()
        try:
            self._connect()
            self._furnish()
        except subprocess.CalledProcessError as error:
            self.stop()
            raise NotHere(f"no machine could be made: {error.stderr.strip()}") from error

    def stop(self) -> None:
        """End all that is in it; return when it is gone."""
        if self.first:
            subprocess.run(["kill", "-TERM", str(self.first)], check=False, capture_output=True)
            self.first = 0
        for program in (*self._programs, self._daemon):
            program.stop()
        subprocess.run(["ip", "link", "delete", LINK], check=False, capture_output=True)

    def run(self, *argv: str, stdin: str | None = None) -> str:
        """Run a command in it; return what it prints. Raises `CalledProcessError`."""
        return _run(*self._inside(), *argv, stdin=stdin)

    def daemon(
        self,
        name: str,
        *argv: str,
        ready: Callable[[], bool] = lambda: True,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Daemon:
        """Return a program that will run in it; *name* is that of its log."""
        # What `nsenter` starts is not ended by the end of `nsenter`.
        ends = ("setpriv", "--pdeathsig=KILL", "--")
        log = self.logs / f"{name}.log"
        made = Daemon([*self._inside(), *ends, *argv], log, ready, environment)
        self._programs.append(made)
        return made

    def program_of_cluster(
        self, name: str, flags: Mapping[str, object], ready: Callable[[], bool] = lambda: True
    ) -> Daemon:
        """Return one of the programs that `CLUSTER` is."""
        given = (f"--{flag}={value}" for flag, value in flags.items())
        return self.daemon(name, str(CLUSTER), name, *given, ready=ready)

    def _inside(self) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.first}", "--net", "--mount", "--pid", "--")

    def _is_made(self) -> bool:
        pid = self._daemon.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == PAUSE.name:
                self.first = int(child)
        return bool(self.first)

    def _connect(self) -> None:
        subprocess.run(["ip", "link", "delete", LINK], check=False, capture_output=True)
        peer = ("peer", "name", "eth0", "netns", str(self.first))
        _run("ip", "link", "add", LINK, "type", "veth", *peer)
        _run("ip", "address", "add", f"{HOST}/30", "dev", LINK)
        _run("ip", "link", "set", LINK, "up")
        self.run("ip", "address", "add", f"{ADDRESS}/30", "dev", "eth0")
        self.run("ip", "address", "add", f"{METADATA}/32", "dev", "lo")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "link", "set", "lo", "up")
        for network in (SERVICES, PODS):
            _run("ip", "route", "add", network, "via", ADDRESS)

    def _furnish(self) -> None:
        for name, value in KERNEL.items():
            shown = self.folder / "kernel" / name
            shown.parent.mkdir(parents=True, exist_ok=True)
            shown.write_text(f"{value}\n")
            if Path("/proc/sys", name).exists():
                self.run("mount", "--bind", str(shown), f"/proc/sys/{name}")
        for place in PLACES:
            Path(place).mkdir(parents=True, exist_ok=True)
            ours = self.folder / "places" / Path(place).name
            ours.mkdir(parents=True, exist_ok=True)
            self.run("mount", "--bind", str(ours), place)


def wait_for(what: str, ready: Callable[[], bool], seconds: float = 60) -> None:
    """Return once *ready* says so. Raises `NotHere` when it does not in time."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise NotHere(f"{what} was not ready within {seconds:.0f} s")
        time.sleep(0.05)


def _run(*argv: str, stdin: str | None = None) -> str:
    environment = {"PATH": PATH}
    done = subprocess.run(
        argv, input=stdin, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout

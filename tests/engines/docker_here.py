"""A Docker Engine of the tests' own, beside whatever runs on this machine.

It has no bridge and writes no firewall rule and no kernel setting: sessions have no network,
and what is built is built with the machine's own (`--network host`).
"""

import contextlib
from collections.abc import Iterator

from tests.engines.daemons import Daemon, own_folders, remove_groups, require
from tests.engines.engine_here import EngineHere, answers

GROUP = "daas-test-docker"


@contextlib.contextmanager
def docker_here() -> Iterator[EngineHere]:
    """Run a Docker Engine. Raises `NotHere`."""
    require("dockerd", "docker", "runc")
    with own_folders("docker") as (data, run):
        address = f"unix://{run}/docker.sock"
        daemon = Daemon(
            [
                "dockerd",
                f"--data-root={data}/data",
                f"--exec-root={run}/exec",
                f"--pidfile={run}/docker.pid",
                f"--host={address}",
                "--group=root",
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                "--ip-forward=false",
                "--ip-masq=false",
                "--userland-proxy=false",
                "--exec-opt=native.cgroupdriver=cgroupfs",
                f"--cgroup-parent=/{GROUP}",
                # A containerd of the machine may be shared: then under a name of our own.
                f"--containerd-namespace={GROUP}",
                f"--containerd-plugins-namespace={GROUP}-plugins",
                "--shutdown-timeout=2",
            ],
            log=data / "dockerd.log",
            ready=lambda: answers(address),
        )
        engine = EngineHere("docker", address, {"DOCKER_HOST": address}, daemon)
        try:
            engine.start()
            yield engine
        finally:
            engine.stop()
            remove_groups(GROUP)

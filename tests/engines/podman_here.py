"""Podman's service of the tests' own, with Docker's interface.

Podman has no daemon: the service can end while containers run, so they are removed first.
"""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from tests.engines.daemons import Daemon, own_folders, remove_groups, require
from tests.engines.engine_here import EngineHere, answers

#: What podman asks of the kernel by itself is more than an administrator without
#: CAP_SYS_RESOURCE may have, and crun refuses a machine with both versions of control groups.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
log_driver = "k8s-file"

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
# Locks in shared memory would be those of the machine's own podman.
lock_type = "file"
tmp_dir = "{run}/tmp"

[network]
network_config_dir = "{run}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{data}/data"
runroot = "{run}/run"
"""
#: As Docker Engine has it by itself: a registry on loopback needs no TLS.
REGISTRIES_CONF = """\
[[registry]]
location = "127.0.0.1"
insecure = true
"""
GROUP = "libpod_parent"


@contextlib.contextmanager
def podman_here() -> Iterator[EngineHere]:
    """Run podman's service. Raises `NotHere`."""
    require("podman", "conmon", "runc")
    with own_folders("podman") as (data, run):
        address = f"unix://{run}/podman.sock"
        environment = _configure(data, run)
        daemon = Daemon(
            ["podman", "system", "service", "--time=0", address],
            log=data / "podman.log",
            ready=lambda: answers(address),
            environment=environment,
        )
        engine = EngineHere("podman", address, environment, daemon)
        try:
            engine.start()
            yield engine
        finally:
            engine.stop()
            remove_groups(GROUP)


def _configure(data: Path, run: Path) -> dict[str, str]:
    containers, storage = run / "containers.conf", run / "storage.conf"
    containers.write_text(
        CONTAINERS_CONF.format(
            files=_at_most(resource.RLIMIT_NOFILE, 1048576),
            processes=_at_most(resource.RLIMIT_NPROC, 32768),
            run=run,
        )
    )
    registries = run / "registries.conf"
    registries.write_text(REGISTRIES_CONF)
    storage.write_text(STORAGE_CONF.format(data=data, run=run))
    return {
        "CONTAINERS_CONF": str(containers),
        "CONTAINERS_REGISTRIES_CONF": str(registries),
        "CONTAINERS_STORAGE_CONF": str(storage),
        "HOME": "/root",
        "TMPDIR": "/var/tmp",
    }


def _at_most(limit: int, wanted: int) -> int:
    _, hard = resource.getrlimit(limit)
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)

"""A `SessionPlan` as the settings of one container. Pure: nothing is asked or started here.

The names are docker-py's (`create_container`, `create_host_config`); what they mean is in the
Engine API, https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from docker.types import LogConfig, Mount

from daas_spawner.plan import PROPOSALS, SessionPlan
from daas_spawner.session.graphics import Device, groups_of

#: A session that has been told to end is given so long before it is killed.
STOP_SECONDS = 4
#: The kernel's own period of the CPU quota, in microseconds.
CPU_PERIOD_US = 100_000

_TMPFS = "rw,exec,nosuid,nodev,mode=1777"
_SHORT_LOG = LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m", "max-file": "1"})


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """What is created. *create* and *host* are the two halves of the engine's own settings."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    create: Mapping[str, Any]
    host: Mapping[str, Any]


def render(
    plan: SessionPlan,
    hostname: str,
    etc_folder: Path,
    network: str,
    labels: Mapping[str, str],
    devices: tuple[Device, ...] = (),
) -> ContainerSettings:
    """Return the container of *plan*.

    *etc_folder* holds the session's own passwd and group. *devices* are the graphics cards that
    it may use.
    """
    account = plan.account
    mounts = [_bind(mount.source, mount.target, mount.read_only) for mount in plan.mounts]
    for name in ("passwd", "group", "nsswitch.conf"):
        mounts.append(_bind(etc_folder / name, PurePosixPath("/etc") / name, read_only=True))
    tmpfs = {"/tmp": _TMPFS, "/var/tmp": _TMPFS}  # noqa: S108  the container's own
    # The frame round the proposals' folders; nothing can be written into it.
    tmpfs[str(PROPOSALS)] = "ro,nosuid,nodev,mode=0755,size=1m"
    return ContainerSettings(
        argv=plan.argv,
        environment={**plan.environment, "DAAS_FOLDER": str(plan.folder)},
        create={
            "user": f"{account.uid}:{account.gid}",
            "labels": dict(labels),
            "hostname": hostname,
            "working_dir": "/",
            "stop_signal": "SIGTERM",
            "healthcheck": {"test": ["NONE"]},  # an image's own would be run for ever
            "networking_config": None,
            "ports": None,
            "host_config": {},  # else a second way to what stands below
        },
        host={
            **_confined(plan, network),
            "mounts": mounts,
            "tmpfs": tmpfs,
            "group_add": [
                str(gid) for gid in sorted({*account.groups.values(), *groups_of(devices)})
            ],
            # Without any, what the facility itself has set stays.
            **({"devices": [f"{one.path}:{one.path}:rw" for one in devices]} if devices else {}),
        },
    )


def _confined(plan: SessionPlan, network: str) -> dict[str, Any]:
    """What no configuration of the stock spawner may loosen."""
    limits = plan.limits
    return {
        "auto_remove": False,  # its last words are read first
        "cap_add": [],
        "cap_drop": ["ALL"],
        "cpu_period": CPU_PERIOD_US,
        "cpu_quota": int(limits.cpus * CPU_PERIOD_US),
        "init": True,
        "ipc_mode": "private",
        "log_config": _SHORT_LOG,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "network_mode": network,
        "oom_kill_disable": False,
        "pid_mode": None,  # its own
        "pids_limit": limits.processes,
        "port_bindings": None,  # an empty one would be merged with the stock spawner's
        "privileged": False,
        "publish_all_ports": False,
        "read_only": not plan.app.writable_root,
        "restart_policy": None,  # one that has ended has ended
        "security_opt": ["no-new-privileges"],
        "shm_size": limits.memory_bytes // 2,
        "uts_mode": None,  # its own
        "volumes_from": None,
    }


def _bind(source: PurePosixPath | Path, target: PurePosixPath, read_only: bool) -> Mount:
    # Not the older `binds`: for those an engine makes a missing folder, as root.
    mount = Mount(str(target), str(source), type="bind", read_only=read_only)
    if read_only:
        # What the machine has mounted further below would be writable: an engine makes the
        # topmost mount read-only, and no other.
        mount["BindOptions"] = {"NonRecursive": True}
    return mount

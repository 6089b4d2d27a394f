"""One container engine: does it answer, who can reach it, and what a session's container is like.

Called by `check`. What is said of sessions is tried in a container that is made like theirs.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker.errors import APIError
from traitlets.config import Config

from daas_catalogue.facility import Facility
from daas_command.checks.finding import Finding, Findings, aside, ok, refused, warning, wrong
from daas_command.checks.images import image_findings
from daas_command.checks.network import Ways, network_findings
from daas_command.checks.reach import HOW_TO, socket_findings
from daas_command.checks.trial import LIMITS, UID, Trial, TrialFailed, Trials, remove_old, trials
from daas_model.engines import NO_NETWORK, Engine
from daas_model.errors import EngineProblem

#: Beyond this the next image may not fit, and below it nothing does.
FEW_GB, NO_GB = 20.0, 2.0
PODMAN = "Podman"
_OLDEST_API = (1, 40)
#: Init, the trial, and some to spare.
_OWN_PROCESSES = 5


async def container_findings(
    engine: Engine, facility: Facility, config: Config, hub_port: int, ways: Ways
) -> Findings:
    """Examine *engine* of *facility*."""
    findings = await aside(socket_findings, Path(engine.address.removeprefix("unix://")))
    for finding in findings:
        yield finding
    if any(finding.what == "socket" for finding in findings):
        return
    run_folder = Path(str(config.DaasSpawner.get("run_folder", "")))
    async with trials(engine, config, run_folder) as trying:
        try:
            version = await trying.engine.call("version")
            info = await trying.engine.call("info")
            await remove_old(trying.engine)
        except (APIError, EngineProblem) as error:
            mend = "Start it (systemctl status docker, or podman.socket), and look at its log."
            yield (
                refused("answers", error, mend)
                if isinstance(error, EngineProblem)
                else wrong("answers", str(error.explanation), mend)
            )
            return
        is_docker = name_of(version) != PODMAN
        for finding in [said_of_itself(version), *storage(info), *daemon(info, is_docker)]:
            yield finding
        image = ""
        async for finding, name in image_findings(trying.engine, facility, config):
            yield finding
            image = image or name
        if not image:
            mend = "Make one (make images), or fetch one, and check again."
            yield warning("trial", "without an image of ours nothing can be tried", mend)
            return
        async for finding in confinement(trying, Trial(image)):
            yield finding
        async for finding in network_findings(trying, Trial(image, engine.network), hub_port, ways):
            yield finding


def name_of(version: Mapping[str, Any]) -> str:
    """Return which engine it is."""
    parts = version.get("Components") or [{}]
    return PODMAN if PODMAN in str(parts[0].get("Name")) else "Docker Engine"


def said_of_itself(version: Mapping[str, Any]) -> Finding:
    """Say what engine it is, and whether it is new enough."""
    api = str(version.get("ApiVersion", "0"))
    said = f"{name_of(version)} {version.get('Version', '')}, API {api}"
    if tuple(int(part) for part in api.split(".") if part.isdigit()) < _OLDEST_API:
        return wrong("answers", said, "It is too old: take Docker 20.10 or Podman 4 at least.")
    return ok("answers", said)


def daemon(info: Mapping[str, Any], is_docker: bool) -> Iterator[Finding]:
    """Say what of the engine's own set-up weakens sessions or ends them."""
    options = " ".join(map(str, info.get("SecurityOptions") or ()))
    if "rootless" in options:
        mend = f"Sessions of several people need a rootful engine; see {HOW_TO}."
        said = "rootless: files are not reached with people's own user ids"
        yield warning("user ids", said, mend)
    elif "userns" in options:
        mend = "Take userns-remap out of daemon.json."
        yield warning("user ids", "userns-remap: files have others than people's user ids", mend)
    named = {"apparmor": "AppArmor", "selinux": "SELinux"}
    behind = [title for name, title in named.items() if f"name={name}" in options]
    walls_behind = behind[0] if behind else "no AppArmor or SELinux"
    yield ok("kernel", f"cgroups v{info.get('CgroupVersion', '1')}, {walls_behind}")
    if is_docker and not info.get("LiveRestoreEnabled"):
        said = "a restart of the engine, as at its update, ends all sessions"
        mend = 'Set "live-restore": true in /etc/docker/daemon.json.'
        yield warning("restart", said, mend)


def storage(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Say whether images are kept well, and whether there is room."""
    what, driver = "storage", str(info.get("Driver", "unknown"))
    if driver == "vfs":
        said = "vfs copies a whole image for each session: starts take long and fill the disk"
        yield warning(
            what, said, "Have overlay2 (Docker) or overlay (Podman); see the engine's log."
        )
    else:
        yield ok(what, f"driver {driver}")
    folder = str(info.get("DockerRootDir", ""))
    try:
        free = shutil.disk_usage(folder).free / 1e9
    except OSError:
        yield warning("room", "cannot be seen from here", f"df -h {folder}")
        return
    mend = "Remove images that nobody uses (docker image prune), or give it a larger disk."
    said = f"{free:.0f} GB are free for images"
    if free < NO_GB:
        yield wrong("room", said, mend)
    else:
        yield warning("room", said, mend) if free < FEW_GB else ok("room", said)


async def confinement(trying: Trials, trial: Trial) -> Findings:
    """Try what a session's container may do, in one without a network."""
    try:
        found = await trying.ask(
            Trial(trial.image, NO_NETWORK),
            "look",
            home="/home/daas-check",
            way="/home/daas-check/way",
            programs=["daas-enter"],
            limits=True,
            memory_bytes=LIMITS.memory_bytes,
            processes=LIMITS.processes,
        )
    except (TrialFailed, EngineProblem, APIError) as error:
        yield wrong("trial", _why(error), _mend_of(str(error)))
        return
    for finding in (*walls(found), *folders(found), *limits(found)):
        yield finding


def _why(error: Exception) -> str:
    return error.message if isinstance(error, EngineProblem) else str(error)


def _mend_of(words: str) -> str:
    """Return what to do when a container did not start, by the engine's words."""
    words = words.lower()
    if "init" in words and ("not found" in words or "no such file" in words):
        return "Install its init program: tini (Docker) or catatonit (Podman)."
    if "folder" in words or "source path" in words:
        return "Hub and engine must see DaasSpawner.run_folder under the same path."
    return "Look at the engine's own log, and at c.DockerSpawner in the configuration."


def walls(found: Mapping[str, Any]) -> Iterator[Finding]:
    """Say from within whether the container's walls stand."""
    open_ = [
        words
        for is_open, words in (
            (found["uid"] != UID, "runs as another user"),
            (found["capabilities"] != 0, "has capabilities"),
            (found["no_new_privileges"] != 1, "can gain privileges"),
            (found["writes_root"], "can write its root file system"),
            (found["seen_processes"] > _OWN_PROCESSES, "sees the machine's processes"),
        )
        if is_open
    ]
    mend = "Look at c.DockerSpawner.extra_host_config and at the engine's defaults."
    if open_:
        yield wrong("walls", f"a session's container {', '.join(open_)}", mend)
    else:
        said = "an ordinary user, no capabilities, no new privileges, a read-only root file system"
        yield ok("walls", said)
    if found["seccomp"] == 2:
        yield ok("seccomp", "dangerous system calls are refused")
    else:
        mend = 'Take "unconfined" out of the engine\'s configuration (seccomp-profile).'
        yield wrong("seccomp", "is off: sessions may call everything of the kernel", mend)
    yield ok("first process", found["first_process"])
    if found["own_user_ids"]:
        mend = "Take a rootful engine without userns-remap where files belong to people."
        yield warning("user ids", "those inside are others than those of files outside", mend)


def folders(found: Mapping[str, Any]) -> Iterator[Finding]:
    """Say whether a container sees this machine's folders, and a socket in one."""
    if not found["writes_home"]:
        mend = "Hub and engine must see homes, data and DaasSpawner.run_folder at the same paths."
        yield wrong("folders", "a container does not see a folder of the hub's machine", mend)
    elif found["way"]:
        mend = "Where SELinux is on, allow containers to connect to the hub's sockets."
        yield wrong("door", f"a container cannot use the hub's socket: {found['way']}", mend)
    else:
        yield ok("folders", "a container sees the hub's folder, and reaches a socket in it")


def limits(found: Mapping[str, Any]) -> Iterator[Finding]:
    """Say which limits held when they were tried."""
    broken = []
    if found.get("cpus", 2.0) > LIMITS.cpus * 1.4:
        broken.append(f"processor time ({found.get('cpus', 2.0):.1f} of {LIMITS.cpus:g})")
    if found.get("processes", LIMITS.processes) >= LIMITS.processes:
        broken.append("the number of processes")
    # A container that was killed as a whole was killed for this: it is tried last.
    if not found.get("memory_killed", True):
        broken.append("memory")
    if not broken:
        yield ok("limits", "memory, processor time and number of processes hold (tried)")
        return
    mend = (
        "The engine needs the control groups memory, cpu and pids: a rootful engine, or cgroups "
        "v2 with delegation."
    )
    yield wrong("limits", f"{' and '.join(broken)} can be exceeded by one session", mend)

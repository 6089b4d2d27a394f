"""A `SessionPlan` as a pod: what the stock spawner made of it, shut in. Pure.

Every pod passes the Pod Security Standard "restricted":
https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from daas_model.engines import NO_NETWORK
from daas_model.errors import StorageProblem
from daas_spawner.kubernetes.seen import CONTAINER, HUB, SESSION
from daas_spawner.kubernetes.volumes import Place, place_of
from daas_spawner.plan import APPS, PROPOSALS, Mount, SessionPlan
from daas_spawner.session.etc import people_files

#: Where a session listens. Its first program makes the socket and hands it on as descriptor 3.
PORT = 8888
#: Who else counts as belonging to a session's network policies: see helm/daas-hub.
NETWORK = "daas.network"
GPU = "nvidia.com/gpu"
#: A session that is ended by the portal is told at once; the kubelet gives it two seconds more.
STOP_SECONDS = 1
#: What a drained session's programs have to end when its time is over.
END_SECONDS = 10
#: Annotations that the pod sees as files, each with where. Their size is limited by the cluster.
FILES = "daas.hub/file-"
MOST_FILE_BYTES = 64 * 1024
TERMINATION_PATH = "/root/termination-log"
#: What loosens a container where its own settings say nothing, as ours do.
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
#: The frame that proposals are mounted into, made of the same volume: nothing can be written there.
FRAME = "frame"

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PodPlace:
    """What of a pod is not in its plan: its name, labels, addresses, and the cluster's volumes.

    *hub_address* is the hub's own for the name in its URL, so that no name server is needed;
    empty if the URL has none. *icon* is the app's picture as a text, if it is one.
    """

    name: str
    hub: str
    key: str
    session: str
    network: str
    volumes: Mapping[str, PurePosixPath]
    hub_name: str
    hub_address: str
    icon: str
    notice_seconds: int
    scratch_gib: float


def shut_in(made: Manifest, plan: SessionPlan, place: PodPlace) -> Manifest:
    """Return the pod of *plan*, from what the facility's settings *made*.

    Raises `StorageProblem` when a folder of the plan lies in no volume of the cluster.
    """
    pod = copy.deepcopy(made)
    files = _files(plan, place)
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["name"] = place.name
    metadata.setdefault("labels", {}).update(
        {HUB: place.hub, SESSION: place.key, NETWORK: place.network}
    )
    said = metadata.get("annotations") or {}
    metadata["annotations"] = {
        **{name: text for name, text in said.items() if not name.startswith(_APPARMOR)},
        **{f"{FILES}{name}": text for name, (_, text) in files.items()},
    }
    known = [{"ip": place.hub_address, "hostnames": [place.hub_name]}] if place.hub_address else []
    spec["hostAliases"] = [*known, *(spec.get("hostAliases") or ())]
    spec.update(_confined_pod(plan, place))
    spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **plan.limits.node_labels}
    volumes, mounts = _volumes(plan, place, files)
    spec["volumes"] = [*(spec.get("volumes") or ()), *volumes]
    (container,) = (one for one in spec["containers"] if one["name"] == CONTAINER)
    container.update(_confined(plan, container.get("resources") or {}))
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), *mounts]
    container["lifecycle"] = {
        **(container.get("lifecycle") or {}),
        **_notice(place.notice_seconds),
    }
    return pod


def _notice(seconds: int) -> Manifest:
    """Return what keeps the programs from being told of their end for so long.

    A pod that the portal ends has a shorter time than this, and is told at once.
    """
    return {"preStop": {"sleep": {"seconds": seconds}}} if seconds else {}


def _confined_pod(plan: SessionPlan, place: PodPlace) -> Manifest:
    """What of the pod no configuration of the stock spawner may loosen."""
    account = plan.account
    sealed = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["127.0.0.1"]}}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostIPC": False,
        "hostNetwork": False,
        "hostPID": False,
        "hostname": _hostname(place.session),
        "restartPolicy": "Never",  # one that has ended has ended
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": account.uid,
            "runAsGroup": account.gid,
            "supplementalGroups": sorted(set(account.groups.values())),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # Its first process collects those that lost their parent; a program in its place does not.
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": place.notice_seconds + END_SECONDS,
        **(sealed if place.network == NO_NETWORK else {}),
    }


def _confined(plan: SessionPlan, resources: Manifest) -> Manifest:
    """What of the session's container no configuration of the stock spawner may loosen."""
    limits = plan.limits
    most = {"cpu": f"{round(limits.cpus * 1000)}m", "memory": str(limits.memory_bytes)}
    gpus = {GPU: str(limits.gpus)} if limits.gpus else {}
    return {
        "args": [_verbatim(word) for word in plan.argv],
        "command": None,  # the image's own first program
        # An image that is slow is not one that has ended.
        "livenessProbe": None,
        "startupProbe": None,
        "ports": [{"name": "session", "containerPort": PORT}],  # none of the node's
        "resources": {
            **resources,
            "limits": {**(resources.get("limits") or {}), **most, **gpus},
            "requests": {**most, **(resources.get("requests") or {}), **gpus},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": not plan.app.writable_root,
        },
        "stdin": False,
        # Else the node's file is one that the session may fill, and nobody counts: here, nobody
        # but root passes the folder.
        "terminationMessagePath": TERMINATION_PATH,
        "terminationMessagePolicy": "File",
        "tty": False,
        "workingDir": "/",
    }


def variables(plan: SessionPlan) -> dict[str, str]:
    """Return the session's environment, with what its first program does before the app's."""
    own = {
        **plan.environment,
        "DAAS_FOLDER": str(plan.folder),
        "DAAS_LISTEN": str(PORT),
        "DAAS_MOST_PROCESSES": str(plan.limits.processes),
    }
    return {name: _verbatim(value) for name, value in own.items()}


def _verbatim(text: str) -> str:
    """Return *text* so that the cluster leaves it as it is: it puts variables for `$(NAME)`."""
    return text.replace("$", "$$")


def _files(plan: SessionPlan, place: PodPlace) -> Mapping[str, tuple[PurePosixPath, str]]:
    """Return small files by a name for each: where the session sees it, and what is in it."""
    people = people_files(plan.account, plan.mounts[0].target, with_root=True)
    names = ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf")
    files = {path.rpartition("/")[2]: (PurePosixPath(path), people[path]) for path in names}
    if place.network != NO_NETWORK:
        path, text = files["nsswitch.conf"]
        files["nsswitch.conf"] = (path, text.replace("hosts: files", "hosts: files dns"))
    if place.icon and len(place.icon.encode()) <= MOST_FILE_BYTES:
        files["icon"] = (APPS / plan.app.name / plan.app.icon, place.icon)
    return files


def _volumes(
    plan: SessionPlan, place: PodPlace, files: Mapping[str, tuple[PurePosixPath, str]]
) -> tuple[list[Manifest], list[Manifest]]:
    """Return the volumes, and what of them is mounted where."""
    placed = [(mount, _found(mount, place.volumes)) for mount in plan.mounts]
    # By number: a claim's name may be longer than a volume's, and have dots.
    claims = sorted({found.claim for _, found in placed if found})
    names = {claim: f"claim-{number}" for number, claim in enumerate(claims)}
    mounts = [_mount("session", PROPOSALS, FRAME)]
    for mount, found in placed:
        if found:
            name = names[found.claim]
            mounts.append(_mount(name, mount.target, found.folder, mount.read_only))
    given = {mount.target for mount, found in placed if found}
    for name, (target, _) in files.items():
        if not given & set(target.parents):
            mounts.append(_mount("session", target, name))
    items = [_item(name, f"metadata.annotations['{FILES}{name}']") for name in files]
    items += [_item(f"{FRAME}/{path}", "metadata.name") for path in _frame(plan.mounts)]
    own = _own(plan, place)
    return (
        [
            *(_claim(name, claim) for claim, name in names.items()),
            {"name": "session", "downwardAPI": {"defaultMode": 0o444, "items": items}},
            *({"name": name, "emptyDir": settings} for name, (_, settings) in own.items()),
        ],
        [*mounts, *({"name": name, "mountPath": path} for name, (path, _) in own.items())],
    )


def _claim(name: str, claim: str) -> Manifest:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def _own(plan: SessionPlan, place: PodPlace) -> Mapping[str, tuple[str, Manifest]]:
    """Return the session's own writable folders by the names of their volumes."""
    scratch = {"sizeLimit": f"{round(place.scratch_gib * 1024)}Mi"}
    shared = {"medium": "Memory", "sizeLimit": str(plan.limits.memory_bytes // 2)}
    return {
        "tmp": ("/tmp", scratch),  # noqa: S108  the session's own
        "var-tmp": ("/var/tmp", scratch),  # noqa: S108
        "shm": ("/dev/shm", shared),  # noqa: S108
    }


def _found(mount: Mount, volumes: Mapping[str, PurePosixPath]) -> Place | None:
    """Return where the folder of *mount* is; None for the apps' pictures, which can be without."""
    found = place_of(mount.source, volumes)
    if found is None and mount.target != APPS:
        raise StorageProblem(
            "The cluster has no volume for a folder that the session needs.",
            detail=f"{mount.source} lies in none of the engine's volumes",
        )
    return found


def _frame(mounts: Iterable[Mount]) -> list[str]:
    """Return hidden files whose folders are what proposals are mounted over, and one at the top."""
    over = [mount.target for mount in mounts if mount.target.is_relative_to(PROPOSALS)]
    return [".frame", *(f"{target.relative_to(PROPOSALS)}/.frame" for target in over)]


def _item(path: str, field: str) -> Manifest:
    return {"path": path, "fieldRef": {"fieldPath": field}}


def _mount(volume: str, target: PurePosixPath, folder: str, read_only: bool = True) -> Manifest:
    mount: Manifest = {"name": volume, "mountPath": str(target), "subPath": folder}
    return {**mount, "readOnly": True} if read_only else mount


def _hostname(session: str) -> str:
    """Return the session's name as a host may be called, for the prompt of a shell."""
    plain = re.sub("[^a-z0-9]+", "-", session.lower()).strip("-")
    return plain[:63].strip("-") or "session"

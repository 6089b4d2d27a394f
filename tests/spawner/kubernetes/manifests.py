"""Pods as a facility's settings and a plan make them, and what Kubernetes says of their security.

Nothing is mocked: the stock KubeSpawner makes the pod, kubernetes_asyncio its JSON.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from kubernetes_asyncio.client import ApiClient
from traitlets.config import Config

from daas_model.apps import Machine
from daas_model.launch import LaunchRequest
from daas_model.people import Account
from daas_spawner.kubernetes.pod import Pod
from daas_spawner.kubernetes.rendering import PORT, Manifest, PodPlace, shut_in, variables
from daas_spawner.plan import SessionPlan, plan_session
from tests.spawner.test_plan import APPS, AROUND, PI, SMALL, storage

#: An image brings its programs, and the hub is reached by the network.
IN_A_CLUSTER = replace(AROUND, programs=(), hub_folder=None)
VOLUMES = {
    "data": PurePosixPath("/data"),
    "homes": PurePosixPath("/nfs/home"),
    "examples": PurePosixPath("/opt/examples"),
}


def plan(
    app: str = "pymca", *proposals: str, account: Account = PI, machine: Machine = SMALL
) -> SessionPlan:
    """Return the plan of a session in a cluster."""
    request = LaunchRequest(app, machine.name, proposals)
    return plan_session(request, APPS, machine, storage(*proposals), account, IN_A_CLUSTER)


def place(**changes: Any) -> PodPlace:
    """Return the place of a session in a cluster, with *changes*."""
    usual: dict[str, Any] = {
        "name": "jupyter-pi-5f1c",
        "hub": "77aa",
        "key": "5f1c",
        "session": "pymca-p-1",
        "network": "none",
        "volumes": VOLUMES,
        "hub_name": "hub.daas.svc",
        "hub_address": "10.0.0.7",
        "icon": "<svg/>",
        "notice_seconds": 120,
        "scratch_gib": 10,
    }
    return PodPlace(**{**usual, **changes})


async def manifest(plan: SessionPlan, at: PodPlace | None = None, **settings: object) -> Manifest:
    """Return the pod of *plan*, with *settings* of `c.KubeSpawner`."""
    config = Config({"KubeSpawner": settings})
    pod = Pod("sessions", "pi", "pymca-p-1", config, None)
    made = await pod.manifest("docker.io/daas/pymca:1", PORT, variables(plan))
    # Without its constructor, which loads certificates: nothing is connected to.
    api = ApiClient.__new__(ApiClient)
    return shut_in(api.sanitize_for_serialization(made), plan, at or place())


def container_of(pod: Manifest) -> Manifest:
    """Return the container that is the session."""
    (found,) = (one for one in pod["spec"]["containers"] if one["name"] == "notebook")
    return dict(found)


_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
    }
)
_SELINUX = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def violations(pod: Manifest) -> list[str]:
    """Return what of *pod* the Pod Security Standard "restricted" forbids.

    https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, as of 1.35.
    """
    spec = pod["spec"]
    every = [*spec.get("initContainers", []), *spec["containers"]]
    return [
        *(f"{name}" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)),
        *(
            f"volume {one['name']}"
            for one in spec.get("volumes", [])
            if not one.keys() - {"name"} <= _VOLUMES
        ),
        *(
            f"annotation {name}"
            for name, value in pod["metadata"].get("annotations", {}).items()
            if name.startswith(_APPARMOR) and not value.startswith(("runtime/", "localhost/"))
        ),
        *(f"pod: {what}" for what in _of_context(_context(spec))),
        *(f"{one['name']}: {what}" for one in every for what in _of_container(one, _context(spec))),
    ]


def _context(thing: Manifest) -> Manifest:
    return dict(thing.get("securityContext") or {})


def _of_context(context: Manifest) -> Iterator[str]:
    """Say what is wrong with what a pod and a container may both have."""
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"
    if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") == "Unconfined":
        yield "appArmorProfile"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in _SELINUX or selinux.get("user") or selinux.get("role"):
        yield "seLinuxOptions"
    if context.get("runAsUser") == 0:
        yield "runAsUser"
    if (context.get("seccompProfile") or {}).get("type", "RuntimeDefault") == "Unconfined":
        yield "seccompProfile"
    if not {one["name"] for one in context.get("sysctls") or ()} <= _SYSCTLS:
        yield "sysctls"


def _of_container(container: Manifest, of_pod: Manifest) -> Iterator[str]:
    own = _context(container)
    yield from _of_context(own)
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    capabilities = own.get("capabilities") or {}
    if not set(capabilities.get("add") or ()) <= {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "capabilities.drop"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot"
    if not (own.get("seccompProfile") or of_pod.get("seccompProfile")):
        yield "seccompProfile is missing"
    yield from _of_network(container)


def _of_network(container: Manifest) -> Iterator[str]:
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield "hostPort"
    for name, hook in _hooks(container):
        if any((hook.get(way) or {}).get("host") for way in ("httpGet", "tcpSocket")):
            yield f"{name}: host"


def _hooks(container: Manifest) -> Iterator[tuple[str, Manifest]]:
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield name, container.get(name) or {}
    for name, hook in (container.get("lifecycle") or {}).items():
        yield name, hook if isinstance(hook, dict) else {}

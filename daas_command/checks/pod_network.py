"""Whether the network of a cluster's sessions is closed, proved by trying from inside a pod.

Called by `cluster`. What is certain to listen and is not reached is closed; what nobody can reach
proves nothing, and that is said.
"""

import contextlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from kubernetes_asyncio import client
from kubernetes_asyncio.client import ApiException

from daas_command.checks import host
from daas_command.checks.cluster_rights import HOW_TO
from daas_command.checks.finding import Finding, Findings, aside, ok, warning, wrong
from daas_command.checks.inside import is_known, name_servers
from daas_command.checks.network import (
    METADATA,
    OUTSIDE,
    Group,
    Target,
    Ways,
    allowed_way,
    from_here,
    judged,
    resolved,
)
from daas_command.checks.pods import API_ADDRESS, NODE_ADDRESS, Pods
from daas_model.errors import EngineProblem
from daas_spawner.kubernetes.api import CALL_SECONDS
from daas_spawner.kubernetes.cluster import Cluster

#: A plug-in closes a pod's network a moment after the pod has begun; Kubernetes promises no time.
CLOSED_SECONDS = 4
SSH, KUBELET = 22, 10250
NODE = "its node"
#: What every cluster's own name server knows.
KNOWN_NAME = "kubernetes.default.svc.cluster.local"
_MOST_SERVERS = 3
CLOSE = (
    "Close sessions (label daas.session) by a NetworkPolicy, and have a network plug-in that "
    f"enforces it; see {HOW_TO}."
)
ALLOW = "Let sessions (label daas.session) out to it by a NetworkPolicy."


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried: *hub* must be reached, *groups* and name *servers* must not."""

    hub: Target
    groups: tuple[Group, ...]
    servers: tuple[Target, ...]

    def targets(self, ways: Ways) -> list[Target]:
        """Return all of them, and what the facility says that must be reached."""
        closed = [target for group in self.groups for target in group.targets]
        return [self.hub, *closed, *self.servers, *ways.allowed]


async def pod_network_findings(pods: Pods, image: str, hub_port: int, ways: Ways) -> Findings:
    """Try in a session's pod from *image* what it reaches; *hub_port* is 0 when the hub has none.

    Raises `TrialFailed`, and `DaasError` when the pod does not start.
    """
    with host.listener() as own:
        ports = [port for port in (own.getsockname()[1], hub_port) if port]
        tried = await _to_try(pods.cluster, ports, ways)
        answer = await pods.ask(
            image,
            "connect",
            targets=tried.targets(ways),
            name=KNOWN_NAME,
            servers=tried.servers,
            wait_seconds=CLOSED_SECONDS,
        )
        # What was asked of the cluster stands in the answer as an address.
        tried = replace(tried, groups=as_tried(tried, _targets(answer, "tried")))
        controls = await from_here(tried.targets(ways))
    yield ok("trial", f"a session's pod ran from {image}")
    reached = set(_targets(answer, "reached"))
    yield hub_way(tried.hub, reached, controls)
    for group in tried.groups:
        judge = node_way if group.what == NODE else judged
        yield judge(group, reached, controls)
    knows_here = await aside(is_known, KNOWN_NAME, list(tried.servers))
    servers = set(tried.servers)
    inside = bool(answer.get("name_known")) or bool(servers & reached)
    yield name_service(inside, knows_here or bool(servers & controls))
    for target in ways.allowed:
        yield allowed_way(target, reached, ALLOW)


def _targets(answer: Mapping[str, Any], which: str) -> list[Target]:
    return [(str(address), int(port)) for address, port in answer.get(which, ())]


async def _to_try(cluster: Cluster, ports: list[int], ways: Ways) -> Tried:
    """Return what to try; *ports* are those of this machine."""
    hub = hub_target(cluster.engine.hub_url)
    of_hub = {hub, *((address, hub[1]) for address, _ in await resolved(hub))}
    here = [
        (address, port)
        for address in host.addresses()
        if is_far(address)
        for port in ports
        if (address, port) not in (*of_hub, *ways.allowed)
    ]
    api = [(API_ADDRESS, 443), *await resolved(await cluster.ask(_address))]
    groups = (
        Group("the cluster's API", tuple(dict.fromkeys(api)), CLOSE, certain=True),
        Group(NODE, ((NODE_ADDRESS, SSH), (NODE_ADDRESS, KUBELET)), CLOSE),
        Group("the hub's machine", tuple(here), CLOSE, certain=True),
        Group("metadata of a cloud", (METADATA,), CLOSE),
        Group("beyond", (*await resolved(OUTSIDE), *ways.forbidden), CLOSE),
    )
    return Tried(hub, groups, tuple(await _servers(cluster)))


async def _address(api: client.ApiClient) -> Target:
    return hub_target(api.configuration.host)


async def _servers(cluster: Cluster) -> list[Target]:
    """Return the name servers of the cluster, as far as the hub knows them, and this machine's."""
    found = []
    with contextlib.suppress(ApiException, EngineProblem):
        service = await cluster.ask(
            lambda api: client.CoreV1Api(api).read_namespaced_service(
                "kube-dns", "kube-system", _request_timeout=CALL_SECONDS
            )
        )
        found.append((str(service.spec.cluster_ip), 53))
    found += await aside(name_servers)
    return [server for server in dict.fromkeys(found) if is_far(server[0])][:_MOST_SERVERS]


def is_far(address: str) -> bool:
    """Tell whether *address* is one, and not a loopback's: inside that is the session's own."""
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def hub_target(url: str) -> Target:
    """Return the address and port of *url*."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def as_tried(tried: Tried, answered: Sequence[Target]) -> tuple[Group, ...]:
    """Return the groups with the addresses that the pod *answered*, in the order of the question.

    What the cluster did not tell the pod is left out.
    """
    known = dict(zip(tried.targets(Ways()), answered, strict=False))
    return tuple(
        replace(
            group,
            targets=tuple(
                dict.fromkeys(
                    known[target]
                    for target in group.targets
                    if not known[target][0].startswith("$")
                )
            ),
        )
        for group in tried.groups
    )


def hub_way(hub: Target, reached: set[Target], controls: set[Target]) -> Finding:
    """Say whether a session reaches the hub's API, which it must."""
    what, where = "the hub", f"{hub[0]}:{hub[1]}"
    if hub in reached:
        return ok(what, f"a session reaches it at {where}")
    if hub in controls:
        mend = f"{ALLOW} Without it no page of a session opens."
        return wrong(
            what, f"a session does not reach it at {where}, though this machine does", mend
        )
    said = f"nobody answers at {where}, neither a session nor this machine"
    mend = "Start the hub and check again; or mend 'hub_url' of the engine."
    return warning(what, said, mend)


def node_way(group: Group, reached: set[Target], controls: set[Target]) -> Finding:
    """Say whether a session's own node is closed to it: ssh must be."""
    if {port for _, port in reached.intersection(group.targets)} == {KUBELET}:
        said = "a session reaches the kubelet, which asks for a login; ssh was not reached"
        mend = "Have a network plug-in that closes the way from a pod to its own node, if you can."
        return warning(group.what, said, mend)
    if (reached | controls).isdisjoint(group.targets):
        said = "was not reached; but this machine does not reach it either, so nothing is proved"
        return ok(group.what, said)
    return judged(group, reached, controls)


def name_service(inside: bool, here: bool) -> Finding:
    """Say what it means that sessions can, or cannot, ask for names; *here*: this machine can."""
    what = "name service"
    if inside:
        said = "a session reaches a name server, and in questions for names data can be carried out"
        return warning(what, said, f"{CLOSE} The hub's own name a session knows without.")
    if here:
        return ok(what, "no name server is reached, though this machine reaches one")
    return ok(what, "was not reached; but this machine reaches none either, so nothing is proved")

"""NetworkPolicies as rules of nft, which `enforce` puts into the kernel.

A stock cluster has this in its network plug-in. What they mean: the documentation of
networking.k8s.io/v1. Like there, the node itself may reach its pods, for probes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TABLE = "daas_policies"
#: How each direction is written in a policy and seen in a packet.
WAYS = {"Ingress": ("from", "saddr", "daddr"), "Egress": ("to", "daddr", "saddr")}
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pod:
    """What of a pod policies look at."""

    namespace: str
    labels: Labels
    address: str
    ports: Mapping[str, int]


def pods_of(items: Sequence[Mapping[str, Any]]) -> list[Pod]:
    """Return the pods that have an address of their own, from the API's objects."""
    return [
        Pod(
            item["metadata"]["namespace"],
            item["metadata"].get("labels", {}),
            item["status"]["podIP"],
            {
                port["name"]: port["containerPort"]
                for container in item["spec"]["containers"]
                for port in container.get("ports", [])
                if "name" in port
            },
        )
        for item in items
        if item["status"].get("podIP")
        and item["status"].get("phase") in ("Pending", "Running")
        and not item["spec"].get("hostNetwork")
    ]


def rules(
    policies: Sequence[Mapping[str, Any]], pods: Sequence[Pod], namespaces: Mapping[str, Labels]
) -> str:
    """Return the whole table, which takes the place of the one before."""
    chains, jumps = [], {}
    for way, (_, _, own) in WAYS.items():
        guarded = []
        for pod in pods:
            mine = [policy for policy in policies if _is_for(policy, pod, way)]
            if not mine:
                continue
            name = f"{way.lower()}_{pod.address.replace('.', '_')}"
            allowed = [
                f"{line} accept".strip()
                for policy in mine
                for rule in policy["spec"].get(way.lower()) or ()
                for line in _matches(rule, way, pod, policy, pods, namespaces)
            ]
            chains.append(_chain(name, "ct state established,related accept", *allowed, "drop"))
            guarded.append(f"{pod.address} : goto {name}")
        jumps[way] = [f"ip {own} vmap {{ {', '.join(guarded)} }}"] if guarded else []
    # Within a packet's way `accept` ends one of these, not the next.
    for name, hook, priority, way in (
        ("leaving", "forward", -6, "Egress"),
        ("arriving", "forward", -5, "Ingress"),
        ("to_the_node", "input", -5, "Egress"),
    ):
        place = f"type filter hook {hook} priority {priority}; policy accept;"
        chains.append(_chain(name, place, *jumps[way]))
    begin = f"table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n"
    return begin + "".join(chains) + "}\n"


def selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    """Tell whether a label selector takes what has *labels*; an empty one takes everything."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(wanted, labels) for wanted in selector.get("matchExpressions", ()))


def _holds(wanted: Mapping[str, Any], labels: Labels) -> bool:
    key, values = wanted["key"], wanted.get("values", ())
    match wanted["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _is_for(policy: Mapping[str, Any], pod: Pod, way: str) -> bool:
    spec = policy["spec"]
    return (
        policy["metadata"]["namespace"] == pod.namespace
        and way in spec["policyTypes"]
        and selects(spec.get("podSelector", {}), pod.labels)
    )


def _matches(
    rule: Mapping[str, Any],
    way: str,
    pod: Pod,
    policy: Mapping[str, Any],
    pods: Sequence[Pod],
    namespaces: Mapping[str, Labels],
) -> Iterator[str]:
    """What one rule of a policy lets *pod* do, one line for each peer and port."""
    side, other, _ = WAYS[way]
    peers = rule.get(side)
    if not peers:
        # A name of a port says something about a certain pod; here it can be any.
        found = [("", pod if way == "Ingress" else None)]
    else:
        found = []
        for peer in peers:
            if block := peer.get("ipBlock"):
                if ":" in block["cidr"]:
                    continue  # this cluster has addresses of version 4 only
                holes = "".join(f" ip {other} != {hole}" for hole in block.get("except", ()))
                found.append((f"ip {other} {block['cidr']}{holes}", None))
            else:
                found += [
                    (f"ip {other} {one.address}", one)
                    for one in _selected(peer, policy["metadata"]["namespace"], pods, namespaces)
                ]
    for address, peer_pod in found:
        for port in _ports(rule, pod if way == "Ingress" else peer_pod):
            yield f"{address} {port}".strip()


def _selected(
    peer: Mapping[str, Any],
    namespace: str,
    pods: Sequence[Pod],
    namespaces: Mapping[str, Labels],
) -> list[Pod]:
    spaces = peer.get("namespaceSelector")
    return [
        pod
        for pod in pods
        if (
            pod.namespace == namespace
            if spaces is None
            else selects(spaces, namespaces.get(pod.namespace, {}))
        )
        and selects(peer.get("podSelector", {}), pod.labels)
    ]


def _ports(rule: Mapping[str, Any], receiver: Pod | None) -> Iterator[str]:
    """The ports of a rule; a name is what the *receiver* means by it, else it is none."""
    if not rule.get("ports"):
        yield ""
    for port in rule.get("ports", ()):
        protocol, number = port.get("protocol", "TCP").lower(), port.get("port")
        if isinstance(number, str):
            number = receiver.ports.get(number) if receiver else None
            if number is None:
                continue
        if number is None:
            yield f"meta l4proto {protocol}"
        elif "endPort" in port:
            yield f"{protocol} dport {number}-{port['endPort']}"
        else:
            yield f"{protocol} dport {number}"


def _chain(name: str, *lines: str) -> str:
    return "".join((f" chain {name} {{\n", *(f"  {line}\n" for line in lines), " }\n"))

"""What NetworkPolicies mean, written as rules; `test_kubernetes_here` tries them on packets."""

from typing import Any

import pytest

from tests.engines.kubernetes.policies import Pod, pods_of, rules, selects

WEB = Pod("sessions", {"app": "web", "tier": "front"}, "10.0.0.1", {"http": 8888})
HUB = Pod("hub", {"app": "hub"}, "10.0.0.2", {"api": 8081})
OTHER = Pod("sessions", {"app": "other"}, "10.0.0.3", {"http": 9999})
PODS = (WEB, HUB, OTHER)
NAMESPACES = {"sessions": {"kind": "sessions"}, "hub": {"kind": "portal"}}


def policy(
    pods: dict[str, Any] | None = None, **ways: list[dict[str, Any]] | None
) -> dict[str, Any]:
    spec: dict[str, Any] = {"podSelector": pods or {}, "policyTypes": [way.title() for way in ways]}
    spec |= {way: allowed for way, allowed in ways.items() if allowed is not None}
    return {"metadata": {"namespace": "sessions"}, "spec": spec}


def chains(*policies: dict[str, Any]) -> dict[str, list[str]]:
    """The lines of each chain, without its first and last, which are always the same."""
    found: dict[str, list[str]] = {}
    for block in rules(policies, PODS, NAMESPACES).split(" chain ")[1:]:
        name, *lines = (line.strip() for line in block.splitlines())
        found[name.removesuffix(" {")] = [line for line in lines if line.strip("}")]
    return found


def allowed(way: str, **rule: Any) -> list[str]:
    """What a rule lets WEB do."""
    lines = chains(policy({"matchLabels": {"app": "web"}}, **{way: [rule]}))[f"{way}_10_0_0_1"]
    assert (lines[0], lines[-1]) == ("ct state established,related accept", "drop")
    return [line.removesuffix("accept").strip() for line in lines[1:-1]]


def peer(pods: dict[str, str] | None = None, namespaces: dict[str, str] | None = None) -> Any:
    made: dict[str, Any] = {}
    if pods is not None:
        made["podSelector"] = {"matchLabels": pods}
    if namespaces is not None:
        made["namespaceSelector"] = {"matchLabels": namespaces}
    return [made]


@pytest.mark.parametrize(
    ("way", "rule", "lines"),
    [
        pytest.param("ingress", {}, [""], id="an empty rule: everything"),
        pytest.param(
            "ingress", {"from": peer({"app": "other"})}, ["ip saddr 10.0.0.3"], id="pods beside it"
        ),
        pytest.param(
            "ingress",
            {"from": peer(namespaces={"kind": "portal"})},
            ["ip saddr 10.0.0.2"],
            id="all pods of a namespace",
        ),
        pytest.param(
            "ingress",
            {"from": peer({"app": "other"}, {"kind": "portal"})},
            [],
            id="pods of a namespace, of which there are none",
        ),
        pytest.param(
            "egress",
            {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
            ["ip daddr 192.0.2.0/24"],
            id="a network",
        ),
        pytest.param(
            "egress",
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "192.0.2.0/24"]}}]},
            ["ip daddr 0.0.0.0/0 ip daddr != 10.0.0.0/8 ip daddr != 192.0.2.0/24"],
            id="a network with holes",
        ),
        pytest.param(
            "egress",
            {"to": peer({}, {}), "ports": [{"port": "api"}]},
            ["ip daddr 10.0.0.2 tcp dport 8081"],
            id="a port by the name that the receiver gives it",
        ),
        pytest.param(
            "ingress", {"ports": [{"port": "http"}]}, ["tcp dport 8888"], id="a port of its own"
        ),
        pytest.param(
            "egress",
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 1, "endPort": 9}]},
            ["udp dport 53", "tcp dport 1-9"],
            id="several ports",
        ),
        pytest.param(
            "egress", {"ports": [{"protocol": "UDP"}]}, ["meta l4proto udp"], id="a protocol"
        ),
    ],
)
def test_a_rule_allows(way: str, rule: dict[str, Any], lines: list[str]) -> None:
    assert allowed(way, **rule) == lines


def test_only_pods_of_a_policy_are_guarded_and_only_in_its_direction() -> None:
    found = chains(policy({"matchLabels": {"app": "web"}}, ingress=[]))
    assert found["arriving"][1:] == ["ip daddr vmap { 10.0.0.1 : goto ingress_10_0_0_1 }"]
    assert found["leaving"][1:] == []


def test_what_leaves_is_guarded_on_its_way_to_the_node_too() -> None:
    found = chains(policy({"matchLabels": {"app": "web"}}, egress=None))
    guard = ["ip saddr vmap { 10.0.0.1 : goto egress_10_0_0_1 }"]
    assert found["leaving"][1:] == found["to_the_node"][1:] == guard
    assert found["arriving"][1:] == []


def test_policies_of_one_pod_add_up() -> None:
    both = (policy(ingress=[{"ports": [{"port": port}]}]) for port in (1, 2))
    lines = chains(*both)["ingress_10_0_0_1"]
    assert lines[1:-1] == ["tcp dport 1 accept", "tcp dport 2 accept"]


def test_a_policy_is_for_its_own_namespace() -> None:
    assert "ingress_10_0_0_2" not in chains(policy(ingress=[]))


@pytest.mark.parametrize(
    ("operator", "values", "taken"),
    [
        ("In", ["web"], True),
        ("In", ["hub"], False),
        ("NotIn", ["web"], False),
        ("NotIn", ["hub"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_an_expression_selects(operator: str, values: list[str], taken: bool) -> None:
    wanted = {"key": "app", "operator": operator, "values": values}
    assert selects({"matchExpressions": [wanted]}, WEB.labels) is taken


@pytest.mark.parametrize(
    ("status", "spec"),
    [
        pytest.param({"phase": "Pending"}, {}, id="it has no address yet"),
        pytest.param({"phase": "Succeeded", "podIP": "10.0.0.9"}, {}, id="its address is free"),
        pytest.param(
            {"phase": "Running", "podIP": "10.0.0.9"}, {"hostNetwork": True}, id="it is the node's"
        ),
    ],
)
def test_a_pod_without_an_address_of_its_own_is_passed_over(
    status: dict[str, str], spec: dict[str, bool]
) -> None:
    item = {"metadata": {"namespace": "hub"}, "status": status, "spec": {"containers": [], **spec}}
    assert pods_of([item]) == []

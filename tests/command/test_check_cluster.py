"""What is said of a cluster by what it answers; and of one that does not. Trials: tests/engines."""

import json
import socket
from collections.abc import Iterator
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from daas_command.checks import cluster as cluster_check
from daas_command.checks.cluster import (
    claim,
    folders,
    mend_of,
    pod_security,
    said_of_itself,
    unread,
)
from daas_command.checks.cluster_rights import Right, needed, not_needed, rights
from daas_command.checks.network import METADATA, Group, Target
from daas_command.checks.pod_network import (
    KUBELET,
    NODE,
    SSH,
    Tried,
    as_tried,
    hub_target,
    hub_way,
    is_far,
    name_service,
    node_way,
)
from daas_command.checks.pods import API_ADDRESS, NODE_ADDRESS, as_trial, loosened
from tests.conftest import free_port

from .checking import Checked
from .test_check import daas, folder, line_of, provider  # noqa: F401  fixtures


@pytest.mark.parametrize(
    ("major", "minor", "state"),
    [
        pytest.param("1", "35", "ok", id="today's"),
        pytest.param("1", "30+", "ok", id="a provider's"),
        pytest.param("1", "29", "wrong", id="without the sleep of preStop"),
        pytest.param("", "", "wrong", id="none"),
    ],
)
def test_a_cluster_without_what_sessions_need_is_too_old(
    major: str, minor: str, state: str
) -> None:
    version = SimpleNamespace(major=major, minor=minor, git_version=f"v{major}.{minor}.1")
    assert said_of_itself(version).state == state


def allowed(**changes: bool) -> dict[Right, bool]:
    """Return the rights of a hub as the chart gives them, but for *changes* of resources."""
    spare = [right for some in not_needed("ns").values() for right in some]
    known = {**dict.fromkeys(needed("ns"), True), **dict.fromkeys(spare, False)}
    return {
        right: changes.get(right.resource.replace("/", "_"), is_so)
        for right, is_so in known.items()
    }


def test_a_hub_with_its_role_has_all_rights_and_no_more() -> None:
    assert [one.state for one in rights(allowed(), "ns")] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("changes", "state", "says"),
    [
        pytest.param({"pods_log": False}, "wrong", "may not get pods/log in “ns”", id="logs"),
        pytest.param({"events": False}, "wrong", "may not list events, watch events", id="events"),
        pytest.param({"secrets": True}, "warning", "may also read secrets", id="secrets"),
        pytest.param({"pods_exec": True}, "warning", "also run commands in pods", id="exec"),
        pytest.param({"pods": True}, "warning", "also make pods in other", id="elsewhere"),
        pytest.param({"clusterroles": True}, "warning", "change the cluster's roles", id="roles"),
    ],
)
def test_each_right_that_is_missing_or_spare_is_named(
    changes: dict[str, bool], state: str, says: str
) -> None:
    (found,) = [one for one in rights(allowed(**changes), "ns") if one.state != "ok"]
    assert found.state == state
    assert says in found.said
    assert found.mend


def test_pods_in_the_namespace_of_sessions_are_no_spare_right() -> None:
    for namespace in ("default", "kube-system", "ns"):
        spare = {right for some in not_needed(namespace).values() for right in some}
        assert not spare.intersection(needed(namespace))


def test_a_part_of_a_resource_is_asked_for_as_such() -> None:
    asked = Right("get", "pods/log", "ns").question()["spec"]["resourceAttributes"]
    assert (asked["resource"], asked["subresource"]) == ("pods", "log")


def test_folders_that_no_claim_has_are_named() -> None:
    volumes = {"data": PurePosixPath("/data/visitor"), "homes": PurePosixPath("/home")}

    def said(*roots: str) -> str:
        return folders([PurePosixPath(root) for root in roots], volumes).said

    assert said("/home", "/data") == "homes and data are in them"
    assert said("/home/staff", "/gpfs", "/gpfs") == "/gpfs is in none of them"
    assert folders([PurePosixPath("/home")], {}).state == "wrong"


@pytest.mark.parametrize(
    ("phase", "mode", "state"),
    [
        ("Bound", "ReadWriteMany", "ok"),
        ("Pending", "ReadWriteMany", "wrong"),
        ("Lost", "ReadWriteMany", "wrong"),
        ("Bound", "ReadWriteOnce", "warning"),
    ],
)
def test_a_claim_must_be_bound_and_for_all_nodes(phase: str, mode: str, state: str) -> None:
    assert claim("data", phase, [mode]).state == state


def test_a_claim_that_may_not_be_read_was_not_looked_at() -> None:
    assert unread("data", 404, "ns").state == "wrong"
    assert "was not looked at" in unread("data", 403, "ns").said


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        ('404 NotFound: namespaces "ns" not found', "kubectl create namespace ns"),
        ("403 Forbidden: exceeded quota: few, requested: pods=1", "ResourceQuota"),
        ("403 Forbidden: failed quota: few: must specify limits.cpu", "ResourceQuota"),
        ("403: maximum cpu usage per Container is 1, but limit is 4", "LimitRange"),
        ('403: violates PodSecurity "restricted:latest": runAsNonRoot', "c.KubeSpawner"),
        ('403: error looking up service account ns/x: serviceaccount "x" not found', "service"),
        ('400: admission webhook "validate.kyverno.svc" denied the request', "a policy of"),
        ("422 Invalid: whatever", "policies of the cluster"),
    ],
)
def test_what_a_cluster_refuses_has_what_mends_it(words: str, mend: str) -> None:
    assert mend in mend_of(words, "ns")


@pytest.mark.parametrize(
    ("refusal", "state"),
    [
        ('403 Forbidden: violates PodSecurity "restricted:latest": allowPrivilege…', "ok"),
        ('400: admission webhook "validate.kyverno.svc" denied the request', "ok"),
        ("", "warning"),
    ],
)
def test_a_namespace_that_takes_a_pod_of_root_is_told_of(refusal: str, state: str) -> None:
    found = pod_security(refusal, "ns")
    assert found.state == state
    assert ("pod-security.kubernetes.io/enforce=restricted" in found.mend) == (state != "ok")


HUB = ("hub", 8082)


@pytest.mark.parametrize(
    ("reached", "controls", "state"),
    [
        pytest.param({HUB}, {HUB}, "ok", id="open"),
        pytest.param(set(), {HUB}, "wrong", id="shut"),
        pytest.param(set(), set(), "warning", id="nobody there"),
    ],
)
def test_the_hub_must_be_reached(reached: set[Target], controls: set[Target], state: str) -> None:
    assert hub_way(HUB, reached, controls).state == state


OF_NODE = (("10.0.0.1", SSH), ("10.0.0.1", KUBELET))


@pytest.mark.parametrize(
    ("reached", "controls", "state", "says"),
    [
        pytest.param(OF_NODE, OF_NODE, "wrong", "10.0.0.1:22", id="ssh"),
        pytest.param(OF_NODE[1:], OF_NODE, "warning", "ssh was not reached", id="kubelet"),
        pytest.param((), OF_NODE, "ok", "though this machine does", id="closed"),
        pytest.param((), (), "ok", "nothing is proved", id="not proved"),
    ],
)
def test_no_session_has_a_way_to_its_nodes_ssh(
    reached: tuple[Target, ...], controls: tuple[Target, ...], state: str, says: str
) -> None:
    found = node_way(Group(NODE, OF_NODE, "Mend it."), set(reached), set(controls))
    assert found.state == state
    assert says in found.said


def test_a_name_server_is_a_way_out() -> None:
    assert name_service(inside=True, here=True).state == "warning"
    assert "this machine reaches one" in name_service(inside=False, here=True).said
    assert "nothing is proved" in name_service(inside=False, here=False).said


def test_addresses_that_only_the_cluster_knows_are_those_that_the_pod_tells() -> None:
    groups = (
        Group("api", ((API_ADDRESS, 443), ("10.0.0.9", 6443)), ""),
        Group("node", ((NODE_ADDRESS, 22),), ""),
    )
    tried = Tried(HUB, groups, (("10.96.0.10", 53),))
    told = [HUB, ("10.96.0.1", 443), ("10.0.0.9", 6443), (NODE_ADDRESS, 22), ("10.96.0.10", 53)]
    found = as_tried(tried, [*told, ("data.facility.example", 443)])
    assert found[0].targets == (("10.96.0.1", 443), ("10.0.0.9", 6443))
    assert found[1].targets == ()  # it was not told


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://hub:8082", ("hub", 8082)),
        ("https://hub.example/x", ("hub.example", 443)),
        ("http://[fd00::1]", ("fd00::1", 80)),
    ],
)
def test_an_address_has_a_port(url: str, target: Target) -> None:
    assert hub_target(url) == target


def test_what_is_the_sessions_own_is_not_tried() -> None:
    assert [is_far(one) for one in ("127.0.0.53", "::1", "None", "", METADATA[0])] == [
        *[False] * 4,
        True,
    ]


POD: dict[str, Any] = {
    "metadata": {"name": "x", "labels": {"daas.session": "k"}},
    "spec": {
        "securityContext": {"runAsNonRoot": True},
        "containers": [
            {"name": "other", "args": ["serve"], "securityContext": {"privileged": False}},
            {"name": "notebook", "args": ["true"], "securityContext": {"privileged": False}},
        ],
    },
}


def test_a_trial_is_a_sessions_pod_but_for_its_program() -> None:
    """A cluster puts addresses where `$(…)` stands, and nowhere else in the program."""
    pod = as_trial(POD, "connect", {"targets": [[NODE_ADDRESS, 22]]})
    other, session = pod["spec"]["containers"]
    assert other == POD["spec"]["containers"][0]
    *_, source, order = session["command"]
    assert json.loads(order) == {"do": "connect", "targets": [["$(NODE_ADDRESS)", 22]]}
    assert "$(" not in source
    assert "$$" not in source
    assert session["securityContext"] == {"privileged": False}
    assert pod["metadata"]["labels"]["daas.session"] == "k"
    assert pod["spec"]["activeDeadlineSeconds"] > 0
    assert POD["spec"]["containers"][1]["args"] == ["true"]


def test_a_loosened_pod_asks_for_nothing_of_the_standard() -> None:
    pod = loosened(POD)
    assert pod["spec"]["securityContext"] == {}
    assert {str(one["securityContext"]) for one in pod["spec"]["containers"]} == {"{}"}
    assert POD["spec"]["securityContext"]


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: it
contexts: [{name: it, context: {cluster: it, user: hub}}]
clusters: [{name: it, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: hub, user: {token: nothing}}]
"""


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where somebody listens and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def offer(checked: Checked, kubeconfig: str) -> None:
    file = checked.folder / "kubeconfig"
    file.write_text(kubeconfig)
    engine = {
        "title": "C",
        "kind": "kubernetes",
        "address": str(file),
        "namespace": "sessions",
        "hub_url": "http://hub:8082",
    }
    checked.spoil(f"c.Facility.engines_offered = {{'cluster': {engine!r}}}")


async def test_a_cluster_that_is_away_is_a_sentence(daas: Checked) -> None:  # noqa: F811
    """Without a machine here, this machine's sandboxes are not looked at."""
    offer(daas, KUBECONFIG % free_port())
    told = await daas(code=1)
    assert line_of(told, "answers: ").startswith("  wrong    answers: The machines of “C” do not")
    assert "  sandbox" not in told
    assert "programs" not in told
    told = await daas("engine", code=1)
    assert told.count("wrong    ") == 1


@pytest.mark.parametrize(
    "text", ["", "{", "apiVersion: v1", "- 1", KUBECONFIG % 1 + "nonsense: {"], ids=repr
)
async def test_a_kubeconfig_that_is_none_is_a_sentence(daas: Checked, text: str) -> None:  # noqa: F811
    offer(daas, text)
    told = await daas("engine", code=1)
    assert "the kubeconfig file at 'address'" in line_of(told, "answers: ")


async def test_a_hub_outside_of_its_cluster_needs_a_kubeconfig(daas: Checked) -> None:  # noqa: F811
    offer(daas, KUBECONFIG % 1)
    daas.spoil("c.Facility.engines_offered['cluster']['address'] = ''")
    assert "the service account" in line_of(await daas("engine", code=1), "answers: ")


async def test_a_cluster_that_says_nothing_holds_up_nobody(
    daas: Checked,  # noqa: F811
    silent: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster_check, "CALL_SECONDS", 0.3)
    offer(daas, KUBECONFIG % silent)
    assert "TimeoutError" in line_of(await daas("engine", code=1), "answers: ")


async def test_a_part_about_clusters_names_what_there_is(daas: Checked) -> None:  # noqa: F811
    offer(daas, KUBECONFIG % 1)
    told = await daas("engine", "no-such", code=2)
    assert "There is no engine 'no-such' for containers or pods" in told
    told = await daas("apps", "--engine", "cluster", code=2)
    assert "There is no container engine 'cluster'" in told

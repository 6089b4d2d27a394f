"""A session's pod passes the Pod Security Standard "restricted", whatever a facility sets (X2)."""

import copy
from typing import Any

import pytest

from daas_model.people import Account
from daas_spawner.kubernetes.rendering import Manifest
from tests.spawner.kubernetes.manifests import container_of, manifest, place, plan, violations
from tests.spawner.test_plan import PI

CONFINED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
}
PROBE = {"httpGet": {"host": "10.0.0.1", "port": 22}}
HOSTILE: dict[str, dict[str, object]] = {
    "nothing": {},
    "privileged": {"privileged": True, "allow_privilege_escalation": True},
    "privileged in the container's own words": {
        "container_security_context": {"privileged": True, "procMount": "Unmasked"}
    },
    "privileged by what is added last": {
        "extra_container_config": {"securityContext": {"privileged": True, "runAsUser": 0}}
    },
    "capabilities": {"container_security_context": {"capabilities": {"add": ["SYS_ADMIN"]}}},
    "as root": {"uid": 0, "gid": 0, "fs_gid": 0, "supplemental_gids": [0]},
    "as root in the pod's own words": {
        "pod_security_context": {
            "runAsUser": 0,
            "runAsNonRoot": False,
            "supplementalGroups": [0],
            "seccompProfile": {"type": "Unconfined"},
            "sysctls": [{"name": "kernel.msgmax", "value": "1"}],
        }
    },
    "without filters": {
        "container_security_context": {
            "seccompProfile": {"type": "Unconfined"},
            "appArmorProfile": {"type": "Unconfined"},
            "seLinuxOptions": {"type": "spc_t"},
        },
        "extra_annotations": {
            "container.apparmor.security.beta.kubernetes.io/notebook": "unconfined"
        },
    },
    "the node's namespaces": {
        "extra_pod_config": {"hostNetwork": True, "hostPID": True, "hostIPC": True}
    },
    "the node's ports": {
        "extra_container_config": {"ports": [{"containerPort": 8888, "hostPort": 8888}]}
    },
    "a key to the cluster": {
        "service_account": "hub",
        "automount_service_account_token": True,
        "extra_pod_config": {"automountServiceAccountToken": True},
    },
    "probes of other hosts": {
        "extra_container_config": {"livenessProbe": PROBE, "startupProbe": PROBE},
        "lifecycle_hooks": {"preStop": PROBE},
    },
    "it begins again and again": {"extra_pod_config": {"restartPolicy": "Always"}},
}


@pytest.mark.parametrize("settings", HOSTILE.values(), ids=HOSTILE.keys())
async def test_no_setting_of_the_stock_spawner_loosens_a_session(
    settings: dict[str, object],
) -> None:
    pod = await manifest(plan("pymca", "p-1"), **settings)
    assert violations(pod) == []
    spec, container = pod["spec"], container_of(pod)
    assert container["securityContext"] == CONFINED
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": PI.uid,
        "runAsGroup": PI.gid,
        "supplementalGroups": [62001, 62002],
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert spec["restartPolicy"] == "Never"
    assert [port.get("hostPort") for port in container["ports"]] == [None]
    assert (container["livenessProbe"], container["startupProbe"]) == (None, None)


SEEN_BY_THE_NAMESPACE: dict[str, tuple[dict[str, object], list[str]]] = {
    "a folder of the node": (
        {"volumes": [{"name": "scratch", "hostPath": {"path": "/scratch"}}]},
        ["volume scratch"],
    ),
    "a file server without a claim": (
        {"volumes": [{"name": "soft", "nfs": {"server": "nfs.example", "path": "/sw"}}]},
        ["volume soft"],
    ),
    "a container beside it": (
        {
            "extra_containers": [
                {"name": "helper", "image": "x", "securityContext": {"privileged": True}}
            ]
        },
        [
            "helper: privileged",
            "helper: allowPrivilegeEscalation",
            "helper: capabilities.drop",
        ],
    ),
}


@pytest.mark.parametrize("id_", SEEN_BY_THE_NAMESPACE)
async def test_what_a_facility_adds_beside_a_session_stays_and_the_namespace_decides(
    id_: str,
) -> None:
    settings, forbidden = SEEN_BY_THE_NAMESPACE[id_]
    pod = await manifest(plan("pymca", "p-1"), **settings)
    assert violations(pod) == forbidden
    assert container_of(pod)["securityContext"] == CONFINED


async def test_no_file_of_the_nodes_is_one_that_a_session_can_fill() -> None:
    """The file for a container's last message can be written by all, and is counted by nobody."""
    open_to_all = {"terminationMessagePath": "/tmp/message"}
    pod = await manifest(plan("pymca", "p-1"), extra_container_config=open_to_all)
    container = container_of(pod)
    assert container["terminationMessagePath"].startswith("/root/")
    assert container["terminationMessagePolicy"] == "File"


ACCOUNTS = {
    "without groups": Account("pi", 61001, 61001, {}, PI.home),
    "with its own group among them": Account("pi", 61001, 61001, {"pi": 61001}, PI.home),
    "with two names for one group": Account("pi", 61001, 7, {"a": 62001, "b": 62001}, PI.home),
}


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS.keys())
async def test_every_account_is_an_ordinary_person(account: Account) -> None:
    pod = await manifest(plan(account=account))
    assert violations(pod) == []
    context = pod["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (account.uid, account.gid)
    assert context["supplementalGroups"] == sorted(set(account.groups.values()))
    assert "fsGroup" not in context, "it would give a volume's files to that group"


@pytest.mark.parametrize("app", ["pymca", "jupyterlab"])
@pytest.mark.parametrize("proposals", [(), ("p-1",), ("p-1", "p-2")], ids=len)
@pytest.mark.parametrize("notice", [0, 120])
async def test_every_plan_passes(app: str, proposals: tuple[str, ...], notice: int) -> None:
    pod = await manifest(plan(app, *proposals), place(notice_seconds=notice, network="open"))
    assert violations(pod) == []


def changed(pod: Manifest, where: str, value: Any) -> Manifest:
    """Return *pod* with *value* at *where*, a path with dots and numbers."""
    made = copy.deepcopy(pod)
    *path, last = where.split(".")
    place: Any = made
    for step in path:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    place[last] = value
    return made


CONTAINER = "spec.containers.0.securityContext."
FORBIDDEN = {
    "hostNetwork": ("spec.hostNetwork", True),
    "hostPID": ("spec.hostPID", True),
    "hostIPC": ("spec.hostIPC", True),
    "volume x": ("spec.volumes", [{"name": "x", "hostPath": {"path": "/"}}]),
    "pod: hostProcess": ("spec.securityContext.windowsOptions", {"hostProcess": True}),
    "pod: runAsUser": ("spec.securityContext.runAsUser", 0),
    "pod: sysctls": ("spec.securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    "pod: seccompProfile": ("spec.securityContext.seccompProfile", {"type": "Unconfined"}),
    "notebook: runAsNonRoot": ("spec.securityContext.runAsNonRoot", False),
    "notebook: seccompProfile is missing": ("spec.securityContext.seccompProfile", None),
    "notebook: privileged": (f"{CONTAINER}privileged", True),
    "notebook: allowPrivilegeEscalation": (f"{CONTAINER}allowPrivilegeEscalation", None),
    "notebook: capabilities.add": (
        f"{CONTAINER}capabilities",
        {"add": ["CHOWN"], "drop": ["ALL"]},
    ),
    "notebook: capabilities.drop": (f"{CONTAINER}capabilities", {"drop": ["NET_RAW"]}),
    "notebook: procMount": (f"{CONTAINER}procMount", "Unmasked"),
    "notebook: seLinuxOptions": (f"{CONTAINER}seLinuxOptions", {"type": "spc_t"}),
    "notebook: appArmorProfile": (f"{CONTAINER}appArmorProfile", {"type": "Unconfined"}),
    "notebook: hostPort": ("spec.containers.0.ports", [{"containerPort": 1, "hostPort": 1}]),
    "notebook: readinessProbe: host": ("spec.containers.0.readinessProbe", PROBE),
    "notebook: preStop: host": ("spec.containers.0.lifecycle", {"preStop": PROBE}),
    "annotation container.apparmor.security.beta.kubernetes.io/notebook": (
        "metadata.annotations",
        {"container.apparmor.security.beta.kubernetes.io/notebook": "unconfined"},
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
async def test_the_judge_of_these_tests_sees_what_the_standard_forbids(what: str) -> None:
    """Else nothing above would be proved."""
    assert violations(changed(await manifest(plan()), *FORBIDDEN[what])) == [what]

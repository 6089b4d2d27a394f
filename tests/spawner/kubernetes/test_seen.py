"""Pods and events as the cluster's API tells them, read once (R2)."""

from typing import Any

import pytest

from daas_spawner.kubernetes.seen import EventSeen, PodSeen

#: 2026-11-23T10:00:00Z
TEN = 1795428000.0
METADATA = {
    "name": "jupyter-pi-5f1c",
    "uid": "b9e4",
    "labels": {"daas.hub": "77aa", "daas.session": "5f1c"},
    "creationTimestamp": "2026-11-23T10:00:00Z",
}
PLACED = {"type": "PodScheduled", "status": "True", "message": None}
NO_ROOM = "0/2 nodes are available: 2 Insufficient memory."


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {**METADATA, **metadata}, "status": status}


def container(state: dict[str, Any], name: str = "notebook") -> dict[str, Any]:
    return {"name": name, "state": state}


def running(**more: Any) -> dict[str, Any]:
    statuses = [container({"running": {"startedAt": "2026-11-23T10:00:01Z"}})]
    return {
        "phase": "Running",
        "podIP": "10.1.2.3",
        "conditions": [PLACED],
        "containerStatuses": statuses,
        **more,
    }


def ended(state: dict[str, Any], phase: str = "Failed") -> dict[str, Any]:
    return running(phase=phase, containerStatuses=[container({"terminated": state})])


PODS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "just made": (pod({"phase": "Pending"}), {"phase": "Pending"}),
    "without a status": ({"metadata": METADATA}, {"phase": ""}),
    "no node takes it": (
        pod(
            {
                "phase": "Pending",
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": NO_ROOM,
                    }
                ],
            }
        ),
        {"phase": "Pending", "unplaced": NO_ROOM},
    ),
    "a node takes it after all": (
        pod({"phase": "Pending", "conditions": [{**PLACED, "message": NO_ROOM}]}),
        {"phase": "Pending", "unplaced": ""},
    ),
    "its container is being made": (
        pod(
            {
                "phase": "Pending",
                "containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})],
            }
        ),
        {"phase": "Pending", "waiting": "ContainerCreating", "waiting_words": ""},
    ),
    "its image cannot be pulled": (
        pod(
            {
                "phase": "Pending",
                "containerStatuses": [
                    container({"waiting": {"reason": "ErrImagePull", "message": "not found"}})
                ],
            }
        ),
        {"phase": "Pending", "waiting": "ErrImagePull", "waiting_words": "not found"},
    ),
    "running": (pod(running()), {"phase": "Running", "ip": "10.1.2.3", "running": True}),
    "running, and null stands for what is not": (
        pod(
            running(
                containerStatuses=[
                    container({"running": {}, "waiting": None, "terminated": None}),
                ]
            )
        ),
        {"phase": "Running", "ip": "10.1.2.3", "running": True},
    ),
    "another container beside it runs": (
        pod(running(containerStatuses=[container({"running": {}}, name="metrics")])),
        {"phase": "Running", "ip": "10.1.2.3", "running": False},
    ),
    "it crashed": (
        pod(ended({"exitCode": 139, "reason": "Error"})),
        {"phase": "Failed", "ip": "10.1.2.3", "exit_code": 139, "exit_reason": "Error"},
    ),
    "it ended well": (
        pod(ended({"exitCode": 0, "reason": "Completed"}, "Succeeded")),
        {"phase": "Succeeded", "ip": "10.1.2.3", "exit_code": 0, "exit_reason": "Completed"},
    ),
    "its node is drained": (
        pod(
            running(
                conditions=[
                    PLACED,
                    {
                        "type": "DisruptionTarget",
                        "status": "True",
                        "reason": "EvictionByEvictionAPI",
                        "message": "Eviction API: evicting",
                    },
                ]
            ),
            deletionTimestamp="2026-11-23T10:02:10Z",
        ),
        {
            "phase": "Running",
            "ip": "10.1.2.3",
            "running": True,
            "disrupted": "EvictionByEvictionAPI",
            "ends_at": TEN + 130,
        },
    ),
    "its place was wanted, and then not": (
        pod(
            running(
                conditions=[
                    {
                        "type": "DisruptionTarget",
                        "status": "False",
                        "reason": "PreemptionByScheduler",
                    }
                ]
            )
        ),
        {"phase": "Running", "ip": "10.1.2.3", "running": True, "disrupted": ""},
    ),
    "it wrote too much": (
        pod({"phase": "Failed", "reason": "Evicted", "message": "Usage of EmptyDir volume …"}),
        {"phase": "Failed", "failed": "Evicted", "failed_words": "Usage of EmptyDir volume …"},
    ),
    "deleted": (
        pod(running(), deletionTimestamp="2026-11-23T10:00:01Z"),
        {"phase": "Running", "ip": "10.1.2.3", "running": True, "ends_at": TEN + 1},
    ),
    "lists are null": (
        pod({"phase": "Pending", "conditions": None, "containerStatuses": None, "podIP": None}),
        {"phase": "Pending"},
    ),
}
OVER = {
    "it crashed",
    "it ended well",
    "it wrote too much",
}


@pytest.mark.parametrize("id_", PODS)
def test_a_pod_is_read(id_: str) -> None:
    raw, expected = PODS[id_]
    seen = PodSeen.parse(raw)
    known = {"name": "jupyter-pi-5f1c", "uid": "b9e4", "session": "5f1c", "created": TEN}
    assert seen == PodSeen(**{**known, **expected})
    assert seen.over is (id_ in OVER)


def test_a_pod_of_somebody_else_has_no_session() -> None:
    assert PodSeen.parse(pod(running(), labels=None)).session == ""


@pytest.mark.parametrize("raw", [{}, {"metadata": {}}, {"metadata": {"name": "x"}}], ids=str)
def test_what_is_no_pod_is_an_error_that_the_watch_knows(raw: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        PodSeen.parse(raw)


EVENT = {
    "metadata": {"name": "x.1", "creationTimestamp": "2026-11-23T10:00:09Z"},
    "involvedObject": {"kind": "Pod", "name": "jupyter-pi-5f1c", "uid": "b9e4"},
    "reason": "Pulling",
    "message": 'Pulling image "docker.io/daas/pymca:1"',
}
SINCE = {
    "a kubelet's": ({"firstTimestamp": "2026-11-23T10:00:00Z"}, TEN),
    "one that was told again": (
        {"firstTimestamp": "2026-11-23T10:00:00Z", "lastTimestamp": "2026-11-23T10:05:00Z"},
        TEN,
    ),
    "the scheduler's": (
        {"firstTimestamp": None, "eventTime": "2026-11-23T10:00:00.250000Z"},
        TEN + 0.25,
    ),
    "without a time": ({"firstTimestamp": None, "eventTime": None}, TEN + 9),
}


@pytest.mark.parametrize(("times", "since"), SINCE.values(), ids=SINCE.keys())
def test_an_event_is_read_with_when_it_began(times: dict[str, Any], since: float) -> None:
    assert EventSeen.parse({**EVENT, **times}) == EventSeen(
        "jupyter-pi-5f1c", "b9e4", "Pulling", 'Pulling image "docker.io/daas/pymca:1"', since
    )


def test_an_event_without_words_is_one_too() -> None:
    raw = {**EVENT, "reason": None, "message": None, "involvedObject": {"name": "x"}}
    assert EventSeen.parse(raw) == EventSeen("x", "", "", "", TEN + 9)

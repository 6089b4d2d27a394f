"""What a pod waits for, why it fails and why it ends, as a person reads it (R2, S8)."""

from dataclasses import replace
from typing import Any

import pytest

from daas_desktop.enter import NO_HOME
from daas_model.errors import DaasError, EngineProblem, ImageProblem, StorageProblem
from daas_spawner.backend import OUT_OF_MEMORY
from daas_spawner.kubernetes.reasons import (
    MOUNT_SECONDS,
    NO_HOME_EXIT,
    REGISTRY_SECONDS,
    ending,
    failure,
    notice,
    waits_for,
)
from daas_spawner.kubernetes.seen import EventSeen, PodSeen

NOW = 1_000_000.0
PATIENCE = 300.0
PENDING = PodSeen("jupyter-pi-5f1c", "b9e4", "5f1c", "Pending", NOW - 30)
RUNNING = replace(PENDING, phase="Running", ip="10.1.2.3", running=True)
#: What stands in the cluster's words below and must not reach a person.
NAMES = ("worker-7", "registry.example", "daas/pymca", "10.1.2.3", "jupyter-pi", "pv-data", "/data")

NO_NODE = "0/3 nodes are available: "
PULLING = 'Pulling image "registry.example/daas/pymca:1"'
NO_MOUNT = 'MountVolume.SetUp failed for volume "pv-data": mount failed: 10.1.2.3:/data'
GOING_CLAIM = f'{NO_NODE}persistentvolumeclaim "pv-data" is being deleted.'
UNBOUND = f"{NO_NODE}pod has unbound immediate PersistentVolumeClaims."
NO_FOLDER_YET = "Waiting for a folder that the cluster cannot mount yet."
LOST_CLAIM = (
    f'{NO_NODE}persistentvolumeclaim "pv-data" bound to non-existent persistentvolume "pv-data".'
)
NO_CLAIM = f'{NO_NODE}persistentvolumeclaim "pv-data" not found.'
MANIFEST = "rpc error: registry.example/daas/pymca:1: manifest unknown"
NO_ANSWER = "dial tcp 10.1.2.3:443: i/o timeout"
NO_NAME = "dial tcp: lookup registry.example on 10.1.2.3:53: no such host"


def event(reason: str, words: str = "", ago: float = 20) -> EventSeen:
    return EventSeen(PENDING.name, PENDING.uid, reason, words, NOW - ago)


def pending(**seen: Any) -> PodSeen:
    return replace(PENDING, **seen)


def no_node(*lacks: str) -> PodSeen:
    return pending(unplaced=NO_NODE + ", ".join(lacks) + ". preemption: 0/3 nodes are available.")


ROOM = "Waiting for room in the cluster: "
WAITS: dict[str, tuple[PodSeen, list[EventSeen], str]] = {
    "nothing yet": (PENDING, [], ""),
    "a node has it": (pending(waiting="ContainerCreating"), [event("Scheduled")], ""),
    "no free GPU": (
        no_node("3 Insufficient nvidia.com/gpu"),
        [],
        f"{ROOM}no node has a free GPU.",
    ),
    "no free GPU, and a node is coming": (
        no_node("3 Insufficient nvidia.com/gpu"),
        [event("TriggeredScaleUp", "pod triggered scale-up: [{worker-7 1->2}]")],
        f"{ROOM}no node has a free GPU: the cluster is adding one.",
    ),
    "GPUs of the kind are taken, other nodes are of another kind": (
        no_node(
            "1 Insufficient nvidia.com/gpu",
            "1 node(s) didn't match Pod's node affinity/selector",
            "1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }",
        ),
        [],
        f"{ROOM}no node has a free GPU.",
    ),
    "memory and processors": (
        no_node("1 Insufficient cpu", "2 Insufficient memory"),
        [],
        f"{ROOM}no node has enough free memory and no node has enough free processors.",
    ),
    "too many pods": (
        no_node("3 Too many pods"),
        [],
        f"{ROOM}the nodes run as many sessions as they may.",
    ),
    "no node with the label": (
        no_node(
            "2 node(s) didn't match Pod's node affinity/selector",
            "1 node(s) had untolerated taint(s)",
        ),
        [],
        f"{ROOM}no node is of the kind that it asks for.",
    ),
    "all are drained": (
        no_node("3 node(s) were unschedulable"),
        [],
        f"{ROOM}its nodes are out of service.",
    ),
    "all have a taint": (
        no_node("3 node(s) had untolerated taint(s)"),
        [],
        f"{ROOM}its nodes are out of service.",
    ),
    "words that nobody foresaw": (
        no_node("3 node(s) like worker-7 have the wrong colour"),
        [],
        f"{ROOM}no node can take it.",
    ),
    "pulling": (
        pending(waiting="ContainerCreating"),
        [event("Scheduled"), event("Pulling", PULLING)],
        "Pulling the image of PyMca, for 20 s.",
    ),
    "pulling by a node whose clock is ahead": (
        PENDING,
        [event("Pulling", PULLING, ago=-3)],
        "Pulling the image of PyMca, for 0 s.",
    ),
    "pulled": (
        PENDING,
        [event("Pulling", PULLING), event("Pulled", "Successfully pulled registry.example")],
        "",
    ),
    "the registry is away": (
        pending(waiting="ErrImagePull", waiting_words=NO_ANSWER),
        [event("Pulling", PULLING), event("Failed", NO_ANSWER)],
        "The image of PyMca cannot be fetched just now; the cluster tries again.",
    ),
    "a folder cannot be mounted": (
        pending(waiting="ContainerCreating"),
        [event("Scheduled"), event("FailedMount", NO_MOUNT)],
        NO_FOLDER_YET,
    ),
    "a volume cannot be attached": (
        PENDING,
        [event("FailedAttachVolume", "AttachVolume.Attach failed for volume pv-data")],
        NO_FOLDER_YET,
    ),
    "a claim is going": (pending(unplaced=GOING_CLAIM), [], NO_FOLDER_YET),
    "a claim has lost its volume": (pending(unplaced=LOST_CLAIM), [], NO_FOLDER_YET),
    "a claim has no volume yet": (pending(unplaced=UNBOUND), [], NO_FOLDER_YET),
    "a folder could not be mounted at first": (
        PENDING,
        [event("FailedMount", NO_MOUNT), event("Pulling", PULLING)],
        "Pulling the image of PyMca, for 20 s.",
    ),
}


def check_words(words: str) -> None:
    """A person reads sentences, in which nothing of the cluster has a name."""
    assert not [name for name in NAMES if name in words]
    assert not words or words.endswith(".")


@pytest.mark.parametrize(("pod", "events", "words"), WAITS.values(), ids=WAITS.keys())
def test_a_start_says_what_it_waits_for(pod: PodSeen, events: list[EventSeen], words: str) -> None:
    assert waits_for(pod, events, "PyMca", NOW) == words
    check_words(words)


NO_IMAGE = "The image of this app cannot be fetched by the cluster, so nothing was started."
NO_VOLUME = "The cluster cannot mount a volume that the session needs."
NO_FOLDER = "A folder that the session needs is missing."
NO_START = "The app did not start."
NOT_OURS = "This app's image is not made for the portal, so nothing was started."

Failure = tuple[PodSeen, list[EventSeen], float, type[DaasError], str]
FAILURES: dict[str, Failure] = {
    "an image that is nowhere": (
        pending(waiting="ErrImagePull", waiting_words=MANIFEST),
        [],
        1,
        ImageProblem,
        NO_IMAGE,
    ),
    "an image that is nowhere, said in an event": (
        pending(waiting="ImagePullBackOff", waiting_words="Back-off pulling image"),
        [event("Failed", MANIFEST)],
        1,
        ImageProblem,
        NO_IMAGE,
    ),
    "an image that may not be had": (
        pending(waiting="ErrImagePull", waiting_words="401 Unauthorized"),
        [],
        1,
        ImageProblem,
        NO_IMAGE,
    ),
    "an image that must be there and is not": (
        pending(waiting="ErrImageNeverPull", waiting_words="registry.example/daas/pymca:1"),
        [],
        1,
        ImageProblem,
        NO_IMAGE,
    ),
    "an image whose name is none": (
        pending(waiting="InvalidImageName"),
        [],
        1,
        ImageProblem,
        NO_IMAGE,
    ),
    "a registry that stays away": (
        pending(waiting="ImagePullBackOff", waiting_words=NO_ANSWER),
        [],
        REGISTRY_SECONDS + 1,
        ImageProblem,
        NO_IMAGE,
    ),
    "an image without our first program": (
        pending(waiting="RunContainerError", waiting_words='exec: "daas-enter": not found'),
        [],
        1,
        EngineProblem,
        NOT_OURS,
    ),
    "a folder that is missing": (
        pending(
            waiting="CreateContainerConfigError",
            waiting_words='failed to prepare subPath for volumeMount "claim-0"',
        ),
        [],
        1,
        StorageProblem,
        NO_FOLDER,
    ),
    "a secret of the facility's is missing": (
        pending(waiting="CreateContainerConfigError", waiting_words='secret "x" not found'),
        [],
        1,
        EngineProblem,
        NOT_OURS,
    ),
    "a claim that is missing": (pending(unplaced=NO_CLAIM), [], 1, StorageProblem, NO_VOLUME),
    "a claim that is going": (pending(unplaced=GOING_CLAIM), [], 1, StorageProblem, NO_VOLUME),
    "a claim without its volume": (pending(unplaced=LOST_CLAIM), [], 1, StorageProblem, NO_VOLUME),
    "a claim without a volume": (
        pending(unplaced=UNBOUND),
        [],
        MOUNT_SECONDS + 1,
        StorageProblem,
        NO_VOLUME,
    ),
    "a volume that stays away": (
        PENDING,
        [event("FailedMount", NO_MOUNT)],
        MOUNT_SECONDS + 1,
        StorageProblem,
        NO_VOLUME,
    ),
    "no room for too long": (
        no_node("3 Insufficient memory"),
        [],
        PATIENCE + 1,
        EngineProblem,
        "The cluster had no room for it: no node has enough free memory. Nothing was started.",
    ),
    "nothing happens for too long": (
        PENDING,
        [],
        PATIENCE + 1,
        EngineProblem,
        "The cluster had no room for it. Nothing was started.",
    ),
    "a home that cannot be used": (
        replace(PENDING, phase="Failed", exit_code=NO_HOME_EXIT, exit_reason="Error"),
        [],
        1,
        StorageProblem,
        "Your home folder is missing, is not yours, or cannot be written.",
    ),
    "it crashed": (
        replace(PENDING, phase="Failed", exit_code=1, exit_reason="Error"),
        [],
        1,
        EngineProblem,
        NO_START,
    ),
    "it ended well, too early": (
        replace(PENDING, phase="Succeeded", exit_code=0, exit_reason="Completed"),
        [],
        1,
        EngineProblem,
        NO_START,
    ),
    "it had too little memory": (
        replace(PENDING, phase="Failed", exit_code=137, exit_reason="OOMKilled"),
        [],
        1,
        EngineProblem,
        f"{NO_START} {OUT_OF_MEMORY}",
    ),
    "its node is drained meanwhile": (
        pending(ends_at=NOW, disrupted="EvictionByEvictionAPI"),
        [],
        1,
        EngineProblem,
        f"{NO_START} Its machine in the cluster was taken out of service.",
    ),
    "somebody deletes it meanwhile": (pending(ends_at=NOW), [], 1, EngineProblem, NO_START),
}


@pytest.mark.parametrize("id_", FAILURES)
def test_a_start_that_fails_says_why(id_: str) -> None:
    pod, events, waited, kind, message = FAILURES[id_]
    problem = failure(pod, events, waited, PATIENCE)
    assert problem is not None
    assert type(problem) is kind
    assert problem.message == message
    check_words(problem.message)
    check_words(problem.action)


GOES_ON: dict[str, tuple[PodSeen, list[EventSeen], float]] = {
    "nothing yet": (PENDING, [], 1),
    "it runs": (RUNNING, [], 1),
    "no room yet": (no_node("3 Insufficient memory"), [], PATIENCE - 1),
    "a volume that may come": (PENDING, [event("FailedMount", NO_MOUNT)], MOUNT_SECONDS - 1),
    "a volume that came": (
        PENDING,
        [event("FailedMount", NO_MOUNT), event("Pulling", PULLING)],
        MOUNT_SECONDS + 1,
    ),
    "a registry that may answer": (
        pending(waiting="ErrImagePull", waiting_words=NO_ANSWER),
        [],
        REGISTRY_SECONDS - 1,
    ),
    "a registry whose name is not known just now": (
        pending(waiting="ErrImagePull", waiting_words=NO_NAME),
        [event("Failed", NO_NAME)],
        REGISTRY_SECONDS - 1,
    ),
    "a large image": (
        pending(waiting="ContainerCreating"),
        [event("Pulling", PULLING)],
        PATIENCE - 1,
    ),
}


@pytest.mark.parametrize(("pod", "events", "waited"), GOES_ON.values(), ids=GOES_ON.keys())
def test_a_start_goes_on_while_it_may(pod: PodSeen, events: list[EventSeen], waited: float) -> None:
    assert failure(pod, events, waited, PATIENCE) is None


def over(**seen: Any) -> PodSeen:
    return replace(RUNNING, phase="Failed", running=False, **seen)


OUT = "Its machine in the cluster was taken out of service."
FULL = "Its machine in the cluster had no disk space or memory left."
ENDINGS: dict[str, tuple[PodSeen, str]] = {
    "by itself": (over(exit_code=0, exit_reason="Completed"), ""),
    "with an error": (over(exit_code=3, exit_reason="Error"), ""),
    "killed": (over(exit_code=137, exit_reason="Error"), ""),
    "memory": (over(exit_code=137, exit_reason="OOMKilled"), OUT_OF_MEMORY),
    "a program of it had too little memory": (over(exit_code=1, exit_reason="OOMKilled"), ""),
    "drained": (over(exit_code=143, disrupted="EvictionByEvictionAPI"), OUT),
    "its node has a taint": (over(disrupted="DeletionByTaintManager"), OUT),
    "its node is shut down": (over(failed="Terminated", disrupted="TerminationByKubelet"), OUT),
    "its node is lost": (over(failed="NodeLost"), OUT),
    "displaced": (
        over(exit_code=143, disrupted="PreemptionByScheduler"),
        "The cluster needed its place for something more urgent.",
    ),
    "its node is full": (
        over(
            failed="Evicted",
            failed_words="The node was low on resource: ephemeral-storage. Container notebook was "
            "using 9Gi, request is 0, has larger consumption of ephemeral-storage.",
            disrupted="TerminationByKubelet",
        ),
        FULL,
    ),
    "it has filled its temporary folder": (
        over(
            failed="Evicted",
            failed_words='Usage of EmptyDir volume "tmp" exceeds the limit "10Gi". ',
        ),
        "It wrote more to its temporary folders than it may.",
    ),
    "it has filled what the facility allows": (
        over(
            failed="Evicted",
            failed_words="Pod ephemeral local storage usage exceeds the total limit of "
            "containers 20Gi. ",
        ),
        "It wrote more to its temporary folders than it may.",
    ),
}


@pytest.mark.parametrize(("pod", "words"), ENDINGS.values(), ids=ENDINGS.keys())
def test_a_session_that_ended_says_why_if_anybody_knows(pod: PodSeen, words: str) -> None:
    assert ending(pod) == words
    check_words(words)


NOTICES = {
    "EvictionByEvictionAPI": "its machine is taken out of service",
    "DeletionByTaintManager": "its machine is taken out of service",
    "PreemptionByScheduler": "the cluster needs its place for something more urgent",
    "": "an administrator ends it",
}


@pytest.mark.parametrize(("disrupted", "why"), NOTICES.items(), ids=NOTICES.values())
def test_a_person_is_told_when_and_why_her_session_ends(disrupted: str, why: str) -> None:
    pod = replace(RUNNING, ends_at=NOW + 120, disrupted=disrupted)
    words = notice(pod, "PyMca", "10:02 UTC")
    assert words == f"PyMca ends at 10:02 UTC: {why}. Save your work, then open it again."


def test_the_first_program_and_the_hub_mean_the_same_by_its_end() -> None:
    assert NO_HOME_EXIT == NO_HOME

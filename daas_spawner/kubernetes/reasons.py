"""What a pod waits for, why it did not start and why it ended, in words for a person. Pure.

The cluster's own words are for the log: they name nodes, images and addresses.
"""

import re
from collections.abc import Sequence

from daas_model.errors import DaasError, EngineProblem, ImageProblem, StorageProblem
from daas_spawner.backend import OUT_OF_MEMORY
from daas_spawner.kubernetes.seen import EventSeen, PodSeen

#: A folder that cannot be mounted is tried again by the cluster for so long; then it is missing.
MOUNT_SECONDS = 20.0
#: An image whose registry does not answer is asked for so long.
REGISTRY_SECONDS = 60.0
#: How the first program of our images ends when the home is not usable.
NO_HOME_EXIT = 72
KILLED = 137

#: What a scheduler says of nodes, and what it means.
_LACKS = (
    (r"Insufficient \S*gpu\S*", "no node has a free GPU"),
    (r"Insufficient memory", "no node has enough free memory"),
    (r"Insufficient cpu", "no node has enough free processors"),
    (r"Too many pods", "the nodes run as many sessions as they may"),
)
#: What it says of the other nodes, too: the first counts where nothing is lacking.
_NOT_FOR_IT = (
    (r"didn't match Pod's node (affinity|selector)", "no node is of the kind that it asks for"),
    (r"untolerated taint|were unschedulable", "its nodes are out of service"),
)
_NO_CLAIM = re.compile(
    r"persistentvolumeclaim \"?[^ ]+\"? (not found|is being deleted|bound to non-existent)"
)
_UNBOUND = "unbound immediate PersistentVolumeClaims"
_NO_IMAGE = re.compile(
    r"not found|denied|unauthorized|manifest unknown|no such (?!host)|does not exist", re.I
)
#: It, and not others, has filled its node's disk.
_TOO_MUCH = re.compile(r"exceeds the (total )?limit|exceeded its local ephemeral storage limit")
_OF_MOUNTS = frozenset({"FailedMount", "FailedAttachVolume", "Pulling", "Pulled", "Created"})
_IMAGE_WORDS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
_IMAGE_NEVER = frozenset({"ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})
_CANNOT_RUN = frozenset({"CreateContainerError", "RunContainerError", "StartError"})
_TAKEN_OUT = frozenset({"EvictionByEvictionAPI", "DeletionByTaintManager", "TerminationByKubelet"})
_DISPLACED = "PreemptionByScheduler"


def waits_for(pod: PodSeen, events: Sequence[EventSeen], title: str, now: float) -> str:
    """Return what the start of *title* waits for; empty when there is nothing to say."""
    if _UNBOUND in pod.unplaced or _NO_CLAIM.search(pod.unplaced) or _mount_failed(events):
        return "Waiting for a folder that the cluster cannot mount yet."
    if pod.unplaced:
        adding = any(event.reason == "TriggeredScaleUp" for event in events)
        more = ": the cluster is adding one" if adding else ""
        return f"Waiting for room in the cluster: {_lack(pod.unplaced)}{more}."
    if pod.waiting in _IMAGE_WORDS:
        return f"The image of {title} cannot be fetched just now; the cluster tries again."
    last = next((one for one in reversed(events) if one.reason in ("Pulling", "Pulled")), None)
    if last is not None and last.reason == "Pulling":
        return f"Pulling the image of {title}, for {max(0, round(now - last.since))} s."
    return ""


def failure(
    pod: PodSeen, events: Sequence[EventSeen], waited: float, patience: float
) -> DaasError | None:
    """Return why *pod* will not start, None while it may. Both times in seconds."""
    if pod.over or pod.ends_at:
        return _ended_at_once(pod)
    if pod.waiting in _IMAGE_NEVER or (
        pod.waiting in _IMAGE_WORDS
        and (_NO_IMAGE.search(_said_of_image(pod, events)) or waited > REGISTRY_SECONDS)
    ):
        return ImageProblem(
            "The image of this app cannot be fetched by the cluster, so nothing was started.",
            detail=f"{pod.waiting}: {pod.waiting_words}",
        )
    if pod.waiting in _CANNOT_RUN or pod.waiting == "CreateContainerConfigError":
        return _not_run(pod)
    unmounted = _UNBOUND in pod.unplaced or _mount_failed(events)
    if _NO_CLAIM.search(pod.unplaced) or (unmounted and waited > MOUNT_SECONDS):
        return StorageProblem(
            "The cluster cannot mount a volume that the session needs.",
            detail=pod.unplaced or _mount_failed(events),
        )
    if waited > patience:
        lack = f": {_lack(pod.unplaced)}" if pod.unplaced else ""
        return EngineProblem(
            f"The cluster had no room for it{lack}. Nothing was started.",
            "Choose another machine, or try again later.",
            detail=pod.unplaced or pod.waiting_words,
        )
    return None


def _ended_at_once(pod: PodSeen) -> DaasError:
    if pod.exit_code == NO_HOME_EXIT:
        return StorageProblem("Your home folder is missing, is not yours, or cannot be written.")
    detail = f"exit code {pod.exit_code}, {pod.exit_reason or pod.failed or pod.disrupted}"
    why = ending(pod)
    return EngineProblem(f"The app did not start. {why}".strip(), detail=detail)


def _not_run(pod: PodSeen) -> DaasError:
    detail = f"{pod.waiting}: {pod.waiting_words}"
    if "subpath" in pod.waiting_words.lower():
        return StorageProblem("A folder that the session needs is missing.", detail=detail)
    return EngineProblem(
        "This app's image is not made for the portal, so nothing was started.", detail=detail
    )


def ending(pod: PodSeen) -> str:
    """Return why *pod* ended, in sentences; empty when nobody knows."""
    # What was killed must be the session's own program, not one that it ran.
    if pod.exit_reason == "OOMKilled" and pod.exit_code == KILLED:
        return OUT_OF_MEMORY
    if pod.failed == "Evicted":
        if _TOO_MUCH.search(pod.failed_words):
            return "It wrote more to its temporary folders than it may."
        return "Its machine in the cluster had no disk space or memory left."
    if pod.disrupted in _TAKEN_OUT or pod.failed in ("NodeShutdown", "NodeLost", "Terminated"):
        return "Its machine in the cluster was taken out of service."
    if pod.disrupted == _DISPLACED:
        return "The cluster needed its place for something more urgent."
    return ""


def notice(pod: PodSeen, title: str, clock: str) -> str:
    """Return what the person reads while *pod* is being ended until *clock*, a time of day."""
    why = "an administrator ends it"
    if pod.disrupted in _TAKEN_OUT:
        why = "its machine is taken out of service"
    if pod.disrupted == _DISPLACED:
        why = "the cluster needs its place for something more urgent"
    return f"{title} ends at {clock}: {why}. Save your work, then open it again."


def _lack(words: str) -> str:
    found = [meaning for said, meaning in _LACKS if re.search(said, words)]
    found = found or [meaning for said, meaning in _NOT_FOR_IT if re.search(said, words)][:1]
    return " and ".join(found) or "no node can take it"


def _mount_failed(events: Sequence[EventSeen]) -> str:
    """Return the cluster's words on a volume that it could not mount, unless it has since."""
    last = next((one for one in reversed(events) if one.reason in _OF_MOUNTS), None)
    return last.words if last is not None and last.reason.startswith("Failed") else ""


def _said_of_image(pod: PodSeen, events: Sequence[EventSeen]) -> str:
    failed = [event.words for event in events if event.reason == "Failed"]
    return " ".join([pod.waiting_words, *failed])

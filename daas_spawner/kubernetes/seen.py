"""What the watch sees of pods and events, read once into what we use of them.

Fields are those of the Kubernetes API, `core/v1`:
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: The labels of a session's pod: which hub's it is, and which session's.
HUB, SESSION = "daas.hub", "daas.session"
#: The container of a pod that is the session; a facility may have others beside it.
CONTAINER = "notebook"

Raw = Mapping[str, Any]
#: What something that is no pod, or no event, raises when it is read.
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class PodSeen:
    """One pod of ours, as it was seen last. Times are in seconds since 1970, 0 for none.

    *waiting* is why its container does not run yet and *exit_code* how it ended (None while it
    has not), each with the cluster's own words. *unplaced* is why no node takes it, *disrupted*
    why the cluster itself ends it, *failed* how the whole pod did. *ends_at* is when a pod that is
    being ended will be killed.
    """

    name: str
    uid: str
    session: str
    phase: str
    created: float
    ip: str = ""
    running: bool = False
    waiting: str = ""
    waiting_words: str = ""
    exit_code: int | None = None
    exit_reason: str = ""
    unplaced: str = ""
    disrupted: str = ""
    failed: str = ""
    failed_words: str = ""
    ends_at: float = 0

    @property
    def over(self) -> bool:
        """Whether its session has ended, or will never begin."""
        return self.exit_code is not None or self.phase in ("Succeeded", "Failed")

    @classmethod
    def parse(cls, raw: Raw) -> "PodSeen":
        """Read a pod of the API. Raises one of `UNREADABLE` for something else."""
        metadata, status = raw["metadata"], raw.get("status", {})
        conditions = {one["type"]: one for one in status.get("conditions") or ()}
        container = _session_of(status.get("containerStatuses") or ())
        waiting = container.get("waiting") or {}
        terminated = container.get("terminated") or {}
        placed = conditions.get("PodScheduled", {})
        disrupted = conditions.get("DisruptionTarget", {})
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            session=(metadata.get("labels") or {}).get(SESSION, ""),
            phase=status.get("phase", ""),
            created=_seconds(metadata.get("creationTimestamp")),
            ip=status.get("podIP") or "",
            running="running" in container,
            waiting=waiting.get("reason") or "",
            waiting_words=waiting.get("message") or "",
            exit_code=terminated.get("exitCode"),
            exit_reason=terminated.get("reason") or "",
            unplaced=(placed.get("message") or "") if placed.get("status") == "False" else "",
            # False: the cluster wanted its place, and has thought better of it.
            disrupted=(disrupted.get("reason") or "") if disrupted.get("status") == "True" else "",
            failed=status.get("reason") or "",
            failed_words=status.get("message") or "",
            ends_at=_seconds(metadata.get("deletionTimestamp")),
        )


@dataclass(frozen=True, slots=True)
class EventSeen:
    """Something that happened to a pod, when it began, and in the cluster's words."""

    pod: str
    pod_uid: str
    reason: str
    words: str
    since: float

    @classmethod
    def parse(cls, raw: Raw) -> "EventSeen":
        """Read an event of the API. Raises one of `UNREADABLE` for something else."""
        stamp = raw.get("firstTimestamp") or raw.get("eventTime")
        of = raw.get("involvedObject") or {}
        return cls(
            pod=of.get("name") or "",  # an API lets anybody write one that is of nothing
            pod_uid=of.get("uid") or "",
            reason=raw.get("reason") or "",
            words=raw.get("message") or "",
            since=_seconds(stamp or raw["metadata"].get("creationTimestamp")),
        )


def _session_of(containers: Iterable[Raw]) -> Raw:
    for container in containers:
        if container.get("name") == CONTAINER:
            state: Raw = {
                key: value for key, value in container["state"].items() if value is not None
            }
            return state
    return {}


def _seconds(stamp: str | None) -> float:
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0

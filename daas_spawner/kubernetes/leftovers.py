"""Pods of ours that nobody keeps any more. Pure; `cluster.py` removes them.

The cluster was away when a session was stopped, a hub was killed during a start, or its database
is from yesterday's backup: nobody can reach them, and they would use their place for ever.
"""

from collections.abc import Callable, Iterable, Set

from daas_spawner.kubernetes.seen import PodSeen

#: A hub has found its sessions again by then; what it has not was being started for one before it.
FOUND_AGAIN_SECONDS = 60.0
#: A start takes less than this.
FORGOTTEN_SECONDS = 1800.0


def left_over(
    pods: Iterable[PodSeen],
    kept: Callable[[str], bool],
    condemned: Set[str],
    watched_for: float,
    now: float,
) -> list[PodSeen]:
    """Return those to remove.

    *kept* tells whether a session of this hub has a pod of that name, *condemned* are the numbers
    of those that could not be removed when they should have been; *watched_for* is how long this
    hub has run, in seconds.
    """

    def is_left(pod: PodSeen) -> bool:
        if pod.ends_at:
            return False
        if pod.created < now - watched_for:
            forgotten = watched_for > FOUND_AGAIN_SECONDS
        else:
            forgotten = now - pod.created > FORGOTTEN_SECONDS
        return pod.uid in condemned or (forgotten and not kept(pod.name))

    return [pod for pod in pods if is_left(pod)]

"""Pods that nobody keeps: which are removed, and when."""

import pytest

from daas_spawner.kubernetes.leftovers import (
    FORGOTTEN_SECONDS,
    FOUND_AGAIN_SECONDS,
    left_over,
)
from daas_spawner.kubernetes.seen import PodSeen

NOW = 1_000_000.0
LONG = FORGOTTEN_SECONDS + 1
MOMENT = FOUND_AGAIN_SECONDS - 1


def pod(age: float, ends_at: float = 0) -> PodSeen:
    return PodSeen("pod", "uid", "key", "Running", NOW - age, ends_at=ends_at)


CASES = {
    "kept by a session": (pod(LONG), True, set(), LONG, False),
    "of a hub that has long run": (pod(LONG), False, set(), LONG, True),
    "older than a hub that began a moment ago": (pod(LONG), False, set(), MOMENT, False),
    "begun for a hub that ended in that start": (pod(90), False, set(), MOMENT + 2, True),
    "begun for that hub, and found again": (pod(90), True, set(), MOMENT + 2, False),
    "young": (pod(60), False, set(), LONG, False),
    "it could not be ended": (pod(60), True, {"uid"}, 60.0, True),
    "another could not be ended": (pod(60), False, {"other"}, 60.0, False),
    "an earlier one of its name could not be ended": (pod(60), True, {"pod"}, 60.0, False),
    "it is ending": (pod(LONG, ends_at=NOW), False, {"uid"}, LONG, False),
}


@pytest.mark.parametrize(
    ("seen", "kept", "condemned", "watched", "left"), CASES.values(), ids=CASES
)
def test_a_pod_is_left_over(
    seen: PodSeen, kept: bool, condemned: set[str], watched: float, left: bool
) -> None:
    found = left_over([seen], lambda _: kept, condemned, watched, NOW)
    assert found == ([seen] if left else [])

"""Pods whose cluster answers otherwise than it should: each is ended, and nobody else's is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from daas_model.errors import EngineProblem
from daas_spawner.kubernetes import cluster as cluster_module
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.life import PodLife
from daas_spawner.kubernetes.seen import HUB
from tests.spawner.kubernetes.stand_in import RUNNING, StandIn, cluster_of

NAME = "jupyter-pi-5f1c"
SOON = 0.05


@pytest.fixture
def api() -> StandIn:
    return StandIn()


@pytest.fixture
async def cluster(
    api: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    monkeypatch.setattr(cluster_module, "TIDY_SECONDS", SOON)
    async with cluster_of(api, tmp_path) as cluster:
        yield cluster


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def begun(cluster: Cluster, api: StandIn) -> PodLife:
    """Return a pod of ours that runs."""
    life = PodLife(cluster)
    await life.begin(NAME, manifest(cluster.hub))
    api.becomes(NAME, RUNNING, "Running")
    await until(lambda: life.seen is not None and life.seen.running)
    return life


def manifest(hub: str) -> dict[str, object]:
    return {"metadata": {"name": NAME, "labels": {HUB: hub}}}


async def test_a_pod_that_could_not_be_ended_is_removed_and_the_next_of_its_name_is_not(
    cluster: Cluster, api: StandIn
) -> None:
    first = await begun(cluster, api)
    api.refuse["DELETE"] = 403
    await first.end()
    assert cluster.condemned
    api.remove(NAME)  # by somebody else: the API has refused us to the last
    api.refuse.clear()
    await until(lambda: NAME not in cluster.pods)
    second = await begun(cluster, api)
    await asyncio.sleep(5 * SOON)  # it would be removed within one
    assert second.running
    assert NAME in api.pods
    assert not cluster.condemned


async def test_a_pod_that_could_not_be_ended_is_removed_when_the_cluster_lets_us(
    cluster: Cluster, api: StandIn
) -> None:
    life = await begun(cluster, api)
    api.refuse["DELETE"] = 500
    await life.end()
    assert NAME in api.pods
    api.refuse.clear()
    await until(lambda: NAME not in api.pods)


async def test_what_ends_late_does_not_end_the_next_of_its_name(
    cluster: Cluster, api: StandIn
) -> None:
    first = await begun(cluster, api)
    api.remove(NAME)
    second = await begun(cluster, api)
    await first.end()
    assert second.running
    assert NAME in api.pods


async def test_what_a_list_no_longer_has_is_not_condemned(cluster: Cluster, api: StandIn) -> None:
    """The watch was away while it was removed, and the whole list comes anew."""
    cluster.condemned.add("uid-of-long-ago")
    cluster._take_pods([], all_there_is=True)
    assert not cluster.condemned


async def test_a_pod_of_its_name_that_this_hub_forgot_is_ended_first(
    cluster: Cluster, api: StandIn
) -> None:
    old = api.make(NAME, **{HUB: cluster.hub})["metadata"]["uid"]
    life = await begun(cluster, api)
    assert life.uid not in ("", old)


@pytest.mark.parametrize("labels", [{}, {HUB: "of another hub"}], ids=["no hub's", "another's"])
async def test_a_pod_of_its_name_that_is_somebody_elses_stays(
    cluster: Cluster, api: StandIn, labels: dict[str, str]
) -> None:
    theirs = api.make(NAME, **labels)
    life = PodLife(cluster)
    with pytest.raises(EngineProblem, match="something else by the name"):
        await life.begin(NAME, manifest(cluster.hub))
    await life.end()
    assert api.pods[NAME] is theirs
    assert not cluster.condemned


async def test_a_pod_whose_making_was_cut_short_is_ended(cluster: Cluster, api: StandIn) -> None:
    """The start took too long: its pod is made, and nobody has heard of it."""
    life = PodLife(cluster)
    life._follow(NAME)
    api.make(NAME, **{HUB: cluster.hub})
    await life.end()
    assert NAME not in api.pods


WORDS = {"no UTF-8": b"Stra\337e\n", "nothing": b"", "words": "Straße\n".encode()}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
async def test_its_last_lines_are_as_it_wrote_them(
    cluster: Cluster, api: StandIn, words: bytes
) -> None:
    life = await begun(cluster, api)
    api.log = words
    assert await life.last_lines(50) == words


async def test_last_lines_that_the_cluster_does_not_give_are_none(
    cluster: Cluster, api: StandIn
) -> None:
    life = await begun(cluster, api)
    api.refuse["LOG"] = 500
    assert await life.last_lines(50) == b""


async def test_of_last_lines_without_end_some_are_kept(cluster: Cluster, api: StandIn) -> None:
    life = await begun(cluster, api)
    api.log = b"x" * (8 * 2**20)
    assert 0 < len(await life.last_lines(50)) <= 2**20


def event(**of: str) -> dict[str, object]:
    return {
        "metadata": {"name": "an-event", "resourceVersion": "1"},
        "involvedObject": {"kind": "Pod", **of},
        "reason": "Pulling",
        "message": "Pulling the image.",
        "firstTimestamp": "2026-11-23T10:00:00Z",
    }


ODD: dict[str, dict[str, object]] = {
    "of nothing": event(),
    "without words on what it is of": {"metadata": {"name": "it", "resourceVersion": "1"}},
    "no event at all": {"metadata": {"resourceVersion": "1"}, "involvedObject": "a pod"},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_an_event_that_cannot_be_read_hides_no_other(
    api: StandIn, tmp_path: Path, odd: dict[str, object]
) -> None:
    """Whoever may write events could else hide from everybody what her start waits for."""
    api.events.append(odd)
    async with cluster_of(api, tmp_path) as cluster:
        life = await begun(cluster, api)
        api.tell("events", "ADDED", odd)
        api.tell("events", "ADDED", event(name=NAME, uid=life.uid))
        await until(lambda: [one.reason for one in life.events] == ["Pulling"])


async def test_a_pod_that_cannot_be_read_hides_no_other(api: StandIn, tmp_path: Path) -> None:
    api.pods["odd"] = {"metadata": {"name": "odd", "resourceVersion": "1"}}
    async with cluster_of(api, tmp_path) as cluster:
        assert (await begun(cluster, api)).running
        assert not cluster.problem

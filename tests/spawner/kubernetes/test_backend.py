"""One session in a cluster whose answers are made to order: what it leaves behind when it ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path, PurePosixPath

import pytest
from traitlets.config import Config

from daas_model.engines import Engine
from daas_model.errors import EngineProblem
from daas_spawner.backends import Place
from daas_spawner.containers.images import ContainerImages
from daas_spawner.kubernetes import cluster as cluster_module
from daas_spawner.kubernetes import life
from daas_spawner.kubernetes.backend import PodBackend
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.pod import Pod
from daas_spawner.kubernetes.seen import HUB
from daas_spawner.kubernetes.settings import ClusterSessions
from tests.spawner.kubernetes.manifests import plan
from tests.spawner.kubernetes.stand_in import ENDED, NAMESPACE, RUNNING, StandIn, cluster_of

#: As a program of an old workplace writes it.
NO_UTF8 = b"Stra\337e\n"


@pytest.fixture
def api() -> StandIn:
    return StandIn()


@pytest.fixture
async def cluster(
    api: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cluster]:
    monkeypatch.setattr(cluster_module, "TIDY_SECONDS", 0.05)
    async with cluster_of(api, tmp_path, {"all": PurePosixPath("/")}) as cluster:
        yield cluster


@pytest.fixture
def backend(cluster: Cluster, tmp_path: Path) -> PodBackend:
    return made(cluster, tmp_path)


def made(cluster: Cluster, top: Path) -> PodBackend:
    config = Config()
    return PodBackend(
        Place("pi", "pymca-p-1", top / "run", top / "logs", "/user/pi/pymca-p-1/"),
        cluster,
        Pod(NAMESPACE, "pi", "pymca-p-1", config, None),
        ContainerImages(config=config),
        ClusterSessions(config=config),
    )


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_start_that_fails_with_words_that_are_no_utf8_leaves_nothing(
    backend: PodBackend, api: StandIn, tmp_path: Path
) -> None:
    api.log = NO_UTF8
    starting = asyncio.ensure_future(backend.start(plan("pymca", "p-1")))
    await until(lambda: bool(api.pods))
    api.becomes(*api.pods, ENDED, "Failed")
    with pytest.raises(EngineProblem, match="The app did not start"):
        await starting
    assert not api.pods
    assert (tmp_path / "logs" / "pi" / "pymca-p-1.log").read_bytes() == NO_UTF8


async def test_a_start_whose_last_words_cannot_be_kept_leaves_nothing(
    backend: PodBackend, api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(backend, "_keep_last_lines", fails)
    starting = asyncio.ensure_future(backend.start(plan("pymca", "p-1")))
    await until(lambda: bool(api.pods))
    api.becomes(*api.pods, ENDED, "Failed")
    with pytest.raises(ZeroDivisionError):
        await starting
    assert not api.pods


@pytest.mark.parametrize("when", ["while the hub runs", "while the hub was away"])
async def test_a_session_that_ended_by_itself_leaves_its_last_words_and_no_pod(
    backend: PodBackend, cluster: Cluster, api: StandIn, tmp_path: Path, when: str
) -> None:
    uid = api.make("it", **{HUB: cluster.hub})["metadata"]["uid"]
    api.becomes("it", RUNNING, "Running")
    await until(lambda: "it" in cluster.pods and cluster.pods["it"].running)
    api.log = NO_UTF8
    ended = asyncio.Event()
    if when == "while the hub runs":
        backend.restore({"pod": "it", "uid": uid})
        backend.watch(ended.set)
    api.becomes("it", ENDED, "Failed")
    await until(lambda: cluster.pods["it"].over)
    if when == "while the hub was away":
        backend.restore({"pod": "it", "uid": uid})
        assert not backend.is_running()
    else:
        await asyncio.wait_for(ended.wait(), 5)
    await until(lambda: not api.pods)
    assert (tmp_path / "logs" / "pi" / "pymca-p-1.log").read_bytes() == NO_UTF8


async def test_a_session_that_is_out_of_the_hubs_sight_ends_with_its_pod(
    backend: PodBackend, cluster: Cluster, api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took its labels away: the watch tells of it no more."""
    monkeypatch.setattr(life, "ASK_SECONDS", 0.05)
    uid = api.make("it", **{HUB: cluster.hub})["metadata"]["uid"]
    api.becomes("it", RUNNING, "Running")
    await until(lambda: "it" in cluster.pods and cluster.pods["it"].running)
    backend.restore({"pod": "it", "uid": uid})
    ended = asyncio.Event()
    backend.watch(ended.set)
    api.tell("pods", "DELETED", api.pods["it"])
    await until(lambda: "it" not in cluster.pods)
    before = cluster.calls
    await until(lambda: cluster.calls > before + 1)
    assert backend.is_running()
    api.pods.clear()
    await asyncio.wait_for(ended.wait(), 5)
    assert not backend.is_running()


def test_hubs_of_two_namespaces_that_have_the_same_settings_have_pods_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = set()
    for number in "ab":
        own = tmp_path / number
        own.write_text(f"daas-{number}\n")
        monkeypatch.setattr(cluster_module, "OWN_NAMESPACE", own)
        engine = Engine("it", "It", "kubernetes", "", "none", hub_url="http://daas-gate:8082")
        names.add(Cluster(engine, Path("/run/daas")).hub)
    assert len(names) == 2

"""What can go wrong in a cluster, each a sentence; nothing is left behind (R2, "Bad input")."""

import asyncio
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

import pytest
from traitlets.config import Config

from daas_model.errors import DaasError, EngineProblem, ImageProblem, StorageProblem
from daas_spawner.backend import Backend
from daas_spawner.backends import problems_of
from daas_spawner.kubernetes import cluster as cluster_module
from daas_spawner.kubernetes import leftovers, reasons
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.plan import SessionPlan
from tests.engines.engines import PODS
from tests.engines.kubernetes_here import KubernetesHere
from tests.engines.namespace import NAMESPACE
from tests.engines.sessions import SEEN_SECONDS, Session, Sessions
from tests.engines.test_endings import nothing_left

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.parametrize("sessions", PODS, indirect=True),
]


@pytest.fixture
def here(sessions: Sessions) -> KubernetesHere:
    assert isinstance(sessions.here, KubernetesHere)
    return sessions.here


def config(**settings: object) -> Config:
    """Return the hub's configuration with a little patience, and *settings* of sessions."""
    made = Config()
    made.ClusterSessions = Config({"patience_seconds": 3, "notice_seconds": 0, **settings})
    return made


async def refused(sessions: Sessions, backend: Backend, plan: SessionPlan) -> DaasError:
    """Return what a start says that must fail, after which nothing is left."""
    with pytest.raises(DaasError) as said:
        async with asyncio.timeout(60):
            await backend.start(plan)
    await nothing_left(sessions)
    assert not backend.is_running()
    return said.value


async def said_meanwhile(backend: Backend, words: str) -> str:
    """Return what a start says of itself once *words* are in it."""
    async with asyncio.timeout(SEEN_SECONDS):
        while words not in backend.progress():
            await asyncio.sleep(0.05)
    return backend.progress()


async def test_a_machine_that_no_node_can_give_waits_and_is_then_refused(
    sessions: Sessions,
) -> None:
    backend = sessions.backend("pi", config=config())
    plan = sessions.plan(backend, "pi", "ours")
    huge = dataclasses.replace(plan, limits=dataclasses.replace(plan.limits, cpus=900, gpus=1))
    starting = asyncio.ensure_future(refused(sessions, backend, huge))
    lack = "no node has a free GPU and no node has enough free processors"
    assert await said_meanwhile(backend, "Waiting") == f"Waiting for room in the cluster: {lack}."
    error = await starting
    assert isinstance(error, EngineProblem)
    assert error.message == f"The cluster had no room for it: {lack}. Nothing was started."


async def test_a_label_that_no_node_has_is_said(sessions: Sessions) -> None:
    backend = sessions.backend("pi", config=config())
    plan = sessions.plan(backend, "pi", "ours")
    nowhere = dataclasses.replace(plan.limits, node_labels={"gpu": "a100"})
    error = await refused(sessions, backend, dataclasses.replace(plan, limits=nowhere))
    assert "no node is of the kind that it asks for" in error.message


async def test_an_image_that_is_nowhere_is_said(sessions: Sessions) -> None:
    settings = config()
    settings.ContainerImages.references = {"probe": "docker.io/daas/nothing:1"}
    backend = sessions.backend("pi", config=settings)
    error = await refused(sessions, backend, sessions.plan(backend, "pi", "ours"))
    assert isinstance(error, ImageProblem)
    assert "nothing:1" not in str(error)


async def test_a_registry_that_does_not_answer_is_tried_and_given_up(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reasons, "REGISTRY_SECONDS", 4.0)
    settings = config(patience_seconds=60)
    settings.ContainerImages.references = {"probe": "127.0.0.1:1/nothing:1"}
    settings.KubeSpawner.image_pull_policy = "IfNotPresent"
    backend = sessions.backend("pi", config=settings)
    starting = asyncio.ensure_future(
        refused(sessions, backend, sessions.plan(backend, "pi", "ours"))
    )
    await said_meanwhile(backend, "The image of Probe cannot be fetched just now")
    assert isinstance(await starting, ImageProblem)


async def test_a_claim_that_is_missing_is_said(sessions: Sessions) -> None:
    place = PurePosixPath("/")
    with replaced(sessions, lambda engine: dataclasses.replace(engine, volumes={"none": place})):
        backend = sessions.backend("pi", config=config(patience_seconds=60))
        error = await refused(sessions, backend, sessions.plan(backend, "pi", "ours"))
    assert isinstance(error, StorageProblem)
    assert error.message == "The cluster cannot mount a volume that the session needs."


async def test_a_folder_that_is_in_no_volume_is_said(sessions: Sessions) -> None:
    place = PurePosixPath("/somewhere/else")
    with replaced(sessions, lambda engine: dataclasses.replace(engine, volumes={"x": place})):
        backend = sessions.backend("pi", config=config())
        error = await refused(sessions, backend, sessions.plan(backend, "pi", "ours"))
    assert isinstance(error, StorageProblem)
    assert "no volume for a folder" in error.message


class replaced:  # noqa: N801  reads as the sentence that it is
    """The engine of *sessions* as *change* makes it, for a while."""

    def __init__(self, sessions: Sessions, change: Callable[..., object]) -> None:
        self._sessions, self._change = sessions, change

    def __enter__(self) -> None:
        self._patch = pytest.MonkeyPatch()
        engine = self._change(self._sessions.kind.engine(self._sessions.here))
        self._patch.setattr(self._sessions.kind, "engine", lambda _: engine)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


@pytest.fixture
def no_more_pods(here: KubernetesHere) -> Iterator[None]:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": "0"}},
    }
    here.kubectl("apply", "-f", "-", stdin=json.dumps(quota))
    here.kubectl("wait", "-n", NAMESPACE, "--for=jsonpath={.status.hard.pods}=0", "quota/none")
    yield
    here.kubectl("delete", "-n", NAMESPACE, "quota", "none")


async def test_a_quota_that_is_used_up_is_said(sessions: Sessions, no_more_pods: None) -> None:
    backend = sessions.backend("pi", config=config())
    error = await refused(sessions, backend, sessions.plan(backend, "pi", "ours"))
    assert error.message.startswith("All that sessions may use of the cluster is in use")


BROKEN_HOMES = {
    "missing": lambda home: home.rename(home.with_name("away")),
    "a link": lambda home: (home.rename(home.with_name("away")), home.symlink_to("/tmp")),
    "not to be written": lambda home: home.chmod(0o500),
}


@pytest.mark.parametrize("break_it", BROKEN_HOMES.values(), ids=BROKEN_HOMES.keys())
async def test_a_home_that_cannot_be_used_is_said(
    sessions: Sessions, break_it: Callable[..., object]
) -> None:
    """The hub looks first, for a cluster would make a missing one; the session looks, too."""
    home = sessions.world.top / "homes" / "pi"
    break_it(home)
    backend = sessions.backend("pi", config=config())
    error = await refused(sessions, backend, sessions.plan(backend, "pi", "ours"))
    assert isinstance(error, StorageProblem)
    assert error.message.startswith("Your home folder is missing")
    assert home.is_symlink() or not home.exists() or not list(home.glob("P*"))


async def test_settings_of_the_stock_spawner_reach_the_pod_and_do_not_loosen_it(
    sessions: Sessions, here: KubernetesHere
) -> None:
    settings = config()
    settings.KubeSpawner.merge(
        {
            "extra_labels": {"cost-centre": "x7"},
            "environment": {"FACILITY": "ours"},
            "privileged": True,
            "allow_privilege_escalation": True,
            "automount_service_account_token": True,
            "container_security_context": {"capabilities": {"add": ["SYS_ADMIN"]}},
            "pod_security_context": {"runAsNonRoot": False, "seccompProfile": None},
            "uid": 0,
            "extra_pod_config": {"hostNetwork": True, "hostPID": True, "restartPolicy": "Always"},
            "extra_container_config": {"securityContext": {"privileged": True}},
        }
    )
    backend = sessions.backend("pi", config=settings)
    session = Session(backend, await sessions.start(backend, "pi", "ours"))
    assert await session.run("echo $FACILITY") == (0, "ours\n")
    assert here.kubectl("get", "pods", "-n", NAMESPACE, "-l", "cost-centre=x7", "-o", "name")
    _, status = await session.run("cat /proc/self/status")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(lines["CapBnd"], 16) == 0
    assert (lines["NoNewPrivs"], lines["Seccomp"]) == ("1", "2")
    assert lines["Uid"].split()[0] != "0"
    assert (await session.run("ls /var/run/secrets"))[0] != 0


async def test_a_drained_nodes_session_is_told_and_its_end_says_why(
    sessions: Sessions, here: KubernetesHere
) -> None:
    """She has the time that the facility gives her; then it ends as if she had asked for it."""
    backend = sessions.backend("pi", config=config(notice_seconds=4))
    session = Session(backend, await sessions.start(backend, "pi", "ours"))
    (node,) = here.kubectl("get", "nodes", "-o", "name").split()
    selector = f"--pod-selector=daas.session={sessions.keys[0]}"
    draining = asyncio.to_thread(
        here.kubectl, "drain", node, selector, "--force", "--delete-emptydir-data"
    )
    drained = asyncio.ensure_future(draining)
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            while not backend.notice("Probe"):
                await asyncio.sleep(0.05)
        assert "its machine is taken out of service. Save your work" in backend.notice("Probe")
        assert await session.run("echo here") == (0, "here\n")
        assert backend.is_running()
        await session.seen_to_end(20)
        assert backend.ending() == "Its machine in the cluster was taken out of service."
        assert backend.notice("Probe") == ""
        assert (sessions.world.top / "homes" / "pi" / "ended").exists()
        await drained
    finally:
        here.kubectl("uncordon", node)


async def test_a_pod_that_somebody_deletes_ends_its_session(
    sessions: Sessions, here: KubernetesHere
) -> None:
    backend = sessions.backend("pi", config=config())
    session = Session(backend, await sessions.start(backend, "pi", "ours"))
    here.kubectl("delete", "pod", "-n", NAMESPACE, backend.state()["pod"], "--wait=false")
    await session.seen_to_end()
    assert not backend.is_running()


async def test_while_the_clusters_api_is_away_sessions_run_on(
    sessions: Sessions, here: KubernetesHere
) -> None:
    """What was stopped meanwhile is removed when it is back; what runs is still known."""
    pi = await sessions.open("pi", "ours")
    other = await sessions.open("coproposer", "ours")
    engine = sessions.kind.engine(here)
    run_folder = sessions.world.top / "run"
    assert await problems_of([engine], run_folder) == {}
    here.stop_api()
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            while not await problems_of([engine], run_folder):
                await asyncio.sleep(0.1)
        assert await pi.run("echo here") == (0, "here\n")
        assert pi.backend.is_running()
        third = sessions.backend("coproposer", run="run2")
        with pytest.raises(EngineProblem, match="do not answer"):
            await third.start(sessions.plan(third, "coproposer", "ours"))
        await other.stop()
    finally:
        here.start_api()
    async with asyncio.timeout(2 * SEEN_SECONDS):
        while await problems_of([engine], run_folder):
            await asyncio.sleep(0.1)
    assert pi.backend.is_running()
    assert await pi.run("echo here") == (0, "here\n")
    async with asyncio.timeout(6 * SEEN_SECONDS):
        while len(await asyncio.to_thread(sessions.left)) > 1:
            await asyncio.sleep(0.5)
    await pi.stop()
    await nothing_left(sessions)


async def test_a_pod_that_no_session_has_is_removed_in_time(
    sessions: Sessions, here: KubernetesHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hub was killed while it started; one that is kept stays."""
    monkeypatch.setattr(leftovers, "FORGOTTEN_SECONDS", 3.0)
    monkeypatch.setattr(cluster_module, "TIDY_SECONDS", 0.5)
    session = await sessions.open("pi", "ours")
    pod = session.backend.state()["pod"]
    made = json.loads(here.kubectl("get", "pod", "-n", NAMESPACE, pod, "-o", "json"))
    made["metadata"] = {
        "name": "forgotten",
        "namespace": NAMESPACE,
        "labels": made["metadata"]["labels"],
        "annotations": made["metadata"]["annotations"],
    }
    here.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    assert len(sessions.left()) == 2
    async with asyncio.timeout(3 * SEEN_SECONDS):
        while len(await asyncio.to_thread(sessions.left)) > 1:
            await asyncio.sleep(0.5)
    assert await session.run("echo here") == (0, "here\n")


async def test_an_idle_session_asks_the_cluster_nothing(sessions: Sessions) -> None:
    """Two watches are open, however many sessions there are."""
    await sessions.open("pi", "ours")
    await sessions.open("coproposer", "ours")
    (cluster,) = Cluster.made()
    before = cluster.calls
    await asyncio.sleep(3)
    assert cluster.calls == before

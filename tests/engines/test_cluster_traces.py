"""What a session in a cluster leaves behind, and what of others it leaves alone (R2, S8)."""

import asyncio
import dataclasses
import json

import pytest

from daas_model.errors import EngineProblem
from daas_spawner.kubernetes import cluster as cluster_module
from tests.engines.engines import PODS
from tests.engines.kubernetes_here import KubernetesHere
from tests.engines.namespace import NAMESPACE
from tests.engines.sessions import Sessions
from tests.engines.test_endings import CRASH, nothing_left

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.parametrize("sessions", PODS, indirect=True),
]


@pytest.fixture
def here(sessions: Sessions) -> KubernetesHere:
    assert isinstance(sessions.here, KubernetesHere)
    return sessions.here


async def test_a_start_that_fails_with_words_that_are_no_utf8_leaves_them_and_no_pod(
    sessions: Sessions,
) -> None:
    backend = sessions.backend("pi")
    plan = sessions.plan(backend, "pi", "ours")
    said = dataclasses.replace(plan, argv=("sh", "-c", r"printf 'Stra\337e\n'; exit 3"))
    with pytest.raises(EngineProblem, match="The app did not start"):
        await backend.start(said)
    await nothing_left(sessions)
    log = sessions.world.top / "logs" / "pi" / "probe-ours.log"
    assert b"Stra\337e\n" in log.read_bytes()


async def test_a_session_that_ended_by_itself_leaves_no_pod(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "TIDY_SECONDS", 0.5)
    session = await sessions.open("pi", "ours")
    await session.run(CRASH)
    await session.seen_to_end()
    await nothing_left(sessions)


async def test_a_pod_of_its_name_that_is_somebody_elses_stays(
    sessions: Sessions, here: KubernetesHere
) -> None:
    session = await sessions.open("pi", "ours")
    name = session.backend.state()["pod"]
    pod = json.loads(here.kubectl("get", "pod", "-n", NAMESPACE, name, "-o", "json"))
    await session.stop()
    pod["metadata"] = {"name": name, "namespace": NAMESPACE, "labels": {"app": "theirs"}}
    pod["spec"]["volumes"] = pod["spec"]["containers"][0]["volumeMounts"] = []
    here.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    try:
        again = sessions.backend("pi")
        with pytest.raises(EngineProblem, match="something else by the name"):
            await again.start(sessions.plan(again, "pi", "ours"))
        await again.stop()
        found = json.loads(here.kubectl("get", "pod", "-n", NAMESPACE, name, "-o", "json"))
        assert "deletionTimestamp" not in found["metadata"]
    finally:
        here.kubectl("delete", "pod", "-n", NAMESPACE, name, "--now")


async def test_a_session_cannot_fill_its_nodes_disk_by_its_last_message(
    sessions: Sessions,
) -> None:
    session = await sessions.open("pi", "ours")
    assert (await session.run("echo x > /root/termination-log"))[0] != 0
    assert (await session.run("ls /root"))[0] != 0
    assert (await session.run("test -e /dev/termination-log"))[0] != 0


async def test_a_start_that_is_called_off_leaves_nothing(sessions: Sessions) -> None:
    """While it waits for room, and as soon as it asks for its pod."""
    for seconds in (0.0, 0.01, 1.0):
        backend = sessions.backend("pi")
        plan = sessions.plan(backend, "pi", "ours")
        limits = dataclasses.replace(plan.limits, cpus=900)
        starting = asyncio.ensure_future(backend.start(dataclasses.replace(plan, limits=limits)))
        await asyncio.sleep(seconds)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await nothing_left(sessions)

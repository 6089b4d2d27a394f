"""What the one watch of a hub's sessions costs it. Used by `benchmarks.cluster`.

The pods are sleeping stand-ins: to the API, and so to the watch, they are like a session's pod,
with its labels, annotations and environment, but run a program of 1 MB and mount nothing.
"""

import asyncio
import contextlib
import copy
import itertools
import logging
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes_asyncio import client, config
from traitlets.config import Config

from daas_spawner.backend import Backend, State
from daas_spawner.backends import Place, make_backend
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.seen import SESSION, PodSeen
from tests.engines.engines import CLUSTER
from tests.engines.kubernetes_here import BUSYBOX_IMAGE, KubernetesHere
from tests.engines.namespace import NAMESPACE
from tests.engines.sessions import Sessions

FEW, MANY = 20, 200
#: So many pods change per second, in the last measurement.
CHANGES = 20
SECONDS = 30.0
#: What it takes a node of two processors to have them all, at most.
READY_SECONDS = 180.0
#: Bounds of the issue.
MOST_OF_A_CORE = 1.0
_SETTLE_SECONDS = 3.0
_MERGE = "application/merge-patch+json"
_LOG = logging.getLogger("daas.bench")


@dataclass(frozen=True, slots=True)
class Cost:
    """What the watch of so many *pods* cost this process, which did nothing else.

    *core* is seconds of processor per second, *changes* how many of a pod's changes were seen in
    one, of those *wanted*; *calls* is what the API was asked in all since this hub began.
    """

    pods: int
    core: float
    changes: float
    wanted: float
    calls: int


class Changes:
    """Counts what the watch tells."""

    seen = 0

    def see(self, _: PodSeen | None) -> None:
        """Take one."""
        self.seen += 1


def watch_of(sessions: Sessions) -> Cluster:
    """Return the cluster as the sessions of this process have it."""
    return Cluster.of(CLUSTER.engine(sessions.here), sessions.world.top / "run")


async def costs(sessions: Sessions, here: KubernetesHere) -> list[Cost]:
    """Return what it costs to watch few pods, many, and many of which some change all the time."""
    session = await sessions.open("pi")
    name = str(session.backend.state()["pod"])
    watch = watch_of(sessions)
    model = await watch.plain(await watch.call("read_namespaced_pod", name))
    await session.stop()
    states = await stand_ins(watch, model, range(FEW))
    found = [await cost(sessions, here, states)]
    states += await stand_ins(watch_of(sessions), model, range(FEW, MANY))
    found.append(await cost(sessions, here, states))
    found.append(await cost(sessions, here, states, CHANGES))
    return found


async def stand_ins(watch: Cluster, model: dict[str, Any], numbers: range) -> list[State]:
    """Make pods like *model*; return what a hub remembers of each, once all of them run."""
    made = [await watch.call("create_namespaced_pod", body=stand_in(model, one)) for one in numbers]
    until = time.monotonic() + READY_SECONDS
    while not all(
        (seen := watch.pods.get(one.metadata.name)) is not None and seen.running for one in made
    ):
        if time.monotonic() > until:
            raise TimeoutError("the pods of the benchmark did not all start")
        await asyncio.sleep(0.2)
    return [{"pod": one.metadata.name, "uid": one.metadata.uid} for one in made]


def stand_in(model: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a session's pod that sleeps, and asks for next to nothing."""
    about = {key: model["metadata"][key] for key in ("annotations", "labels")}
    spec = copy.deepcopy(model["spec"])
    (container,) = spec["containers"]
    little = {"cpu": "1m", "memory": "4Mi"}
    container |= {
        "image": BUSYBOX_IMAGE,
        "args": ["sleep", "3600"],
        "resources": {"requests": little},
        "volumeMounts": [],
        "workingDir": "/",
    }
    for key in ("nodeName", "volumes"):
        del spec[key]
    metadata = {**about, "name": name_of(number), "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def name_of(number: int) -> str:
    """Return the name of a stand-in."""
    return f"stand-in-{number}"


async def cost(
    sessions: Sessions, here: KubernetesHere, states: list[State], changing: float = 0
) -> Cost:
    """Return what it costs to watch these sessions, which are found as by a hub that starts."""
    await watch_of(sessions).close()
    watch = watch_of(sessions)
    found = [backend(sessions, f"found-{number}") for number in range(len(states))]
    changes = Changes()
    for one, state in zip(found, states, strict=True):
        one.restore(state)
        watch.tell(str(state["pod"]), changes.see)
    await watch.looked.wait()
    async with others_at_work(here, changing):
        await asyncio.sleep(_SETTLE_SECONDS)
        changes.seen, used, began = 0, time.process_time(), time.monotonic()
        await asyncio.sleep(SECONDS)
        used, seconds = time.process_time() - used, time.monotonic() - began
    if not all(one.is_running() for one in found):
        raise RuntimeError("sessions were lost while they were watched")
    return Cost(len(states), used / seconds, changes.seen / seconds, changing, watch.calls)


def backend(sessions: Sessions, name: str) -> Backend:
    """Return a back end for one more session."""
    top = sessions.world.top
    place = Place("pi", name, top / "run", top / "logs", "/")
    return make_backend(CLUSTER.engine(sessions.here), place, Config(CLUSTER.settings), _LOG)


@contextlib.asynccontextmanager
async def others_at_work(here: KubernetesHere, changing: float) -> AsyncIterator[None]:
    """Let another process change pods, so that it is not counted as this one's work."""
    if not changing:
        yield
        return
    argv = ("-m", "benchmarks.pods", str(here.kubeconfig), str(changing))
    process = await asyncio.create_subprocess_exec(sys.executable, *argv)
    try:
        yield
        if process.returncode is not None:
            raise RuntimeError("what changes pods has ended")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def change(kubeconfig: Path, per_second: float) -> None:
    """Change one pod after the other, evenly in time; for good."""
    await config.load_kube_config(str(kubeconfig))
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        began = time.monotonic()
        for turn in itertools.count():
            # Of what the watch tells sessions, only this is not the kubelet's to say.
            body = {"metadata": {"labels": {SESSION: f"turn-{turn}"}}}
            name = name_of(turn % MANY)
            await core.patch_namespaced_pod(name, NAMESPACE, body, _content_type=_MERGE)
            await asyncio.sleep(began + turn / per_second - time.monotonic())


if __name__ == "__main__":
    asyncio.run(change(Path(sys.argv[1]), float(sys.argv[2])))

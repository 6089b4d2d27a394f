"""`make bench`, third part: what the portal adds to a cluster's start, and what 200 sessions cost.

In the tests' own Kubernetes; all in this one run:
- the portal's overhead: from the start of the back end to the session's first answer, against
  `kubectl run` of the same image and program to the same answer (interleaved pairs, median);
- what the one watch costs this process with 20 and with 200 pods, see `benchmarks.pods`;
- from `helm install` of a whole facility to its first sign-in page, images present.
"""

import asyncio
import contextlib
import json
import logging
import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from jupyterhub.httpclient import JupyterHubHTTPClient, fetch

from benchmarks.pods import MOST_OF_A_CORE, Cost, costs, watch_of
from benchmarks.sessions import RUNS
from daas_spawner.kubernetes.backend import CONNECT_SECONDS, DOOR_SECONDS
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.rendering import PORT
from daas_spawner.kubernetes.seen import HUB
from daas_spawner.plan import APPS, SessionPlan
from tests.conftest import short_folder
from tests.engines.daemons import NotHere
from tests.engines.engines import CLUSTER, PROBE
from tests.engines.helm.installation import facility_in
from tests.engines.kubernetes.images import full
from tests.engines.kubernetes_here import KubernetesHere
from tests.engines.namespace import MACHINE, NAMESPACE
from tests.engines.sessions import Sessions
from tests.engines.world import make_world

BARE = "bare"
#: What a run that another one is in the way of waits for it.
WAIT_SECONDS = 600.0
PAUSE_SECONDS = 5.0


def main() -> int:
    """Measure and print; return 1 when a bound of the issue is missed."""
    logging.disable(logging.WARNING)
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with CLUSTER.here() as here, short_folder() as folder:
                assert isinstance(here, KubernetesHere)
                measured = asyncio.run(measure(here, folder))
                with facility_in(here) as place:
                    return report(*measured, place.seconds)
        except NotHere as reason:
            if time.monotonic() > until or "another run" not in str(reason):
                print(f"kubernetes was not measured: {reason}", file=sys.stderr)
                return 1
            time.sleep(PAUSE_SECONDS)


async def measure(here: KubernetesHere, folder: Path) -> tuple[list[tuple[float, ...]], list[Cost]]:
    """Return seconds of each pair of starts, with and without the portal, and the watch's costs."""
    async with opener(here, folder) as sessions:
        await pair(sessions, here)  # warms the disk for both
        pairs = [await pair(sessions, here) for _ in range(RUNS)]
        return pairs, await costs(sessions, here)


@contextlib.asynccontextmanager
async def opener(here: KubernetesHere, folder: Path) -> AsyncIterator[Sessions]:
    """Give what opens the probe in the cluster; the watch runs already, as a hub's does."""
    sessions = Sessions(CLUSTER, here, make_world(folder))
    try:
        await watch_of(sessions).looked.wait()
        yield sessions
    finally:
        # The pods go with the cluster.
        await CLUSTER.close(here)
        await JupyterHubHTTPClient.loop_instance().close()


async def pair(sessions: Sessions, here: KubernetesHere) -> tuple[float, ...]:
    """Return the seconds of a start by the portal, a bare one, and of kubectl itself in that."""
    began = time.monotonic()
    session = await sessions.open("pi")
    ours = time.monotonic() - began
    plan = sessions.plan(session.backend, "pi")
    await session.stop()
    bare, command = await bare_start(watch_of(sessions), here, plan)
    return ours, bare, command


async def bare_start(
    watch: Cluster, here: KubernetesHere, plan: SessionPlan
) -> tuple[float, float]:
    """Return the seconds from `kubectl run` to the first answer of the same program.

    The pod has the hub's label, so that the watch, which runs anyhow, tells its address. The
    second figure is what the command took until the cluster had the pod.
    """
    run = ["run", BARE, f"--namespace={NAMESPACE}", f"--image={full(PROBE)}", "--restart=Never"]
    run += ["--image-pull-policy=Never", f"--labels={HUB}={watch.hub}"]
    run += [f"--overrides={json.dumps(bare_pod(plan))}"]
    began = time.monotonic()
    await asyncio.to_thread(here.kubectl, *run)
    command = time.monotonic() - began
    while not ((seen := watch.pods.get(BARE)) and seen.ip):
        await watch.changed(BARE, 1)
    await first_answer(seen.ip)
    seconds = time.monotonic() - began
    delete = ("delete", "pod", BARE, f"--namespace={NAMESPACE}", "--grace-period=1")
    await asyncio.to_thread(here.kubectl, *delete)
    while BARE in watch.pods:
        await watch.changed(BARE, 1)
    return seconds, command


def bare_pod(plan: SessionPlan) -> dict[str, object]:
    """Return what kubectl is told beside the image: the same program, limits, account and home."""
    home, apps = plan.mounts[0], next(one for one in plan.mounts if one.target == APPS)
    given = {
        "HOME": home.target,
        "XDG_RUNTIME_DIR": "/tmp/runtime",
        "DAAS_FOLDER": home.target,
        "DAAS_LISTEN": PORT,
        "DAAS_MOST_PROCESSES": plan.limits.processes,
    }
    mounts = [
        {"name": MACHINE, "mountPath": str(one.target), "subPath": str(one.source).lstrip("/")}
        for one in (home, apps)
    ]
    container = {
        "name": BARE,
        "image": full(PROBE),
        "imagePullPolicy": "Never",
        "args": list(plan.argv),
        "env": [{"name": name, "value": str(value)} for name, value in given.items()],
        "resources": {
            "limits": {
                "cpu": f"{round(plan.limits.cpus * 1000)}m",
                "memory": str(plan.limits.memory_bytes),
            },
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": mounts,
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": plan.account.uid,
            "runAsGroup": plan.account.gid,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": MACHINE, "persistentVolumeClaim": {"claimName": MACHINE}}],
    }
    return {"apiVersion": "v1", "spec": spec}


async def first_answer(address: str) -> None:
    """Return once the program at *address* answers; asked as often as the portal asks."""
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(address, PORT)
            writer.close()
            await fetch(f"http://{address}:{PORT}/api")
            return
        await asyncio.sleep(DOOR_SECONDS)


def report(pairs: list[tuple[float, ...]], watched: list[Cost], install: float) -> int:
    """Print the figures with their bounds; return 1 when one is missed."""
    ours, bare, command = (statistics.median(column) for column in zip(*pairs, strict=True))
    more = statistics.median(first - second for first, second, _ in pairs)
    lines = [
        (f"cluster: start → first answer, median of {RUNS}", f"{ours:.2f} s", True),
        ("  bare `kubectl run` of the same, to the same", f"{bare:.2f} s", True),
        ("    in which kubectl itself, until the pod is made", f"{command:.2f} s", True),
        ("  difference, pair by pair (≤ 0.7 s)", f"{more:.2f} s", more <= 0.7),
        ("  helm install → first sign-in page (≤ 60 s)", f"{install:.1f} s", install <= 60),
    ]
    calls = watched[0].calls
    for cost in watched:
        what = f"  the watch of {cost.pods} pods" + (", changing" if cost.wanted else "")
        core, as_wanted = f"{cost.core:.4f}", cost.changes >= 0.9 * cost.wanted
        lines += [
            (f"{what}: cores (< {MOST_OF_A_CORE:g})", core, cost.core < MOST_OF_A_CORE),
            ("    changes seen per second", f"{cost.changes:.1f}", as_wanted),
            (f"    API calls since the hub began ({calls})", f"{cost.calls}", cost.calls == calls),
        ]
    for what, figure, kept in lines:
        print(f"{what:<52} {figure:>10}{'' if kept else '   missed'}")
    return 0 if all(kept for _, _, kept in lines) else 1


if __name__ == "__main__":
    sys.exit(main())

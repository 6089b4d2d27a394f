"""Pods as sessions get them, for a check: admitted or not, and one in which things are tried.

The spawner's own code makes them, with the facility's `c.KubeSpawner`, so that what is shown here
holds for sessions. They end by themselves, whatever happens to the check.
"""

import asyncio
import contextlib
import copy
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from kubernetes_asyncio.client import ApiException
from traitlets.config import Config

from daas_command.checks import inside
from daas_command.checks.trial import (
    HOME,
    LABEL,
    LIMITS,
    NO_APP,
    OLD_SECONDS,
    PATH,
    UID,
    TrialFailed,
    read_words,
)
from daas_model.errors import DaasError, EngineProblem
from daas_model.people import Account
from daas_spawner.kubernetes import outside, reasons
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.pod import Pod
from daas_spawner.kubernetes.refusals import refusal_of
from daas_spawner.kubernetes.rendering import PORT, Manifest, PodPlace, shut_in, variables
from daas_spawner.kubernetes.seen import CONTAINER, EventSeen, PodSeen
from daas_spawner.kubernetes.settings import ClusterSessions
from daas_spawner.plan import PROPOSALS, Limits, Mount, SessionPlan

#: For an image to be there and a node to be found.
START_SECONDS = 90.0
#: The cluster ends a trial itself after this time, counted from its start.
_DEADLINE_SECONDS = 180
_LOOK_SECONDS = 0.5
_NAME = "daas-check"
#: Debian's, as in all of our images.
_PYTHON = "/usr/bin/python3"
#: What a trial's order calls what only the cluster knows: https://kubernetes.io/docs/tasks/
#: inject-data-application/define-environment-variable-container/ has the grammar.
API_ADDRESS, NODE_ADDRESS = "$(KUBERNETES_SERVICE_HOST)", "$(NODE_ADDRESS)"


@dataclass(slots=True)
class Pods:
    """Pods of an invented person on one cluster."""

    cluster: Cluster
    config: Config

    async def manifest(self, image: str, limits: Limits = LIMITS) -> Manifest:
        """Return a session's pod, as the back end makes it.

        Raises `TrialFailed` when the facility's own settings make none.
        """
        try:
            return await self._manifest(image, limits)
        except EngineProblem:
            raise
        except Exception as error:  # a hook of theirs is a program
            said = f"the settings make no pod: {type(error).__name__}: {error}"
            raise TrialFailed(said) from None

    async def _manifest(self, image: str, limits: Limits) -> Manifest:
        engine = self.cluster.engine
        pod = Pod(engine.namespace, _NAME, "trial", self.config, None)
        settings = ClusterSessions(config=self.config)
        hub_name, key = urlsplit(engine.hub_url).hostname or "", secrets.token_hex(6)
        place = PodPlace(
            name=f"{pod.pod_name}-{key}",
            hub=self.cluster.hub,
            key=key,
            session=_NAME,
            network=engine.network,
            volumes=engine.volumes,
            hub_name=hub_name,
            hub_address=await outside.address_of(hub_name),
            icon="",
            notice_seconds=settings.notice_seconds,
            scratch_gib=settings.scratch_gib,
        )
        plan = _plan(tuple(engine.volumes.values()), limits)
        made = await pod.manifest(image, PORT, variables(plan))
        return shut_in(await self.cluster.plain(made), plan, place)

    async def dry_run(self, manifest: Manifest) -> DaasError | None:
        """Return why the cluster would refuse a pod; None when it would not."""
        try:
            await self.cluster.call("create_namespaced_pod", body=manifest, dry_run="All")
        except ApiException as error:
            return refusal_of(error)
        return None

    async def ask(self, image: str, do: str, **order: object) -> dict[str, Any]:
        """Return what `inside` answers to *order*, in a pod from *image*, which is removed.

        Raises `TrialFailed`, and `DaasError` when the pod does not start.
        """
        trial = as_trial(await self.manifest(image), do, order)
        async with self._started(trial) as name:
            await self._ended(name)
            words = await self.cluster.call("read_namespaced_pod_log", name, container=CONTAINER)
        facts, said = read_words(str(words))
        if not facts:
            raise TrialFailed(said or "it said nothing")
        return facts

    @contextlib.asynccontextmanager
    async def _started(self, trial: Manifest) -> AsyncIterator[str]:
        name = trial["metadata"]["name"]
        try:
            try:
                await self.cluster.call("create_namespaced_pod", body=trial)
            except ApiException as error:
                raise refusal_of(error) from None
            yield name
        finally:
            # Also when the check is ended; a cluster that is away ends it by the deadline.
            await asyncio.shield(self._remove(name))

    async def _remove(self, name: str) -> None:
        with contextlib.suppress(ApiException, EngineProblem):
            await self.cluster.call("delete_namespaced_pod", name, grace_period_seconds=1)

    async def _ended(self, name: str) -> None:
        """Return when the pod's program has ended. Raises as `ask` does."""
        began = time.monotonic()
        while True:
            try:
                found = await self.cluster.call("read_namespaced_pod", name)
            except ApiException as error:
                raise TrialFailed(refusal_of(error).detail) from None
            seen = PodSeen.parse(await self.cluster.plain(found))
            if seen.exit_code is not None:
                return
            waited = time.monotonic() - began
            if not seen.running or seen.over:
                events = await self._events(name)
                problem = reasons.failure(seen, events, waited, START_SECONDS)
                if problem is not None:
                    raise problem
            await asyncio.sleep(_LOOK_SECONDS)

    async def _events(self, name: str) -> Sequence[EventSeen]:
        which = f"involvedObject.name={name}"
        found = await self.cluster.call("list_namespaced_event", field_selector=which)
        return [EventSeen.parse(await self.cluster.plain(event)) for event in found.items]

    async def remove_old(self) -> None:
        """Remove what a check that was killed has left."""
        found = await self.cluster.call("list_namespaced_pod", label_selector=LABEL)
        for pod in found.items:
            began = pod.metadata.labels.get(LABEL, "")
            if not began.isdigit() or time.time() - int(began) > OLD_SECONDS:
                await self._remove(pod.metadata.name)


def _plan(tops: Sequence[PurePosixPath], limits: Limits) -> SessionPlan:
    """Return a session in which the top of every volume is mounted, and nothing can be written.

    A session's folders are below; a cluster would make those that are not there.
    """
    home = Mount(tops[0], HOME, read_only=True)
    others = [
        Mount(top, PROPOSALS / f"volume-{number}" / "raw", read_only=True)
        for number, top in enumerate(tops[1:])
    ]
    return SessionPlan(
        app=NO_APP,
        argv=("true",),
        environment={"HOME": str(HOME), "PATH": PATH, "LANG": "C.UTF-8", "USER": _NAME},
        folder=HOME,
        mounts=(home, *others),
        account=Account(_NAME, UID, UID, {}, tops[0]),
        limits=limits,
    )


def as_trial(manifest: Manifest, do: str, order: dict[str, object]) -> Manifest:
    """Return *manifest* as a pod that runs `inside` in the place of an app, and ends."""
    pod = copy.deepcopy(manifest)
    pod["metadata"]["labels"][LABEL] = str(int(time.time()))
    pod["spec"]["activeDeadlineSeconds"] = _DEADLINE_SECONDS
    (container,) = (one for one in pod["spec"]["containers"] if one["name"] == CONTAINER)
    source = Path(inside.__file__).read_text("utf-8")
    container["command"] = [_PYTHON, "-c", source, json.dumps({"do": do, **order})]
    container["args"] = []
    node = {"name": "NODE_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    container["env"] = [*(container.get("env") or ()), node]
    return pod


def loosened(manifest: Manifest) -> Manifest:
    """Return *manifest* without what "restricted" asks for: it may run as root, for one."""
    pod = copy.deepcopy(manifest)
    for part in (pod["spec"], *pod["spec"]["containers"]):
        part["securityContext"] = {}
    return pod

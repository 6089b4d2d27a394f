"""One cluster: does it answer, what may the hub do there, and does it take sessions' pods.

Called by `check`. All but one trial pod is a question or a dry run: nothing else is made.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from kubernetes_asyncio import client
from kubernetes_asyncio.client import ApiException
from traitlets import TraitError
from traitlets.config import Config

from daas_catalogue.facility import Facility
from daas_command.checks.cluster_rights import allowed_rights, needed, rights
from daas_command.checks.finding import Finding, Findings, ok, refused, warning, wrong
from daas_command.checks.network import Ways
from daas_command.checks.pod_network import pod_network_findings
from daas_command.checks.pods import Pods, loosened
from daas_command.checks.trial import TrialFailed
from daas_model.apps import Machine
from daas_model.engines import Engine
from daas_model.errors import DaasError, EngineProblem, ImageProblem
from daas_spawner.containers.images import ContainerImages, Image
from daas_spawner.kubernetes.api import CALL_SECONDS
from daas_spawner.kubernetes.cluster import Cluster
from daas_spawner.kubernetes.refusals import NOT_THERE, refusal_of
from daas_spawner.kubernetes.volumes import place_of
from daas_spawner.plan import MOST_PROCESSES, Limits

#: The first with the sleep of `preStop`, on which the notice of a session's end stands.
OLDEST = (1, 30)
#: An image that is not there can be waited for; so many apps' are, one after the other.
_MOST_IMAGES = 3
_SHARED = frozenset({"ReadWriteMany", "ReadOnlyMany"})


async def cluster_findings(
    engine: Engine, facility: Facility, config: Config, hub_port: int, ways: Ways
) -> Findings:
    """Examine *engine* of *facility*; *hub_port* is 0 when the hub has none."""
    cluster = Cluster(engine, Path(str(config.DaasSpawner.get("run_folder", ""))))
    try:
        yield said_of_itself(await cluster.ask(_version))
        allowed = await allowed_rights(cluster)
        for finding in rights(allowed, engine.namespace):
            yield finding
        async for finding in _volumes(cluster, facility, config):
            yield finding
        if all(allowed[right] for right in needed(engine.namespace)) and engine.volumes:
            async for finding in _trials(cluster, facility, config, hub_port, ways):
                yield finding
    except EngineProblem as error:
        where = "the kubeconfig file at 'address'" if engine.address else "the service account"
        yield refused("answers", error, f"Look at the cluster, at the way to it, and at {where}.")
    except ApiException as error:
        mend = "Look at the hub's login at the cluster: its kubeconfig file or service account."
        yield wrong("answers", refusal_of(error).detail, mend)
    finally:
        await cluster.close()


async def _version(api: client.ApiClient) -> Any:
    return await client.VersionApi(api).get_code(_request_timeout=CALL_SECONDS)


def said_of_itself(version: Any) -> Finding:
    """Say which Kubernetes it is, and whether it is new enough."""
    said = f"Kubernetes {version.git_version}"
    # A provider may say 30+.
    numbers = [
        int("0" + "".join(c for c in part if c.isdigit()))
        for part in (version.major, version.minor)
    ]
    if tuple(numbers) < OLDEST:
        mend = "Take 1.30 at least: sessions are told there that they end, by the sleep of preStop."
        return wrong("answers", f"{said} is too old", mend)
    return ok("answers", said)


async def _volumes(cluster: Cluster, facility: Facility, config: Config) -> Findings:
    volumes = cluster.engine.volumes
    homes = config.DaasAuthenticator.get("home_roots", ["/home"])
    examples = [one for one in [config.DaasSpawner.get("examples_folder")] if one]
    roots = (*homes, *facility.layout.roots, *examples)
    yield folders([PurePosixPath(str(one)) for one in roots], volumes)
    for name in volumes:
        try:
            found = await cluster.call("read_namespaced_persistent_volume_claim", name)
        except ApiException as error:
            yield unread(name, error.status, cluster.engine.namespace)
        else:
            yield claim(name, found.status.phase, found.spec.access_modes or ())


def folders(roots: Sequence[PurePosixPath], volumes: Mapping[str, PurePosixPath]) -> Finding:
    """Say whether homes, data and examples can be in the engine's *volumes*."""
    what = "volumes"
    without = [
        str(root)
        for root in dict.fromkeys(roots)
        if place_of(root, volumes) is None
        and not any(top.is_relative_to(root) for top in volumes.values())
    ]
    if without:
        mend = "Add the claim that has it to 'volumes' of the engine, with its folder."
        return wrong(what, f"{', '.join(without)} is in none of them", mend)
    return ok(what, "homes and data are in them")


def unread(name: str, status: int, namespace: str) -> Finding:
    """Say why the claim *name* was not read."""
    if status == NOT_THERE:
        mend = f"Make it in “{namespace}”, or mend 'volumes' of the engine."
        return wrong(f"claim {name}", "is not there, so no session that needs it starts", mend)
    said = "was not looked at: the hub may not read claims, and need not"
    return warning(f"claim {name}", said, f"kubectl get pvc {name} -n {namespace}")


def claim(name: str, phase: str, modes: Sequence[str]) -> Finding:
    """Say whether the claim *name* can be mounted by sessions."""
    what, mend = f"claim {name}", f"kubectl describe pvc {name} says what it waits for."
    if phase != "Bound":
        return wrong(what, f"is {phase}, not Bound: no session that needs it starts", mend)
    if not _SHARED.intersection(modes):
        said = "can be mounted on one node at a time: sessions on other nodes do not start"
        return warning(what, said, "Take one with the access mode ReadWriteMany.")
    return ok(what, "is there and Bound")


async def _trials(
    cluster: Cluster, facility: Facility, config: Config, hub_port: int, ways: Ways
) -> Findings:
    machines = [one for one in facility.machines.values() if one.engine == cluster.engine.name]
    pods = Pods(cluster, config)
    try:
        images = _images(facility, config, cluster.engine)
        for image in images[:1]:
            async for finding in _admission(pods, image.name, machines):
                yield finding
                if finding.state == "wrong":
                    return
    except (ImageProblem, TraitError) as error:
        said = error.detail if isinstance(error, ImageProblem) else str(error)
        yield wrong("images", said, "Mend ContainerImages.")
        return
    except TrialFailed as error:
        yield wrong("pods", str(error), "Mend c.KubeSpawner and c.ClusterSessions.")
        return
    if not images:
        mend = "Give a machine of 'machines_offered' this engine."
        yield warning("trial", "no app is offered on it, so nothing can be tried", mend)
        return
    async for finding in _tried(pods, images, hub_port, ways):
        yield finding


def _images(facility: Facility, config: Config, engine: Engine) -> list[Image]:
    """Return the images of the apps that are offered on *engine*, each once."""
    images = ContainerImages(config=config)
    names = [
        app.name
        for app in facility.apps.values()
        if any(one.engine == engine.name for one in facility.machines_for(app).values())
    ]
    return list(dict.fromkeys(images.image_of(name) for name in names))


async def _admission(pods: Pods, image: str, machines: Sequence[Machine]) -> Findings:
    namespace = pods.cluster.engine.namespace
    for machine in machines:
        memory = int(machine.memory_gib * 2**30)
        limits = Limits(machine.cpus, memory, MOST_PROCESSES, machine.gpus, machine.node_labels)
        refusal = await pods.dry_run(await pods.manifest(image, limits))
        if refusal is not None:
            yield refused(f"machine {machine.name}", refusal, mend_of(refusal.detail, namespace))
            return
    names = ", ".join(machine.name for machine in machines)
    yield ok("pods", f"“{namespace}” takes a session's on each of its machines: {names}")
    refusal = await pods.dry_run(loosened(await pods.manifest(image)))
    yield pod_security(refusal.detail if refusal else "", namespace)


def mend_of(words: str, namespace: str) -> str:
    """Return what to do when the cluster refuses a session's pod, by its *words*."""
    words = words.lower()
    for sign, mend in (
        (f'namespaces "{namespace}" not found', f"kubectl create namespace {namespace}"),
        ("exceeded quota", "Raise the ResourceQuota there, or end sessions and check again."),
        ("must specify", "Take out of the ResourceQuota what sessions do not ask for."),
        ("per container", "Raise the LimitRange there, or make the machine smaller."),
        ("per pod", "Raise the LimitRange there, or make the machine smaller."),
        ("podsecurity", "Take out of c.KubeSpawner what breaks the standard “restricted”."),
        ("serviceaccount", "Make that service account, or mend c.KubeSpawner.service_account."),
        ("webhook", "Ask those who run the cluster: a policy of theirs refuses sessions."),
    ):
        if sign in words:
            return mend
    return "Look at c.KubeSpawner, and at the policies of the cluster."


def pod_security(refusal: str, namespace: str) -> Finding:
    """Say whether a pod that breaks the standard "restricted" is refused, by the *refusal*."""
    what = "Pod Security"
    if 'PodSecurity "restricted' in refusal:
        return ok(what, "“restricted” is enforced: a pod that may run as root is refused")
    if refusal:
        return ok(what, f"a pod that may run as root is refused: {refusal}")
    label = "pod-security.kubernetes.io/enforce=restricted"
    said = "a pod that may run as root is taken, so whoever takes the hub over can make one"
    return warning(what, said, f"kubectl label --overwrite namespace {namespace} {label}")


async def _tried(pods: Pods, images: Sequence[Image], hub_port: int, ways: Ways) -> Findings:
    """Try in one pod of the first of *images* that can be had."""
    await pods.remove_old()
    for image in images[:_MOST_IMAGES]:
        try:
            async for finding in pod_network_findings(pods, image.name, hub_port, ways):
                yield finding
            return
        except ImageProblem as error:
            mend = "Have it in a registry that the nodes reach (ContainerImages.prefix)."
            yield refused(f"image {image.name}", error, mend)
        except DaasError as error:
            yield refused("trial", error, "Look at kubectl get events, and check again.")
            return
        except TrialFailed as error:
            yield wrong("trial", str(error), "Look whether the image is one of the portal's.")
            return

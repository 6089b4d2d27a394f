"""`daas check engine` on a real cluster: what is open there is found by trying."""

import asyncio
import contextlib
import json
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from daas_command import check_parts
from daas_command.checks.cluster_rights import needed
from daas_command.checks.trial import LABEL
from daas_model.engines import Engine
from tests.command.checking import run
from tests.engines.conftest import Running
from tests.engines.engines import CLUSTER
from tests.engines.kubernetes_here import KubernetesHere
from tests.engines.world import APPS_FOLDER

pytestmark = pytest.mark.engines
CONFIG = """
c = get_config()
c.DaasAuthenticator.people_database = "sqlite:///{folder}/people.sqlite"
c.DaasSpawner.run_folder = "{folder}"
c.Facility.apps_folder = {apps!r}
c.Facility.engines_offered = {{"cluster": {engine!r}}}
c.ContainerImages.prefix = {prefix!r}
c.KubeSpawner.image_pull_policy = "Never"
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster, and its engine with something that listens as a hub does."""

    here: KubernetesHere
    engine: Engine

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Call kubectl as the cluster's administrator."""
        return self.here.kubectl(*arguments, stdin=stdin)

    def apply(self, *objects: dict[str, Any]) -> None:
        """Make *objects*, or change them."""
        self.kubectl("apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, objects)))

    def wait(self, namespace: str, what: str, condition: str) -> None:
        """Return when *what* is so."""
        self.kubectl("wait", "-n", namespace, what, f"--for={condition}", "--timeout=60s")


@dataclass
class Checked:
    """The command on *cluster*, and what it printed."""

    cluster: Cluster
    folder: Path
    printed: pytest.CaptureFixture[str]
    prefix: str = "docker.io/daas/"

    async def __call__(self, namespace: str, code: int, **changes: Any) -> str:
        """Run it on *namespace*; it must end with *code*, and leave no pod behind."""
        engine = replace(self.cluster.engine, namespace=namespace, **changes)
        offered = {
            "title": "Cluster",
            "kind": "kubernetes",
            "address": engine.address,
            "namespace": namespace,
            "hub_url": engine.hub_url,
            "volumes": {claim: str(top) for claim, top in engine.volumes.items()},
        }
        text = CONFIG.format(
            folder=self.folder, apps=str(APPS_FOLDER), engine=offered, prefix=self.prefix
        )
        (self.folder / "config.py").write_text(text)
        command = ["--config", str(self.folder / "config.py"), "check", "engine"]
        ended = await asyncio.to_thread(run, command)
        out, err = self.printed.readouterr()
        assert ended == code, out + err
        assert "Traceback" not in out + err
        left = self.cluster.kubectl("get", "pods", "-n", namespace, "-l", LABEL, "-o", "json")
        kept = [p for p in json.loads(left)["items"] if "deletionTimestamp" not in p["metadata"]]
        assert kept == []
        return out


@pytest.fixture(scope="module")
def cluster(engines: Running) -> Iterator[Cluster]:
    here = engines.get(CLUSTER)
    assert isinstance(here, KubernetesHere)
    engine = CLUSTER.engine(here)
    with socket.create_server(("0.0.0.0", 0)) as server:  # pods come from outside
        url = f"http://{urlsplit(engine.hub_url).hostname}:{server.getsockname()[1]}"
        yield Cluster(here, replace(engine, hub_url=url))


@pytest.fixture
def checked(cluster: Cluster, short_path: Path, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(cluster, short_path, capsys)


def namespace_objects(name: str, claim: str, restricted: bool) -> list[dict[str, Any]]:
    """Return a namespace with a claim that is this machine's root, as the suite's own has it."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"} if restricted else {}
    modes, size = ["ReadWriteMany"], {"storage": "1Gi"}
    of_claim = {"name": claim, "namespace": name}
    volume = {
        "capacity": size,
        "accessModes": modes,
        "storageClassName": "",
        "hostPath": {"path": "/"},
        "claimRef": of_claim,
    }
    claim_spec = {
        "storageClassName": "",
        "volumeName": name,
        "accessModes": modes,
        "resources": {"requests": size},
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": volume,
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": of_claim,
            "spec": claim_spec,
        },
    ]


@contextlib.contextmanager
def namespace(cluster: Cluster, restricted: bool) -> Iterator[str]:
    """Make a namespace in which pods can begin."""
    name = f"check-{secrets.token_hex(4)}"  # two runs on one cluster do not meet
    (claim,) = cluster.engine.volumes
    *places, wanted = namespace_objects(name, claim, restricted)
    cluster.apply(*places)
    try:
        # A claim that comes before its volume is ready is looked at again 15 s later.
        cluster.wait(name, f"pv/{name}", "jsonpath={.status.phase}=Available")
        cluster.apply(wanted)
        cluster.wait(name, "sa/default", "create")
        cluster.wait(name, f"pvc/{claim}", "jsonpath={.status.phase}=Bound")
        yield name
    finally:
        cluster.kubectl("delete", "--wait=false", "namespace", name)
        cluster.kubectl("delete", "--wait=false", "pv", name)


@pytest.fixture(scope="module")
def open_namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace as `kubectl create` makes it."""
    with namespace(cluster, restricted=False) as name:
        yield name


@pytest.fixture(scope="module")
def closed(cluster: Cluster) -> Iterator[str]:
    """A namespace with the standard, in which sessions are let out to the hub only."""
    with namespace(cluster, restricted=True) as name:
        way = urlsplit(cluster.engine.hub_url)
        out = {
            "to": [{"ipBlock": {"cidr": f"{way.hostname}/32"}}],
            "ports": [{"protocol": "TCP", "port": way.port}],
        }
        sessions = {"matchExpressions": [{"key": "daas.session", "operator": "Exists"}]}
        policy = {"podSelector": sessions, "policyTypes": ["Ingress", "Egress"], "egress": [out]}
        cluster.apply(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": "sessions", "namespace": name},
                "spec": policy,
            }
        )
        yield name


def login(checked: Checked, name: str, without: str = "") -> str:
    """Return a kubeconfig file of a service account with the rights of a hub, *without* one."""
    rules = [
        {"apiGroups": [""], "resources": [right.resource], "verbs": [right.verb]}
        for right in needed(name)
        if right.resource != without
    ]
    rules.append({"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get"]})
    group, of = "rbac.authorization.k8s.io", {"name": "hub", "namespace": name}
    cluster = checked.cluster
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": of},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": of, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": of,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "hub"},
            "subjects": [{"kind": "ServiceAccount", **of}],
        },
    )
    token = cluster.kubectl("create", "token", "hub", "-n", name).strip()
    config = json.loads(cluster.kubectl("config", "view", "--raw", "--flatten", "-o", "json"))
    for user in config["users"]:
        user["user"] = {"token": token}
    file = checked.folder / "kubeconfig"
    file.write_text(json.dumps(config))
    return str(file)


@contextlib.contextmanager
def no_quota(cluster: Cluster, name: str) -> Iterator[None]:
    """Let no pod into the namespace *name*."""
    of = {"name": "none", "namespace": name}
    spec = {"hard": {"pods": "0"}}
    cluster.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": of, "spec": spec})
    try:
        cluster.wait(name, "resourcequota/none", "jsonpath={.status.hard.pods}=0")
        yield
    finally:
        cluster.kubectl("delete", "resourcequota", "none", "-n", name)


async def test_a_cluster_that_is_well_is_proved_to_be(checked: Checked, closed: str) -> None:
    """With the hub's rights only; what is beyond cannot be proved on every machine."""
    told = await checked(closed, 0, address=login(checked, closed))
    said = {line.split(": ")[0].strip() for line in told.splitlines()}
    assert {line for line in said if not line.startswith("ok ")} <= {
        "Engine cluster",
        "warning  beyond",
        *(line for line in said if line.endswith("wrong.")),  # the sum
    }
    for what in ("rights", "no more rights", "claim machine", "Pod Security", "trial", "the hub"):
        assert f"ok       {what}" in said, told
    for what in ("the cluster's API", "its node", "the hub's machine", "name service"):
        assert f"ok       {what}" in said, told


async def test_an_open_namespace_is_found_open(checked: Checked, open_namespace: str) -> None:
    told = await checked(open_namespace, 1)
    for words in (
        "warning  more rights: the hub may also read secrets, run commands",
        "warning  Pod Security: a pod that may run as root is taken",
        "ok       the hub: a session reaches it",
        "wrong    the cluster's API: can be reached",
        "wrong    the hub's machine: can be reached",
        "warning  name service: a session reaches a name server",
    ):
        assert f"  {words}" in told, told


async def test_a_right_that_the_hub_lacks_is_named(checked: Checked, closed: str) -> None:
    told = await checked(closed, 1, address=login(checked, closed, without="events"))
    assert "wrong    rights: the hub may not list events, watch events in “" in told
    assert "trial" not in told


async def test_what_a_cluster_refuses_is_a_sentence(checked: Checked, closed: str) -> None:
    """Nothing is started meanwhile: all of it is known from a dry run."""
    with no_quota(checked.cluster, closed):
        told = await checked(closed, 1)
    assert "wrong    machine small: All that sessions may use of the cluster is in use" in told
    assert "Raise the ResourceQuota" in told
    told = await checked("no-such-namespace", 1)
    assert "→ kubectl create namespace no-such-namespace" in told


async def test_an_image_that_no_node_has_is_named(checked: Checked, closed: str) -> None:
    checked.prefix = "docker.io/nobody/"
    told = await checked(closed, 1)
    assert "wrong    image docker.io/nobody/probe:" in told
    assert "cannot be fetched" in told


async def test_a_volume_without_its_claim_is_named(checked: Checked, closed: str) -> None:
    """The pod that would wait for it does not stay."""
    (folder,) = checked.cluster.engine.volumes.values()
    told = await checked(closed, 1, volumes={"none": folder})
    assert "wrong    claim none: is not there" in told
    assert "wrong    trial: The cluster cannot mount a volume" in told


async def test_a_check_that_is_cut_off_leaves_no_pod(
    checked: Checked, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its pod waits for the network to be closed."""
    monkeypatch.setattr(check_parts, "CLUSTER_SECONDS", 3.0)
    told = await checked(closed, 1)
    assert "Pod Security" in told
    assert "wrong    time: the next check did not end within 3 s" in told

"""The cluster of the tests is a real one: what the tests of sessions as pods take for granted."""

import contextlib
import http.server
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests
import yaml

from tests.engines.kubernetes.machine import METADATA
from tests.engines.kubernetes_here import BUSYBOX_IMAGE, KubernetesHere

pytestmark = pytest.mark.engines
PORT = "8080"
API = "198.18.1.1:443"
SERVE = ("httpd", "-f", "-p", PORT, "-h", "/")


@dataclass(frozen=True)
class Space:
    """A namespace of the test's own."""

    cluster: KubernetesHere
    name: str

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl(f"--namespace={self.name}", *arguments, stdin=stdin)

    def run(self, pod: str, *command: str, network: str = "pod") -> str:
        """Run a pod; return its address when it is ready."""
        spec = {
            "hostNetwork": network == "node",
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": pod,
                    "image": BUSYBOX_IMAGE,
                    "imagePullPolicy": "Never",
                    "args": list(command),
                }
            ],
        }
        metadata = {"name": pod, "labels": {"app": pod}}
        self.apply("v1", "Pod", metadata, spec)
        self.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=30s")
        return self.kubectl("get", "pod", pod, "--output=jsonpath={.status.podIP}")

    def apply(
        self, version: str, kind: str, metadata: dict[str, object], spec: dict[str, object]
    ) -> None:
        made = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
        self.kubectl("apply", "--filename=-", stdin=yaml.safe_dump(made))

    def guard(self, pod: str, **ways: list[object]) -> None:
        """Let *pod* do what the rules allow, and nothing else."""
        spec = {"podSelector": {"matchLabels": {"app": pod}}, **ways}
        spec["policyTypes"] = [way.title() for way in ways]
        self.apply("networking.k8s.io/v1", "NetworkPolicy", {"name": pod}, spec)

    def reaches(self, pod: str, address: str) -> bool:
        """Tell whether *pod* gets a connection to an address and port."""
        host, _, port = address.partition(":")
        try:
            self.kubectl("exec", pod, "--", "/busybox", "nc", "-w", "1", host, port)
        except subprocess.CalledProcessError:
            return False
        return True


@pytest.fixture
def space(kubernetes: KubernetesHere) -> Iterator[Space]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    kubernetes.kubectl("create", "namespace", name)
    yield Space(kubernetes, name)
    kubernetes.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def on_this_machine(kubernetes: KubernetesHere) -> Iterator[str]:
    """A service on this machine, as a hub outside of the cluster is one."""
    server = http.server.ThreadingHTTPServer(
        (kubernetes.host, 0), http.server.SimpleHTTPRequestHandler
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"{kubernetes.host}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def soon(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 15
    while not holds() and time.monotonic() < until:
        time.sleep(0.1)
    return holds()


def test_a_pod_runs_and_its_words_can_be_read(space: Space) -> None:
    space.run("web", *SERVE)
    assert space.kubectl("exec", "web", "--", "/busybox", "id", "-u") == "0\n"
    space.kubectl("delete", "pod", "web")
    assert space.kubectl("get", "pods", "--output=name") == ""


def test_a_service_has_a_name_and_an_address(space: Space) -> None:
    pod = space.run("web", *SERVE)
    space.kubectl("expose", "pod", "web", f"--port={PORT}")
    service = space.kubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")
    space.run("asking", "sleep", "1000")

    assert soon(lambda: space.reaches("asking", f"{service}:{PORT}"))
    name = f"web.{space.name}.svc.cluster.local"
    asked = space.kubectl("exec", "asking", "--", "/busybox", "nslookup", name)
    assert f"Address: {service}" in asked
    for address in (pod, service):
        assert requests.get(f"http://{address}:{PORT}/etc/hostname", timeout=5).text == "web\n"


def test_a_guarded_pod_reaches_what_its_policy_allows(space: Space, on_this_machine: str) -> None:
    web = f"{space.run('web', *SERVE)}:{PORT}"
    space.run("metadata", "httpd", "-f", "-p", f"{METADATA}:80", network="node")
    space.run("asking", "sleep", "1000")
    everything = (web, on_this_machine, API, f"{METADATA}:80")
    assert [space.reaches("asking", one) for one in everything] == [True] * 4

    host, _, port = on_this_machine.partition(":")
    hub = {"to": [{"ipBlock": {"cidr": f"{host}/32"}}], "ports": [{"port": int(port)}]}
    space.guard("asking", egress=[hub])
    assert soon(lambda: not space.reaches("asking", web))
    assert [space.reaches("asking", one) for one in everything] == [False, True, False, False]


def test_a_guarded_pod_is_reached_by_whom_its_policy_allows(space: Space) -> None:
    web = f"{space.run('web', *SERVE)}:{PORT}"
    space.run("friend", "sleep", "1000")
    space.run("stranger", "sleep", "1000")
    friends = {"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}
    space.guard("web", ingress=[friends])

    assert soon(lambda: not space.reaches("stranger", web))
    assert space.reaches("friend", web)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{web}/", timeout=1)


def test_a_namespace_that_is_restricted_refuses_a_pod_of_root(space: Space) -> None:
    level = "pod-security.kubernetes.io/enforce=restricted"
    space.cluster.kubectl("label", "namespace", space.name, level)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        space.run("web", *SERVE)
    assert 'violates PodSecurity "restricted' in refused.value.stderr


def test_pods_outlive_an_api_server_that_is_gone(space: Space) -> None:
    web = f"http://{space.run('web', *SERVE)}:{PORT}/etc/hostname"
    space.cluster.stop_api()
    try:
        with contextlib.suppress(subprocess.CalledProcessError):
            pytest.fail(space.kubectl("get", "pods"))
        assert requests.get(web, timeout=5).text == "web\n"
    finally:
        space.cluster.start_api()
    assert space.kubectl("get", "pods", "--output=name") == "pod/web\n"


def test_helm_finds_the_cluster(kubernetes: KubernetesHere) -> None:
    assert kubernetes.helm("list", "--all-namespaces", "--output=json").strip() == "[]"

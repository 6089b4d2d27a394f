"""What the chart refuses before anything is changed, with a sentence that names the values."""

import json
import subprocess
from typing import Any

import pytest

from tests.engines.helm.conftest import CHART, Helm
from tests.engines.kubernetes_here import KubernetesHere

pytestmark = pytest.mark.engines
URL = "https://daas.facility.example/"
CLAIM = {"existingClaim": "x"}


def volumes(**volumes: object) -> dict[str, Any]:
    return {"storage": {"volumes": volumes}}


REFUSED = {
    "no address": ({"publicUrl": ""}, "publicUrl must be set"),
    "an address without https": (
        {"publicUrl": "http://daas.facility.example/"},
        "publicUrl must begin with https://",
    ),
    "a word for an address": ({"publicUrl": "daas"}, "publicUrl must be an address"),
    "capitals in an address": ({"publicUrl": "https://DAAS.example/"}, "in small letters"),
    "a number for a name": (
        {"publicUrl": "https://192.0.2.1/"},
        "publicUrl must have a host name with a dot",
    ),
    "sessions without https": (
        {"sessionsUrl": "http://sessions.example/"},
        "sessionsUrl must begin with https://",
    ),
    "the portal below its sessions": (
        {"sessionsUrl": "https://facility.example/"},
        "publicUrl must not be below sessionsUrl",
    ),
    "another port for sessions": (
        {"sessionsUrl": "https://sessions.example:8443/"},
        "must have the same port",
    ),
    "hosts for a demo": (
        {"hosting": "paths", "sessionsUrl": "https://sessions.example/"},
        "sessionsUrl is for hosting: subdomains",
    ),
    "a database without a name": (
        {"hub": {"db": {"type": "other"}}},
        "hub.db.url must name the PostgreSQL",
    ),
    "a network that is none": (
        {"sessions": {"network": "institut", "networks": {"institute": {"egress": []}}}},
        "sessions.network is institut, which is none of sessions.networks: it has institute",
    ),
    "a volume of no kind": (
        volumes(data={"path": "/data"}),
        "storage.volumes.data must have one of nfs, csi, hostPath and existingClaim; it has none",
    ),
    "a volume of two kinds": (
        volumes(data={"path": "/data", **CLAIM, "nfs": {"server": "x", "path": "/"}}),
        "it has existingClaim and nfs",
    ),
    "two volumes at one path": (
        volumes(data={"path": "/data", **CLAIM}, more={"path": "/data/", **CLAIM}),
        "storage.volumes.data and storage.volumes.more have the same path, /data",
    ),
    "a volume where the hub's state is": (
        volumes(data={"path": "/var/lib/daas", **CLAIM}),
        "the hub itself and storage.volumes.data have the same path, /var/lib/daas",
    ),
}


@pytest.mark.parametrize(("values", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_could_not_work_is_refused(helm: Helm, values: dict[str, Any], sentence: str) -> None:
    done = helm({"publicUrl": URL, **values})
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "DAAS_" not in done.stderr, "the chart has names of its own"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"hosting": "paths", "publicUrl": ""}, id="a demo without an address"),
        pytest.param({"hosting": "paths", "publicUrl": "http://x:8000/"}, id="a demo by http"),
        pytest.param({"sessionsUrl": "https://sessions.example/"}, id="a domain for sessions"),
        pytest.param(
            {"publicUrl": "https://a.example:8443/x/", "sessionsUrl": "https://b.example:8443/"},
            id="another port for both",
        ),
        pytest.param(
            {"networkPolicies": {"enabled": False}, "sessions": {"network": "theirs"}},
            id="a network of somebody else's policies",
        ),
        pytest.param(
            volumes(data={"path": "/data", **CLAIM}, more={"path": "/data/more", **CLAIM}),
            id="a volume below another",
        ),
    ],
)
def test_what_can_work_is_taken(helm: Helm, values: dict[str, Any]) -> None:
    done = helm({"publicUrl": URL, **values})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param(
            volumes(data={"path": "/data", "existingClaim": "dota"}),
            "storage.volumes.data.existingClaim is dota, and there is no such claim in the "
            "namespace default",
            id="a claim",
        ),
        pytest.param(
            {"hub": {"existingSecret": "key"}},
            "hub.existingSecret is key, and there is no such Secret with proxy-token",
            id="a Secret",
        ),
    ],
)
def test_what_the_cluster_has_not_is_said_at_once(
    kubernetes: KubernetesHere, values: dict[str, Any], sentence: str
) -> None:
    """Not after a time limit, by a hub that never started."""
    words = ("--dry-run=server", "--namespace=default")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        kubernetes.helm("install", "x", str(CHART), *words, *said({"publicUrl": URL, **values}))
    assert sentence in failed.value.stderr


def test_what_comes_with_the_chart_is_not_missed(kubernetes: KubernetesHere) -> None:
    """A namespace that is still to be made has nothing."""
    values = volumes(data={"path": "/data", "existingClaim": "data"})
    words = ("--dry-run=server", "--namespace=not-yet")
    kubernetes.helm("install", "x", str(CHART), *words, *said({"publicUrl": URL, **values}))


def said(values: dict[str, Any]) -> list[str]:
    return [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]

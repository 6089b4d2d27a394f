"""Engines of the configuration: what each kind needs, and a sentence for what is wrong (A4)."""

from pathlib import PurePosixPath

import pytest

from daas_model.engines import Engine
from daas_model.parsing import Malformed

LOCAL = {"title": "here", "kind": "local"}
DOCKER = {"title": "containers", "kind": "docker", "address": "unix:///run/docker.sock"}
CLUSTER = {
    "title": "cluster",
    "kind": "kubernetes",
    "namespace": "sessions",
    "hub_url": "http://hub.daas.svc:8082",
    "volumes": {"data": "/data", "homes": "/home"},
}


@pytest.mark.parametrize("data", [LOCAL, DOCKER], ids=lambda data: data["kind"])
def test_an_engine_of_one_machine_needs_little(data: dict[str, object]) -> None:
    engine = Engine.parse("one", data)
    assert (engine.kind, engine.address) == (data["kind"], data.get("address", ""))
    assert (engine.network, engine.namespace, engine.hub_url) == ("none", "", "")
    assert engine.volumes == {}


def test_a_cluster_says_where_sessions_live_and_what_its_claims_hold() -> None:
    engine = Engine.parse("cluster", CLUSTER)
    assert engine == Engine(
        name="cluster",
        title="cluster",
        kind="kubernetes",
        address="",
        network="none",
        namespace="sessions",
        hub_url="http://hub.daas.svc:8082",
        volumes={"data": PurePosixPath("/data"), "homes": PurePosixPath("/home")},
    )


GOOD = {
    "a kubeconfig file": ({"address": "/etc/daas/kubeconfig"}, "address", "/etc/daas/kubeconfig"),
    "a slash at the end": ({"hub_url": "https://hub:8082/"}, "hub_url", "https://hub:8082"),
    "an address of numbers": ({"hub_url": "http://[fd00::7]:1"}, "hub_url", "http://[fd00::7]:1"),
    "one claim for everything": ({"volumes": {"a": "/"}}, "volumes", {"a": PurePosixPath("/")}),
    "a network": ({"network": "licences"}, "network", "licences"),
}


@pytest.mark.parametrize(("entries", "name", "value"), GOOD.values(), ids=GOOD.keys())
def test_a_cluster_may_have(entries: dict[str, object], name: str, value: object) -> None:
    assert getattr(Engine.parse("cluster", {**CLUSTER, **entries}), name) == value


NO_ADDRESS = "'hub_url' of engine 'x' must be an address, http://…"
REFUSED = {
    "not a mapping": ("kubernetes", "it must be a mapping of names to values"),
    "another kind": (
        {**LOCAL, "kind": "slurm"},
        "'kind' of engine 'x' must be one of local, docker, kubernetes",
    ),
    "without a kind": ({"title": "x"}, "'kind' must be a text"),
    "without a title": ({"kind": "local"}, "'title' must be a text"),
    "containers without a socket": (
        {**DOCKER, "address": "tcp://10.0.0.1"},
        "'address' of engine 'x' must be a socket, unix:///…",
    ),
    "a sandbox with a namespace": (
        {**LOCAL, "namespace": "sessions"},
        "'namespace' of engine 'x' is for a cluster only",
    ),
    "containers with claims": (
        {**DOCKER, "volumes": {"data": "/data"}},
        "'volumes' of engine 'x' is for a cluster only",
    ),
    "containers with the hub's address": (
        {**DOCKER, "hub_url": "http://hub"},
        "'hub_url' of engine 'x' is for a cluster only",
    ),
    "a cluster without a namespace": (
        {**CLUSTER, "namespace": ""},
        "'namespace' of engine 'x' must be set",
    ),
    "a cluster without the hub's address": ({**CLUSTER, "hub_url": ""}, NO_ADDRESS),
    "an address without a host": ({**CLUSTER, "hub_url": "http://"}, NO_ADDRESS),
    "a path for an address": ({**CLUSTER, "hub_url": "http:///run/hub.sock"}, NO_ADDRESS),
    "a socket for an address": ({**CLUSTER, "hub_url": "http+unix://x"}, NO_ADDRESS),
    "a kubeconfig file somewhere": (
        {**CLUSTER, "address": "kubeconfig"},
        "'address' of engine 'x' must be a file, /…, or not be set",
    ),
    "an API server for a kubeconfig file": (
        {**CLUSTER, "address": "https://10.0.0.1:6443"},
        "'address' of engine 'x' must be a file, /…, or not be set",
    ),
    "claims as a list": (
        {**CLUSTER, "volumes": ["data"]},
        "'volumes' must be a table of names and texts",
    ),
    "a claim that begins nowhere": (
        {**CLUSTER, "volumes": {"data": "data"}},
        "the claim 'data' in 'volumes' must begin at a folder, /…",
    ),
    "a claim without a name": (
        {**CLUSTER, "volumes": {"": "/data"}},
        "'a claim's name' must be 1–64 letters, digits, '.', '-' or '_'",
    ),
    "a misspelt entry": ({**CLUSTER, "volume": {}}, "unknown entry volume"),
}


@pytest.mark.parametrize(("data", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_engine_is_refused_in_a_sentence(data: object, sentence: str) -> None:
    with pytest.raises(Malformed) as said:
        Engine.parse("x", data)
    assert str(said.value) == sentence

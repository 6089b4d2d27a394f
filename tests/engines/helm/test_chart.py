"""The chart as it is rendered: what it makes, and what it refuses (O1, O8, X2)."""

import json
import re
from base64 import b64decode
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from traitlets.config import Config

from daas_catalogue.files import parse_proposal
from daas_catalogue.layout import StorageLayout
from daas_command.chart import apply
from daas_command.known import known, refusals
from tests.conftest import REPOSITORY
from tests.engines.helm.conftest import CHART, Helm, Render
from tests.engines.kubernetes_here import KubernetesHere
from tests.spawner.kubernetes.manifests import violations

pytestmark = pytest.mark.engines
FULL = {
    "publicUrl": "https://daas.facility.example/daas/",
    "hub": {
        "config": {"DaasAuthenticator": {"issuer": "https://sso.example/realms/users"}},
        "extraConfig": {"10-mine": "c.JupyterHub.log_level = 10"},
        "extraFiles": {"ca": {"mountPath": "/etc/daas/ca.pem", "stringData": "x"}},
        "extraEnv": {
            "ONE": "1",
            "OTHER": {"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        },
    },
    "ingress": {"enabled": True, "ingressClassName": "nginx"},
    "sessions": {
        "namespace": "sessions",
        "createNamespace": True,
        "network": "institute",
        "networks": {"institute": {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}},
    },
    "storage": {
        "volumes": {
            "data": {"path": "/data", "nfs": {"server": "nfs.example", "path": "/data"}},
            "homes": {"path": "/home", "existingClaim": "homes"},
        }
    },
    "machines": [
        {"name": "small", "title": "Small", "cpus": 2, "memory_gib": 4},
        {"name": "gpu", "title": "GPU", "cpus": 8, "memory_gib": 64, "gpus": 1},
    ],
    "apps": {"extra": {"mine": {"app": {"title": "Mine"}, "icon": "<svg/>"}}},
    "catalogue": {"files": {"2026-0142.yaml": {"id": "2026-0142"}}},
}


def one(made: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return the one object of *kind* and *name*."""
    (found,) = (it for it in made if it["kind"] == kind and it["metadata"]["name"] == name)
    return found


def data_of(made: list[dict[str, Any]], secret: str) -> dict[str, str]:
    """Return what a Secret holds. `stringData` never counts: an upgrade takes none of it away."""
    data: dict[str, str] = one(made, "Secret", secret)["data"]
    assert "stringData" not in one(made, "Secret", secret)
    return {name: b64decode(value).decode() for name, value in (data or {}).items()}


def test_the_chart_is_small_and_helm_finds_nothing_wrong(kubernetes: KubernetesHere) -> None:
    assert len(list((CHART / "templates").iterdir())) <= 15
    assert "0 chart(s) failed" in kubernetes.helm(
        "lint", str(CHART), "--strict", "--set=publicUrl=https://x.example/"
    )


LEAST = {"publicUrl": "https://daas.facility.example/"}


@pytest.mark.parametrize("values", [LEAST, FULL], ids=["defaults", "everything"])
def test_the_cluster_would_take_all_of_it(
    kubernetes: KubernetesHere, rendered: Render, values: object
) -> None:
    """The API server looks at each field; what is in a namespace that it would make, is not."""
    made = [it for it in rendered(values) if it["metadata"].get("namespace") != "sessions"]
    documents = "\n---\n".join(map(json.dumps, made))
    kubernetes.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=documents)


@pytest.mark.parametrize("values", [LEAST, FULL], ids=["defaults", "everything"])
def test_its_own_pods_are_as_shut_in_as_sessions(rendered: Render, values: object) -> None:
    """Pod Security "restricted", and a root file system that cannot be written."""
    for made in rendered(values):
        if made["kind"] == "Deployment":
            pod = made["spec"]["template"]
            assert violations({"metadata": {}, **pod}) == []
            for container in pod["spec"]["containers"]:
                assert container["securityContext"]["readOnlyRootFilesystem"]


def test_the_hub_may_do_what_sessions_need_and_no_more(rendered: Render) -> None:
    made = rendered(FULL)
    role = one(made, "Role", "x-hub")
    assert role["metadata"]["namespace"] == "sessions"
    may = {what: set(rule["verbs"]) for rule in role["rules"] for what in rule["resources"]}
    assert may == {
        "pods": {"create", "delete", "get", "list", "watch"},
        "pods/log": {"get"},
        "events": {"list", "watch"},
        "persistentvolumeclaims": {"get"},
    }
    assert not [it for it in made if it["kind"].startswith("Cluster")]


def test_values_become_the_hubs_settings(rendered: Render, tmp_path: Path) -> None:
    config = data_of(rendered(FULL), "x-config")
    (tmp_path / "values.json").write_text(config["values.json"])
    c = Config()
    apply(c, tmp_path / "values.json")
    assert list(refusals(json.loads(config["values.json"])["config"], known())) == []
    (engine,) = c.Facility.engines_offered.values()
    assert sorted(engine["volumes"].values()) == ["/data", "/home"]
    assert engine["volumes"]["homes"] == "/home"
    assert (engine["namespace"], engine["network"]) == ("sessions", "institute")
    assert engine["hub_url"] == "http://x-gate:8082"
    assert c.Facility.machines_offered["gpu"]["gpus"] == 1
    assert c.FilesCatalogue.folder == "/etc/daas/catalogue"
    assert c.DaasAuthenticator.issuer == "https://sso.example/realms/users"
    assert config["10-mine.py"].strip() == "c.JupyterHub.log_level = 10"


def test_files_proposals_and_apps_come_whole_and_go_with_their_values(rendered: Render) -> None:
    files = data_of(rendered(FULL), "x-files")
    assert yaml.safe_load(files["proposal-2026-0142.yaml"]) == {"id": "2026-0142"}
    assert yaml.safe_load(files["app-mine"]) == {"title": "Mine"}
    assert (files["icon-mine"], files["file-ca"]) == ("<svg/>", "x")
    assert data_of(rendered(LEAST), "x-files") == {}
    assert set(data_of(rendered(LEAST), "x-config")) == {"values.json"}


def test_each_person_has_a_host(rendered: Render) -> None:
    """X3: the wildcard below the portal's own host, under the same path."""
    rules = one(rendered(FULL), "Ingress", "x")["spec"]["rules"]
    assert [rule["host"] for rule in rules] == [
        "daas.facility.example",
        "*.daas.facility.example",
    ]
    assert {path["path"] for rule in rules for path in rule["http"]["paths"]} == {"/daas/"}


def test_sessions_reach_the_gate_and_what_their_network_has(rendered: Render) -> None:
    made = rendered(FULL)
    closed = one(made, "NetworkPolicy", "x-sessions")["spec"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"] for rule in closed["egress"]] == [[{"port": 8082}]]
    assert [rule["ports"] for rule in closed["ingress"]] == [[{"port": 8888}]]
    # Sessions outlive `helm uninstall`. What a facility allows beside it may go.
    kept = one(made, "NetworkPolicy", "x-sessions")["metadata"]["annotations"]
    assert kept == {"helm.sh/resource-policy": "keep"}
    allowed = one(made, "NetworkPolicy", "x-sessions-institute")["spec"]
    assert allowed["podSelector"] == {"matchLabels": {"daas.network": "institute"}}
    assert allowed["egress"][-1] == {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}


def test_a_volume_has_a_claim_where_sessions_are_and_one_for_the_hub(rendered: Render) -> None:
    claims = [it["metadata"] for it in rendered(FULL) if it["kind"] == "PersistentVolumeClaim"]
    places = {(claim["name"].rpartition("-")[0], claim.get("namespace")) for claim in claims}
    assert places == {("x", None), ("x-data", "sessions"), ("x-data", "default")}


def volume(rendered: Render, source: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the volume that the chart makes, and what the hub mounts where."""
    made = rendered({**LEAST, "storage": {"volumes": {"data": {"path": "/data", **source}}}})
    (found,) = (it for it in made if it["kind"] == "PersistentVolume")
    pod = one(made, "Deployment", "x-hub")["spec"]["template"]["spec"]
    claims = {
        it["name"]: it.get("persistentVolumeClaim", {}).get("claimName") for it in pod["volumes"]
    }
    mounts = {it["mountPath"]: claims[it["name"]] for it in pod["containers"][0]["volumeMounts"]}
    return found, mounts


def test_another_source_is_another_volume_with_another_claim(rendered: Render) -> None:
    """Neither can be changed once it is there: the upgrade would fail, and each after it."""
    nfs = {"nfs": {"server": "one.example", "path": "/data"}}
    first, mounts = volume(rendered, nfs)
    assert mounts["/data"] == first["spec"]["claimRef"]["name"]
    assert volume(rendered, nfs) == (first, mounts)
    for other in (
        {"nfs": {"server": "two.example", "path": "/data"}},
        {**nfs, "mountOptions": ["nfsvers=4.2"]},
    ):
        second, changed = volume(rendered, other)
        assert first["metadata"]["name"] != second["metadata"]["name"]
        assert changed["/data"] == second["spec"]["claimRef"]["name"] != mounts["/data"]


def test_a_folder_that_a_node_has_not_is_not_made_there(rendered: Render) -> None:
    made, _ = volume(rendered, {"hostPath": {"path": "/gpfs/data"}})
    assert made["spec"]["hostPath"] == {"path": "/gpfs/data", "type": "Directory"}
    made, _ = volume(rendered, {"hostPath": {"path": "/gpfs/data", "type": ""}})
    assert made["spec"]["hostPath"]["type"] == "", "who says it, means it"


@pytest.mark.parametrize(
    ("values", "kind"), [(LEAST, "emptyDir"), (FULL, "secret")], ids=["no proposals", "proposals"]
)
def test_the_catalogue_is_a_folder_that_is_there(
    rendered: Render, values: object, kind: str
) -> None:
    """Without proposals the list is empty; a missing folder would be an error on each page."""
    made = rendered(values)
    config = json.loads(data_of(made, "x-config")["values.json"])["config"]
    pod = one(made, "Deployment", "x-hub")["spec"]["template"]["spec"]
    mounts = {it["mountPath"]: it["name"] for it in pod["containers"][0]["volumeMounts"]}
    (there,) = (
        it for it in pod["volumes"] if it["name"] == mounts[config["FilesCatalogue"]["folder"]]
    )
    assert kind in there


@pytest.mark.parametrize(
    ("values", "files"),
    [(LEAST, ["values.json"]), (FULL, ["values.json", "10-mine.py"])],
    ids=["no snippets", "snippets"],
)
def test_only_snippets_of_the_values_run(
    rendered: Render, values: object, files: list[str]
) -> None:
    """Also where the Secret has one more, which a chart before this one left there."""
    pod = one(rendered(values), "Deployment", "x-hub")["spec"]["template"]["spec"]
    (config,) = (it["secret"] for it in pod["volumes"] if it["name"] == "config")
    assert config["items"] == [{"key": name, "path": name} for name in files]


def test_files_of_the_hub_are_nobody_elses(rendered: Render) -> None:
    """A password of a directory may be among them, and `daas check` looks at their rights."""
    pod = one(rendered(FULL), "Deployment", "x-hub")["spec"]["template"]["spec"]
    modes = {it["name"]: it["secret"].get("defaultMode") for it in pod["volumes"] if "secret" in it}
    assert (modes["config"], modes["files"]) == (0o440, 0o440)


def test_an_app_is_offered_when_its_image_is_one_that_the_page_builds(rendered: Render) -> None:
    config = json.loads(data_of(rendered(LEAST), "x-config")["values.json"])["config"]
    page = (REPOSITORY / "helm" / "README.md").read_text("utf-8")
    built = re.findall(r'make images IMAGES="([^"]+)"', page)[0].split()
    apps = {file.parent.name for file in (REPOSITORY / "images").glob("*/app.yaml")}
    assert apps - set(config["Facility"]["apps_left_out"]) <= set(built)


WRONG = {
    "a key misspelt": ({"hub": {"confg": {}}}, "confg"),
    "a key misspelt at the top": ({"machine": []}, "machine"),
    "a number for a list": ({"machines": 3}, "/machines"),
    "a machine without its size": ({"machines": [{"name": "x", "title": "X"}]}, "cpus"),
    "a text for a number": ({"proxy": {"service": {"port": "http"}}}, "/proxy/service/port"),
    "no way of hosting": ({"hosting": "sub"}, "subdomains"),
    "a folder without a slash": (
        {"storage": {"volumes": {"data": {"path": "data", "existingClaim": "x"}}}},
        "path",
    ),
}


@pytest.mark.parametrize(("values", "named"), WRONG.values(), ids=WRONG.keys())
def test_wrong_values_are_refused_with_the_place(helm: Helm, values: object, named: str) -> None:
    done = helm(values)
    assert done.returncode != 0
    assert named in done.stderr
    assert "values don't meet the specifications" in done.stderr
    assert len(done.stderr) < 1500


def test_the_values_to_begin_with_are_taken_by_chart_and_hub(
    rendered: Render, tmp_path: Path
) -> None:
    page = (REPOSITORY / "helm" / "README.md").read_text("utf-8")
    block = page.partition("Values to begin with:\n")[2].partition("\nThen ")[0]
    made = rendered(yaml.safe_load(dedent(block)))
    (tmp_path / "values.json").write_text(data_of(made, "x-config")["values.json"])
    c = Config()
    c.Facility.apps_folder = str(REPOSITORY / "images")
    apply(c, tmp_path / "values.json")
    proposal = yaml.safe_load(data_of(made, "x-files")["proposal-2026-0142.yaml"])
    assert parse_proposal(proposal, StorageLayout(config=c)).people == {"grace", "ada"}
    assert c.DaasAuthenticator.account_source != "nss"


def test_every_value_is_explained() -> None:
    """In helm/README.md, by its name."""
    page = (REPOSITORY / "helm" / "README.md").read_text("utf-8")
    for top, value in yaml.safe_load((CHART / "values.yaml").read_text()).items():
        names = [f"{top}.{name}" for name in value] if isinstance(value, dict) else [top]
        for name in names:
            assert re.search(rf"`{re.escape(name)}\b", page), name


@pytest.mark.parametrize(
    ("tls", "warned"), [([], True), ([{"secretName": "wildcard"}], False)], ids=["none", "some"]
)
def test_the_notes_warn_of_an_ingress_without_a_certificate(
    kubernetes: KubernetesHere, tls: list[object], warned: bool
) -> None:
    ingress = f"--set-json=ingress={json.dumps({'enabled': True, 'tls': tls})}"
    address = f"--set=publicUrl={LEAST['publicUrl']}"
    said = kubernetes.helm("install", "x", str(CHART), "--dry-run=server", address, ingress)
    notes = said.partition("NOTES:")[2]
    assert ("ingress.tls is empty" in notes) is warned
    assert LEAST["publicUrl"] in notes
    assert max(map(len, notes.splitlines())) < 110

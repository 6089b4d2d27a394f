"""The values for zero-to-jupyterhub's chart, as far as they can be checked without that chart.

What its own schema says was looked at by hand: helm/zero-to-jupyterhub.md tells how.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from traitlets.config import Config, PyFileConfigLoader

from daas_command.known import known, refusals
from daas_model.engines import Engine
from daas_model.hosting import Hosting
from daas_model.meeting import Meeting

HELM = Path(__file__).parents[3] / "helm"
PAGE = (HELM / "zero-to-jupyterhub.md").read_text("utf-8")
VALUES: dict[str, Any] = yaml.safe_load((HELM / "zero-to-jupyterhub.yaml").read_text("utf-8"))

#: Keys of their chart that we use and whose kind we rely on (its values.schema.yaml at 48ea50e3).
#: What is below a key that ends here is Kubernetes' own, or free.
THEIRS = {
    "hub.image.name",
    "hub.image.tag",
    "hub.args",
    "hub.extraEnv",
    "hub.extraFiles",
    "hub.extraVolumes",
    "hub.extraVolumeMounts",
    "hub.extraContainers",
    "hub.service.extraPorts",
    "hub.networkPolicy.ingress",
    "hub.networkPolicy.egress",
    "hub.resources",
    "hub.config",
    "proxy.service.type",
    "proxy.chp.networkPolicy.egress",
    "singleuser.image.name",
    "singleuser.image.tag",
    "singleuser.cloudMetadata.blockWithIptables",
    "singleuser.cpu.guarantee",
    "singleuser.memory.guarantee",
    "prePuller.extraImages",
    "cull.enabled",
    "ingress.enabled",
    "ingress.hosts",
    "ingress.tls",
}
HUB = VALUES["hub"]
ENVIRONMENT: dict[str, Any] = HUB["extraEnv"]
SETTINGS: str = HUB["extraFiles"]["settings.py"]["stringData"]


def unknown(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in values.items():
        name = f"{above}{key}"
        if name in THEIRS:
            continue
        if isinstance(value, dict) and any(one.startswith(f"{name}.") for one in THEIRS):
            yield from unknown(value, f"{name}.")
        else:
            yield name


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The settings of the values, read as the hub reads them."""
    monkeypatch.setenv("DAAS_CLIENT_SECRET", "invented")
    (tmp_path / "settings.py").write_text(SETTINGS)
    return PyFileConfigLoader("settings.py", str(tmp_path)).load_config()


def test_no_key_is_of_our_own_invention() -> None:
    assert list(unknown(VALUES)) == []


def test_every_setting_exists_and_takes_its_value(settings: Config) -> None:
    assert len(settings) >= 6
    assert list(refusals(settings, known())) == []


def test_the_engine_can_be_read_and_its_gate_is_a_port_of_their_service(settings: Config) -> None:
    offered = settings.Facility.engines_offered
    (engine,) = (Engine.parse(name, data) for name, data in offered.items())
    ports = {one["name"]: one["port"] for one in HUB["service"]["extraPorts"]}
    assert engine.hub_url == f"http://hub.jupyter.svc:{ports['gate']}"
    (gate,) = HUB["extraContainers"]
    assert f":{ports['gate']}" in gate["command"]
    assert gate["image"] == f"{HUB['image']['name']}:{HUB['image']['tag']}"


def test_hub_proxy_and_portal_can_meet() -> None:
    names = ("HUB_BIND", "HUB_CONNECT", "PROXY_API", "PORTAL_CONNECT")
    meeting = Meeting.parse(*(ENVIRONMENT[f"DAAS_{name}"] for name in names))
    ports = {one["name"]: one["port"] for one in HUB["service"]["extraPorts"]}
    assert meeting.portal_connect == f"http://hub:{ports['portal']}"
    assert (meeting.hub_connect, meeting.proxy_api) == ("http://hub:8081", "http://proxy-api:8001")
    allowed = [port["port"] for rule in HUB["networkPolicy"]["ingress"] for port in rule["ports"]]
    assert sorted(allowed) == sorted(ports.values())


def test_people_come_by_hosts_that_the_ingress_and_the_proxy_have() -> None:
    hosting = Hosting.parse("subdomains", ENVIRONMENT["DAAS_PUBLIC_URL"], "http://:8000/")
    ingress, host = VALUES["ingress"], "daas.facility.example"
    assert hosting.public_url == f"https://{host}/"
    assert ingress["hosts"] == [host, f"*.{host}"] == ingress["tls"][0]["hosts"]
    assert HUB["config"] == {"JupyterHub": {"subdomain_host": f"https://{host}"}}


def test_paths_in_the_values_are_those_of_our_image() -> None:
    image = (HELM.parent / "images" / "hub" / "Dockerfile").read_text("utf-8")
    config = HUB["args"][HUB["args"].index("--config") + 1]
    assert f"DAAS_CONFIG={config}" in image
    mounted = {one["mountPath"] for one in HUB["extraVolumeMounts"]}
    assert ENVIRONMENT["DAAS_RUN"] in mounted
    assert ENVIRONMENT["DAAS_SETTINGS"] == HUB["extraFiles"]["settings.py"]["mountPath"]
    assert all(os.path.isabs(path) for path in mounted)


@pytest.mark.parametrize(
    "said",
    [
        "hub.args",
        "DAAS_HUB_BIND",
        "DAAS_STATE",
        "hub.config.JupyterHub.subdomain_host",
        "singleuser.image",
        "prePuller.extraImages",
        "CONFIGPROXY_AUTH_TOKEN",
    ],
)
def test_the_page_says_what_must_match(said: str) -> None:
    assert f"`{said}`" in PAGE

"""Where sessions run: this machine, a container engine, or a cluster. Parsed here, once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from daas_model import parsing
from daas_model.parsing import Malformed

KINDS = ("local", "docker", "kubernetes")

#: A session away from this machine's sandboxes has no network unless the facility says so.
NO_NETWORK = "none"
_ENTRIES = frozenset({"title", "kind", "address", "network"})
_OF_A_CLUSTER = frozenset({"namespace", "hub_url", "volumes"})


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine of the configuration.

    *title* stands on pages behind a machine's name ("Large — containers"). *kind* is `local`
    (sandboxes of this machine), `docker` (Docker Engine, or Podman's compatible socket at
    *address*, `unix:///…`) or `kubernetes` (the cluster that the hub itself is in, or that of the
    kubeconfig file at *address*). *network* is the network that sessions join.

    The rest is for clusters: sessions are pods in *namespace* and reach the hub's API at
    *hub_url*; *volumes* are its claims, each with the folder of the facility where it begins.
    """

    name: str
    title: str
    kind: str
    address: str
    network: str
    namespace: str = ""
    hub_url: str = ""
    volumes: Mapping[str, PurePosixPath] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, data: object) -> "Engine":
        """Read one engine of the configuration. Raises `Malformed`."""
        fields = parsing.only(data, _ENTRIES | _OF_A_CLUSTER)
        kind = parsing.text(fields, "kind")
        if kind not in KINDS:
            raise Malformed(f"'kind' of engine '{name}' must be one of {', '.join(KINDS)}")
        engine = cls(
            name=parsing.identifier(name, "the engine's name"),
            title=parsing.text(fields, "title"),
            kind=kind,
            address=parsing.text(fields, "address", ""),
            network=parsing.text(fields, "network", NO_NETWORK),
            namespace=parsing.text(fields, "namespace", ""),
            hub_url=parsing.text(fields, "hub_url", "").rstrip("/"),
            volumes=_volumes(fields),
        )
        engine._check(_OF_A_CLUSTER & fields.keys())
        return engine

    def _check(self, of_a_cluster: frozenset[str]) -> None:
        if self.kind == "docker" and not self.address.startswith("unix:///"):
            raise Malformed(f"'address' of engine '{self.name}' must be a socket, unix:///…")
        if self.kind != "kubernetes":
            for entry in sorted(of_a_cluster):
                raise Malformed(f"'{entry}' of engine '{self.name}' is for a cluster only")
            return
        if self.address and not PurePosixPath(self.address).is_absolute():
            raise Malformed(f"'address' of engine '{self.name}' must be a file, /…, or not be set")
        if not self.namespace:
            raise Malformed(f"'namespace' of engine '{self.name}' must be set")
        if not re.match(r"https?://[^/]", self.hub_url):
            raise Malformed(f"'hub_url' of engine '{self.name}' must be an address, http://…")


def _volumes(fields: Mapping[str, object]) -> Mapping[str, PurePosixPath]:
    volumes = {}
    for claim, folder in parsing.table(fields, "volumes").items():
        volumes[parsing.identifier(claim, "a claim's name")] = PurePosixPath(folder)
        if not PurePosixPath(folder).is_absolute():
            raise Malformed(f"the claim '{claim}' in 'volumes' must begin at a folder, /…")
    return volumes


Engines = Mapping[str, Engine]

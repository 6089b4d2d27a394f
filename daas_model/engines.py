"""Where sessions run: this machine itself, or a container engine. Parsed here, once."""

from collections.abc import Mapping
from dataclasses import dataclass

from daas_model import parsing
from daas_model.parsing import Malformed

KINDS = ("local", "docker")

#: A session in a container has no network unless the facility says so.
NO_NETWORK = "none"


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine of the configuration.

    *title* stands on pages behind a machine's name ("Large — containers"). *kind* is `local`
    (sandboxes of this machine) or `docker` (Docker Engine, or Podman's compatible socket at
    *address*, `unix:///…`). *network* is the engine's network that sessions join.
    """

    name: str
    title: str
    kind: str
    address: str
    network: str

    @classmethod
    def parse(cls, name: str, data: object) -> "Engine":
        """Read one engine of the configuration. Raises `Malformed`."""
        fields = parsing.only(data, frozenset({"title", "kind", "address", "network"}))
        kind = parsing.text(fields, "kind")
        if kind not in KINDS:
            raise Malformed(f"'kind' of engine '{name}' must be one of {', '.join(KINDS)}")
        address = parsing.text(fields, "address", "")
        if kind == "docker" and not address.startswith("unix:///"):
            raise Malformed(f"'address' of engine '{name}' must be a socket, unix:///…")
        return cls(
            name=parsing.identifier(name, "the engine's name"),
            title=parsing.text(fields, "title"),
            kind=kind,
            address=address,
            network=parsing.text(fields, "network", NO_NETWORK),
        )


Engines = Mapping[str, Engine]

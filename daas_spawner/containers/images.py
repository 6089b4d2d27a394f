"""Which image an app runs from, and where it is fetched. Used by `fetching.py`.

Names are those of the OCI distribution specification and of Docker's `reference` grammar.
"""

import re
from dataclasses import dataclass
from typing import Any

from traitlets import Dict, Integer, TraitError, Unicode, validate
from traitlets.config import Configurable

import daas_model
from daas_model.errors import ImageProblem
from daas_model.parsing import Malformed

DIGEST = re.compile(r"\Asha256:[0-9a-f]{64}\Z")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"\A(?P<repository>(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?\Z"
)


@dataclass(frozen=True, slots=True)
class Image:
    """One image: *repository* with a *tag*, or with the *digest* of what must be in it."""

    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> "Image":
        """Read `repository:tag` or `repository@sha256:…`. Raises `Malformed`."""
        found = _NAME.match(text)
        if not found or not (found["tag"] or found["digest"]):
            raise Malformed(
                f"'{text}' must be the name of an image with its tag or digest, in small letters"
            )
        return cls(found["repository"], found["tag"] or "", found["digest"] or "")

    @property
    def name(self) -> str:
        """What engines call it."""
        return (
            f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"
        )

    @property
    def last_part(self) -> str:
        """What stands last in its name: the app's, unless it has a reference of its own."""
        return self.repository.rpartition("/")[2]

    @property
    def registry(self) -> str:
        """The registry's `host[:port]`; empty for an image that was made on the machine.

        Docker's rule: the first part is a host if it has a dot or a port. Names without a host
        would be looked for at Docker Hub, where strangers may have taken them.
        """
        host, slash, _ = self.repository.partition("/")
        return host if slash and ("." in host or ":" in host) else ""


class ContainerImages(Configurable):
    """The images of apps that run in containers: their names, their registry and its secret."""

    prefix = Unicode(
        "daas/",
        help="""What stands before an app's name in the name of its image.

        A name without a registry's host is never fetched: it must have been made on the machine
        (`make images`). Example: `registry.facility.example/daas/`.
        """,
    ).tag(config=True)
    tag = Unicode(
        daas_model.__version__,
        help="""The tag of the images, unless an app has a reference of its own.

        An image that is on the machine is used as it is. Give a changed image a new tag, or pin
        it: the same tag is not fetched again. Example: `2026-11`.
        """,
    ).tag(config=True)
    pins = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="""Digests of the only images that may be used, by the app's name.

        A pinned app is fetched by its digest, whatever its tag says, and anything else that the
        registry sends is refused. Example: `{"pymca": "sha256:3f5a…"}`.
        """,
    ).tag(config=True)
    references = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="""Whole names of images for single apps, in place of prefix and tag.

        Example: `{"pymca": "ghcr.io/facility/pymca-test:7"}`.
        """,
    ).tag(config=True)
    pull_secret_file = Unicode(
        "",
        help="""File with the registries' logins, as `docker login` and Kubernetes write it.

        Read at each fetch, by the hub only. Without it images are fetched without a login; the
        `~/.docker/config.json` of the hub's user is not looked at.
        Example: `/etc/daas/registry.json`.
        """,
    ).tag(config=True)
    silence_seconds = Integer(
        600,
        min=1,
        help="""A fetch is given up when the engine reports nothing for so many seconds.

        Podman is silent while it unpacks a large layer. Example: `1800` for slow disks.
        """,
    ).tag(config=True)

    def image_of(self, app_name: str) -> Image:
        """Return the image of an app. Raises `ImageProblem` when its name cannot be one."""
        text = self.references.get(app_name) or f"{self.prefix}{app_name.lower()}:{self.tag}"
        try:
            image = Image.parse(text)
        except Malformed as error:
            raise ImageProblem("This app has no image here.", detail=str(error)) from None
        return Image(image.repository, image.tag, self.pins.get(app_name, image.digest))

    @validate("prefix", "tag")
    def _parts_make_a_name(self, proposal: Any) -> Any:
        name = proposal.trait.name
        parts = {"prefix": "", "tag": "1", name: proposal.value}
        _parsed(f"{parts['prefix']}app:{parts['tag']}", name)
        return proposal.value

    @validate("references")
    def _references_are_names(self, proposal: Any) -> Any:
        for text in proposal.value.values():
            _parsed(text, "references")
        return proposal.value

    @validate("pins")
    def _pins_are_digests(self, proposal: Any) -> Any:
        for app, digest in proposal.value.items():
            if not DIGEST.match(digest):
                raise TraitError(
                    f"ContainerImages.pins: '{app}' must have sha256: and 64 hexadecimal digits"
                )
        return proposal.value


def _parsed(text: str, trait: str) -> Image:
    try:
        return Image.parse(text)
    except Malformed as error:
        raise TraitError(f"ContainerImages.{trait}: {error}") from None

"""One engine that the tests started: where it listens, and its beginning and end.

`docker_here` and `podman_here` make it.
"""

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import docker
import requests

from tests.engines.daemons import Daemon

#: A call to an engine that takes longer has failed; loading an image takes the longest.
CALL_SECONDS = 120


@dataclass(frozen=True, slots=True)
class EngineHere:
    """A private engine. *environment* is what its command-line client needs to find it."""

    name: str
    address: str
    environment: Mapping[str, str]
    daemon: Daemon

    def start(self) -> None:
        """Start it and end the containers that a run which was killed has left."""
        self.daemon.start()
        self.end_containers()

    def stop(self) -> None:
        """End its containers, then itself."""
        with contextlib.suppress(docker.errors.DockerException, requests.RequestException):
            self.end_containers()
        self.daemon.stop()

    def restart(self) -> None:
        """End the engine as an administrator would, and start it again."""
        self.daemon.stop()
        self.daemon.start()

    def end_containers(self) -> None:
        """Remove every container: all of them are the tests'."""
        with self.client() as client:
            for container in client.containers(all=True):
                with contextlib.suppress(docker.errors.NotFound):
                    client.remove_container(container["Id"], force=True, v=True)

    def containers(self) -> list[dict[str, Any]]:
        """Return every container, also those that have ended."""
        with self.client() as client:
            found: list[dict[str, Any]] = client.containers(all=True)
            return found

    def image_id(self, reference: str) -> str:
        """Return the id of an image, empty when it is not there."""
        with self.client() as client:
            try:
                found: str = client.inspect_image(reference)["Id"]
            except docker.errors.ImageNotFound:
                return ""
            return found.removeprefix("sha256:")

    def has_image(self, reference: str) -> bool:
        """Tell whether an image is there."""
        return bool(self.image_id(reference))

    @contextlib.contextmanager
    def client(self) -> Any:
        """A client for the tests' own questions, closed at the end."""
        client = docker.APIClient(self.address, version="auto", timeout=CALL_SECONDS)
        try:
            yield client
        finally:
            client.close()


def answers(address: str) -> bool:
    """Tell whether an engine answers at *address*."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(5)
        try:
            asking.connect(address.removeprefix("unix://"))
            asking.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in asking.recv(100)
        except OSError:
            return False

"""Debian's `docker-registry` on loopback, what is in it, and a narrow way to it.

An image is written straight by the registry's HTTP interface (OCI distribution specification),
so that a test chooses its layers, its label and its faults.
"""

import contextlib
import gzip
import hashlib
import io
import json
import math
import os
import socket
import tarfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.conftest import free_port
from tests.engines.daemons import Daemon, require

CONFIG = """\
version: 0.1
log: {{accesslog: {{disabled: true}}, level: error}}
storage:
  filesystem: {{rootdirectory: "{folder}/blobs"}}
  cache: {{}}
http: {{addr: "127.0.0.1:{port}", secret: of-no-worth}}
"""
GUARDED = 'auth: {{htpasswd: {{realm: tests, path: "{folder}/htpasswd"}}}}\n'
NAME = "reader"
PASSWORD = "right-Password-1"
#: bcrypt of PASSWORD: the registry takes no other hash.
HTPASSWD = f"{NAME}:$2b$04$fRRP346PrbitQjNBf9laR.x2/v.I0/jG4ADi4y/mv7/NyrMzvIjhi\n"

OURS = {"daas.runtime": "1"}
MIB = 1 << 20
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
IMAGE = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that keeps its images in *folder* and listens at *host*, `127.0.0.1:port`."""

    host: str
    folder: Path
    login: tuple[str, str] | None = None

    def put(
        self,
        name: str,
        tag: str = "1",
        layers_mib: Sequence[float] = (0.1,),
        labels: dict[str, str] | None = None,
    ) -> str:
        """Write an image of layers of random bytes; return its digest."""
        layers = [_layer(number, int(size * MIB)) for number, size in enumerate(layers_mib)]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/x"], "Labels": OURS if labels is None else labels},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        }
        packed = [gzip.compress(layer, compresslevel=0) for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._put_blob(name, IMAGE, json.dumps(config).encode()),
            "layers": [self._put_blob(name, LAYER, layer) for layer in packed],
        }
        answer = requests.put(
            f"http://{self.host}/v2/{name}/manifests/{tag}",
            json.dumps(manifest),
            headers={"Content-Type": MANIFEST},
            auth=self.login,
            timeout=30,
        )
        answer.raise_for_status()
        return answer.headers["Docker-Content-Digest"]

    def spoil(self, digest: str) -> None:
        """Change what is stored under *digest*, as in a registry that was broken into."""
        kind, _, value = digest.partition(":")
        place = self.folder / "blobs" / "docker/registry/v2/blobs" / kind / value[:2] / value
        stored = place / "data"
        # Spaces mean nothing in a manifest, so that it is still a good one.
        stored.write_bytes(stored.read_bytes() + b"\n")

    def _put_blob(self, name: str, media_type: str, blob: bytes) -> dict[str, object]:
        begun = requests.post(
            f"http://{self.host}/v2/{name}/blobs/uploads/", auth=self.login, timeout=30
        )
        begun.raise_for_status()
        requests.put(
            begun.headers["Location"],
            blob,
            params={"digest": _digest(blob)},
            headers={"Content-Type": "application/octet-stream"},
            auth=self.login,
            timeout=60,
        ).raise_for_status()
        return {"mediaType": media_type, "size": len(blob), "digest": _digest(blob)}


@contextlib.contextmanager
def registry_here(folder: Path, *, guarded: bool = False) -> Iterator[Registry]:
    """Run an empty registry in *folder*; a *guarded* one wants NAME and PASSWORD."""
    require("docker-registry")
    folder.mkdir(parents=True)
    port = free_port()
    text = CONFIG + (GUARDED if guarded else "")
    config = folder / "registry.yml"
    config.write_text(text.format(folder=folder, port=port))
    (folder / "htpasswd").write_text(HTPASSWD)
    daemon = Daemon(
        ["docker-registry", "serve", str(config)],
        log=folder / "registry.log",
        ready=lambda: _listens(port),
    )
    daemon.start()
    try:
        yield Registry(f"127.0.0.1:{port}", folder, (NAME, PASSWORD) if guarded else None)
    finally:
        daemon.stop()


class Narrow:
    """A relay in front of a registry: slow on demand, and it notes what is asked for.

    It listens at *host*. *bytes_per_second* of what it carries to the engine may change while
    it runs; 0 stands still.
    """

    def __init__(self, to: Registry) -> None:
        self._to = int(to.host.rpartition(":")[2])
        self.bytes_per_second = math.inf
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Close every connection, and return when nothing of it runs."""
        self.bytes_per_second = math.inf
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [near, far]
                for carry in ((near, far, False), (far, near, True)):
                    thread = threading.Thread(target=self._carry, args=carry)
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, target: socket.socket, is_slow: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                if is_slow:
                    self._wait_for(len(data))
                elif data.startswith((b"GET ", b"HEAD ")):
                    self.asked.append(data.split(b"\r\n", 1)[0].decode())
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _wait_for(self, size: int) -> None:
        carried = 0.0
        while carried < size and self.bytes_per_second < math.inf:
            time.sleep(0.01)
            carried += self.bytes_per_second * 0.01


def _layer(number: int, size: int) -> bytes:
    """A layer with one file of random bytes; two of them never are the same."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(f"data-{number}")
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    return packed.getvalue()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True

"""The images of the cluster: containerd, what it has, and what it is given.

They are kept between runs; of what ran, nothing is. An image carries the identity that it has
where it came from, so that only what is missing is copied.
"""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.engines.daemons import PATH, Daemon
from tests.engines.engine_here import EngineHere
from tests.engines.kubernetes.machine import PODS, Machine

CONFIG = """\
version = 2
root = "{kept}"
state = "{run}/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{run}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/network"
"""
PAUSE_IMAGE = "docker.io/daas/pause:1"
#: Says of an image what it is where it came from.
IDENTITY = "daas.identity"


@dataclass(slots=True)
class Images:
    """containerd on *machine*; its images are in *kept*, all else in *folder*."""

    machine: Machine
    kept: Path
    folder: Path
    _daemon: Daemon = field(init=False)

    @property
    def socket(self) -> str:
        """Where containerd listens."""
        return str(self.folder / "containerd.sock")

    def start(self) -> None:
        """Start containerd, which then has its images and nothing that runs. Raises `NotHere`."""
        config = self.folder / "containerd.toml"
        filled = {"kept": self.kept, "run": self.folder, "socket": self.socket}
        config.write_text(CONFIG.format(pause=PAUSE_IMAGE, **filled))
        self._write_network()
        self._daemon = self.machine.daemon(
            "containerd", "containerd", "--config", str(config), ready=self._answers
        )
        self._daemon.start()
        if left := self.ctr("containers", "list", "--quiet").split():
            # Those of the last run. What has loaded them must forget them, too.
            self.ctr("containers", "delete", *left)
            self._daemon.stop()
            self._daemon.start()

    def ctr(self, *arguments: str) -> str:
        """Call containerd's own client. Raises `CalledProcessError`."""
        done = subprocess.run(
            self._ctr(*arguments), env=_ENVIRONMENT, capture_output=True, text=True, check=True
        )
        return done.stdout

    def identities(self) -> dict[str, str]:
        """Return what each image is where it came from, by its full name."""
        return {
            name: dict(label.partition("=")[::2] for label in labels.split(",")).get(IDENTITY, "")
            for name, *_, labels in self._listed()
        }

    def load(self, docker: EngineHere, *references: str) -> list[str]:
        """Copy what is missing from Docker Engine; return that."""
        here = self.identities()
        there = {reference: docker.image_id(reference) for reference in references}
        missing = [name for name in there if here.get(full(name)) != there[name]]
        if missing:
            try:
                self._copy(docker, missing)
            except subprocess.CalledProcessError:
                # containerd, just started, may be clearing away what an import needs: seen once.
                self._copy(docker, missing)
        for name in missing:
            self.ctr("images", "label", full(name), f"{IDENTITY}={there[name]}")
        self._forget_what_has_no_name()
        return missing

    def _copy(self, docker: EngineHere, references: Sequence[str]) -> None:
        with subprocess.Popen(
            ["docker", "save", *references],
            env={**_ENVIRONMENT, **docker.environment},
            stdout=subprocess.PIPE,
        ) as saved:
            subprocess.run(
                self._ctr("images", "import", "-"),
                env=_ENVIRONMENT,
                stdin=saved.stdout,
                capture_output=True,
                check=True,
            )

    def pack(self, name: str, program: Path, *arguments: str, links: Sequence[str] = ()) -> None:
        """Make an image of one program that needs no other file, unless it is there."""
        state = program.stat()
        identity = f"{state.st_size}-{state.st_mtime_ns}"
        if self.identities().get(name) == identity:
            return
        packed = self.folder / "packed.tar"
        write_image(packed, name, program, arguments, links)
        self.ctr("images", "import", str(packed))
        self.ctr("images", "label", name, f"{IDENTITY}={identity}")
        packed.unlink()

    def _forget_what_has_no_name(self) -> None:
        """Remove images whose name is another's now: the kubelet has them by digest as well."""
        digests = {name: digest for name, _, digest, *_ in self._listed()}
        named = {digests[name] for name in digests if not name.startswith("sha256:")}
        if old := [name for name in digests if digests[name] not in named]:
            self.ctr("images", "delete", *old)

    def _listed(self) -> list[list[str]]:
        """The images: name, type, digest, size with its unit, platforms, labels."""
        return [line.split() for line in self.ctr("images", "list").splitlines()[1:]]

    def _ctr(self, *arguments: str) -> list[str]:
        return ["ctr", f"--address={self.socket}", "--namespace=k8s.io", *arguments]

    def _answers(self) -> bool:
        try:
            self.ctr("version")
        except subprocess.CalledProcessError:
            return False
        return True

    def _write_network(self) -> None:
        # `ptp` leads every packet past the rules of the machine, where policies are.
        plugin = {
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "dataDir": str(self.folder / "addresses"),
                "ranges": [[{"subnet": PODS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        network = self.folder / "network"
        network.mkdir(exist_ok=True)
        content = {"cniVersion": "0.4.0", "name": "pods", "plugins": [plugin]}
        (network / "pods.conflist").write_text(json.dumps(content))


_ENVIRONMENT = {"PATH": PATH, "HOME": os.environ.get("HOME", "/root")}


def full(reference: str) -> str:
    """Return a reference as containerd has it: with its registry."""
    return f"docker.io/{reference}"


def write_image(
    file: Path, name: str, program: Path, arguments: Sequence[str], links: Sequence[str]
) -> None:
    """Write an image as `docker save` does: *program* at its top, with *links* to it beside."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(program, program.name)
        for link in links:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, f"/{program.name}"
            tar.addfile(info)
    content = layer.getvalue()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    config = {
        "architecture": os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"),
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}", *arguments], "Env": ["PATH=/:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(file, "w") as tar:
        for path, data in (
            ("config.json", json.dumps(config).encode()),
            ("layer.tar", content),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

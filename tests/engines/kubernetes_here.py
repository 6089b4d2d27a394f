"""A Kubernetes of the tests' own: real servers, a real node, pods that are real containers.

It lives in a network, mounts and processes of its own; this machine reaches its API, its pods
and its services through one link, and is `HOST` to them.
"""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.engines.daemons import NotHere, own_folders, remove_groups, require
from tests.engines.engine_here import EngineHere
from tests.engines.kubernetes.images import PAUSE_IMAGE, Images
from tests.engines.kubernetes.machine import HOST, Machine, wait_for
from tests.engines.kubernetes.node import DNS, GROUP, make_groups, node_programs
from tests.engines.kubernetes.programs import (
    CLUSTER,
    COREDNS,
    FOLDER,
    HELM,
    PAUSE,
    require_programs,
)
from tests.engines.kubernetes.servers import ADMIN, NODE, Servers, is_ready

COREDNS_IMAGE = "docker.io/daas/coredns:1"
#: Debian's `busybox-static`, for what tests start as pods.
BUSYBOX = Path("/bin/busybox")
BUSYBOX_IMAGE = "docker.io/daas/busybox:1"
COMMANDS = ("id", "nc", "nslookup", "sh", "sleep", "wget")
MANIFESTS = Path(__file__).parent / "kubernetes"


@dataclass(frozen=True, slots=True)
class KubernetesHere:
    """A private cluster. Its administrator's login is in *kubeconfig*."""

    machine: Machine
    images: Images
    servers: Servers
    kubeconfig: Path
    nodes: tuple[str, ...] = (NODE,)
    #: Where pods reach what listens on this machine.
    host: str = HOST

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Call kubectl; return what it prints. Raises `CalledProcessError`, which has the rest."""
        return self._call(CLUSTER, "kubectl", *arguments, stdin=stdin)

    def helm(self, *arguments: str) -> str:
        """Call helm; return what it prints. Raises `CalledProcessError`."""
        return self._call(HELM, *arguments)

    def load(self, docker: EngineHere, *references: str) -> list[str]:
        """Copy the images that are missing; return their references."""
        return self.images.load(docker, *references)

    def stop_api(self) -> None:
        """Take the API server away; pods go on."""
        self.servers.api.stop()
        wait_for("the end of the API server", lambda: not is_ready())

    def start_api(self) -> None:
        """Give it back, with all it knew."""
        self.servers.api.start()

    def restart(self) -> None:
        """End the API server as an administrator would, and start it again."""
        self.stop_api()
        self.start_api()

    def _call(self, program: Path, *arguments: str, stdin: str | None = None) -> str:
        home = self.kubeconfig.parent
        environment = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(home), "PATH": str(FOLDER)}
        done = subprocess.run(
            [str(program), *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout


@contextlib.contextmanager
def kubernetes_here() -> Iterator[KubernetesHere]:
    """Run a Kubernetes. Raises `NotHere`."""
    require("openssl", "nft")
    with _images_here() as (machine, images, fresh):
        try:
            kubernetes = _start(machine, images, fresh)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "")
            raise NotHere(f"the cluster did not start: {error} {said}") from error
        yield kubernetes


@contextlib.contextmanager
def images_here() -> Iterator[Images]:
    """Give the images of the cluster, without the cluster, to fill them. Raises `NotHere`."""
    with _images_here() as (_, images, _):
        yield images


@contextlib.contextmanager
def _images_here() -> Iterator[tuple[Machine, Images, Path]]:
    require("containerd", "ctr", "ip", "mount", "nsenter", "runc", "unshare")
    require_programs()
    with own_folders("kubernetes") as (data, run):
        logs, fresh = data / "logs", data / "fresh"
        for folder in (logs, fresh, run):
            # A run that was killed has left its own.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        machine = Machine(fresh, logs)
        try:
            machine.start()
            images = Images(machine, data / "images", run)
            images.start()
            yield machine, images, fresh
        finally:
            machine.stop()
            shutil.rmtree(fresh, ignore_errors=True)
            remove_groups(GROUP)


def _start(machine: Machine, images: Images, folder: Path) -> KubernetesHere:
    images.pack(PAUSE_IMAGE, PAUSE)
    images.pack(COREDNS_IMAGE, COREDNS, "-conf", "/etc/coredns/Corefile")
    if BUSYBOX.exists():
        images.pack(BUSYBOX_IMAGE, BUSYBOX, links=COMMANDS)
    make_groups()
    servers = Servers(machine, folder)
    servers.start()
    for program in node_programs(machine, servers, images, folder):
        program.start()
    kubernetes = KubernetesHere(machine, images, servers, servers.kubeconfig(ADMIN))
    kubernetes.kubectl("apply", "--filename", str(MANIFESTS / "coredns.yaml"))
    wait = ("--namespace=kube-system", "status", "deployment/coredns", "--timeout=60s")
    kubernetes.kubectl("rollout", *wait)
    wait_for("the cluster's DNS", _dns_answers)
    return kubernetes


def _dns_answers() -> bool:
    try:
        socket.create_connection((DNS, 53), timeout=1).close()
    except OSError:
        return False
    return True

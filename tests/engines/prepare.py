"""Puts the images into the engines of the tests: `make test-engines` runs it before the tests.

They are built by `make images` in Docker Engine and copied to Podman and to the Kubernetes whose
programs are made here. Kept between runs, so that the second time is short. What cannot be done
is said, and the tests that need it are skipped, or fail where every engine must run.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import daas_model
from tests.engines.daemons import PATH, NotHere
from tests.engines.docker_here import docker_here
from tests.engines.engine_here import EngineHere
from tests.engines.engines import PROBE
from tests.engines.kubernetes import programs
from tests.engines.kubernetes.images import Images
from tests.engines.kubernetes_here import images_here
from tests.engines.podman_here import podman_here

REPOSITORY = Path(__file__).parents[2]
PROBE_FOLDER = REPOSITORY / "tests" / "spawner" / "apps" / "probe"
#: What is built for the tests; `base` and whatever they begin with come along.
IMAGES = ("desktop", "pymca")
#: The portal itself.
WITHOUT_DATABASE = ("hub", "proxy")
PORTAL_IMAGES = (*WITHOUT_DATABASE, "database")
#: What Podman and the cluster get of them.
COPIED = (*IMAGES, *WITHOUT_DATABASE)
#: What Docker may keep of its builds.
KEPT_OF_BUILDS = "4GB"
#: What is repeated of the words of a command that failed.
LAST_BYTES = 2000
CA = Path("/etc/ssl/certs/ca-certificates.crt")


def main() -> int:
    """Prepare all engines; return 0, or 1 when one could not be."""
    try:
        with docker_here() as docker:
            build(docker)
            with podman_here() as podman:
                copy(docker, podman)
            # Last: the first time it can take as long as all else.
            print(programs.make(), flush=True)
            with images_here() as cluster:
                copy_to_cluster(docker, cluster)
    except (NotHere, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or b""
        last = said[-LAST_BYTES:].decode(errors="replace").strip()
        print(f"The engines could not all be prepared: {error} {last}", flush=True)
        return 1
    return 0


def build(docker: EngineHere) -> None:
    """Build the images, and the probe's from the runtime."""
    # Nothing of a build needs the engine's own network, which this one does not have.
    environment = {"BUILD_OPTIONS": "--network=host", "ENGINE": "docker"}
    if CA.exists():
        environment["DAAS_CA"] = os.environ.get("DAAS_CA", str(CA))
    call(docker, "make", "images", f"IMAGES={' '.join((*IMAGES, *PORTAL_IMAGES))}", **environment)
    version = f"--build-arg=VERSION={daas_model.__version__}"
    call(docker, "docker", "build", "--quiet", version, f"--tag={PROBE}", str(PROBE_FOLDER))
    call(docker, "docker", "image", "prune", "--force")
    call(docker, "docker", "builder", "prune", "--force", f"--keep-storage={KEPT_OF_BUILDS}")


def copy(docker: EngineHere, podman: EngineHere) -> None:
    """Copy to Podman what it has not got yet."""
    started = time.monotonic()
    missing = [name for name in ours() if docker.image_id(name) != podman.image_id(name)]
    if missing:
        saved = subprocess.Popen(
            ["docker", "save", *missing], env=_of(docker), stdout=subprocess.PIPE
        )
        call(podman, "podman", "load", "--quiet", stdin=saved.stdout)
        call(podman, "podman", "image", "prune", "--force")
        saved.wait()
    seconds = time.monotonic() - started
    print(f"{len(missing)} images copied to Podman in {seconds:.0f} s", flush=True)


def copy_to_cluster(docker: EngineHere, cluster: Images) -> None:
    """Copy to the cluster what it has not got yet."""
    started = time.monotonic()
    copied = cluster.load(docker, *ours())
    seconds = time.monotonic() - started
    print(f"{len(copied)} images copied to the cluster in {seconds:.0f} s", flush=True)


def ours() -> list[str]:
    """Return the names of the images that are copied."""
    return [PROBE, *(f"daas/{name}:{daas_model.__version__}" for name in COPIED)]


def call(engine: EngineHere, *argv: str, stdin: object = None, **environment: str) -> None:
    """Run a command with the client of *engine*. Raises `CalledProcessError`."""
    source = subprocess.DEVNULL if stdin is None else stdin
    subprocess.run(
        argv, cwd=REPOSITORY, env={**_of(engine), **environment}, stdin=source, check=True
    )


def _of(engine: EngineHere) -> dict[str, str]:
    return {**os.environ, "PATH": f"{PATH}:{os.environ['PATH']}", **engine.environment}


if __name__ == "__main__":
    sys.exit(main())

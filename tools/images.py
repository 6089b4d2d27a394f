"""Builds the images of `images/` in order, and runs an app's recipe in its image.

`make images` and `make recipe` call it. It needs the standard library, a container engine and, when
there is no registry, debootstrap. What it cannot do it says in one sentence, with status 1.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
IMAGES = REPOSITORY / "images"
sys.path.insert(0, str(REPOSITORY))

import daas_model  # noqa: E402

VERSION = daas_model.__version__
DEBIAN = "debian:bookworm-slim"
#: The context of all images but these is their own folder.
CONTEXTS = {"base": REPOSITORY / "daas_desktop", "hub": REPOSITORY, "proxy": REPOSITORY}
#: The largest sizes in MB (10⁶ bytes), unpacked; the second name's own size comes on top.
BARS = {"desktop": (520, ""), "pymca": (480, "desktop")}
OURS = re.compile(r"^FROM \$\{PREFIX\}([a-z0-9-]+):\$\{VERSION\}", re.MULTILINE)
PULL_WITHIN_S = 60
RECIPE_WITHIN_S = 300
# A session's own restrictions, as a user that no image knows.
RECIPE_OPTIONS = (
    *("--rm", "--network", "none", "--user", "12345:12345", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/tmp"),  # noqa: S108
    *("--env", "HOME=/tmp", "--workdir", "/tmp", "--entrypoint", "timeout"),  # noqa: S108
)


class Trouble(Exception):
    """What went wrong and what to do, in one sentence or two."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Docker's or Podman's command line, one that can build with secrets."""

    name: str
    command: str

    def run(self, *arguments: str, within_s: float | None = None) -> str | None:
        """Give what the command prints, or None when it fails."""
        try:
            done = subprocess.run(
                [self.command, *arguments],
                capture_output=True,
                text=True,
                check=False,
                timeout=within_s,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def size_mb(self, image: str) -> float | None:
        """Give the unpacked size of an image in MB, None when it is not there."""
        size = self.run("image", "inspect", "--format", "{{.Size}}", image)
        return int(size) / 1e6 if size else None


def find_engine(environment: Mapping[str, str]) -> Engine:
    """Choose the engine: the one that ENGINE names, else Docker if it answers, else Podman."""
    wanted = environment.get("ENGINE", "")
    if wanted not in ("", "docker", "podman"):
        raise Trouble(f"ENGINE is {wanted}; it can be docker or podman.")
    commands = list(_commands("docker", environment))
    docker = next(filter(_builds_with_secrets, commands), None)
    answers = docker and docker.run("version", "--format", "{{.Server.Version}}", within_s=10)
    if docker and answers and wanted != "podman":
        return docker
    if wanted == "docker":
        if commands and not docker:
            raise Trouble(
                "This docker cannot build with secrets: install docker-buildx or Debian's "
                "docker.io, or say ENGINE=podman."
            )
        raise Trouble("Docker does not answer: start it, or name its socket in DOCKER_HOST.")
    podman = next(_commands("podman", environment), None)
    if podman is None:
        raise Trouble(
            "There is no container engine here: start Docker, name its socket in DOCKER_HOST, "
            "or install Podman."
        )
    return podman


def _commands(name: str, environment: Mapping[str, str]) -> Iterable[Engine]:
    for folder in environment.get("PATH", "").split(os.pathsep):
        if found := shutil.which(name, path=folder):
            yield Engine(name, found)


def _builds_with_secrets(docker: Engine) -> bool:
    """Say whether it has BuildKit: inside up to version 22, as the plug-in buildx since."""
    if docker.run("buildx", "version") is not None:
        return True
    said = re.search(r"version (\d+)", docker.run("--version") or "")
    return said is not None and int(said[1]) < 23


def in_order(wanted: Iterable[str], folder: Path = IMAGES) -> list[str]:
    """Give the wanted images and those that they begin with, in the order of building."""
    order: list[str] = []

    def add(name: str, above: tuple[str, ...] = ()) -> None:
        if name in above:
            raise Trouble(f"The images {' and '.join(above)} begin with each other.")
        try:
            text = (folder / name / "Dockerfile").read_text("utf-8")
        except OSError:
            raise Trouble(f"There is no images/{name}/Dockerfile.") from None
        for needed in OURS.findall(text):
            add(needed, (*above, name))
        if name not in order:
            order.append(name)

    for name in wanted:
        add(name)
    return order


def provide_debian(engine: Engine, environment: Mapping[str, str]) -> None:
    """See to it that Debian's image is here: kept, pulled, or made by debootstrap."""
    if engine.size_mb(DEBIAN) is not None:
        return
    if engine.run("pull", "--quiet", DEBIAN, within_s=PULL_WITHIN_S) is not None:
        return
    print(f"{DEBIAN} cannot be pulled; it is made by debootstrap…")
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise Trouble(
            f"{DEBIAN} is not here and cannot be pulled. Install debootstrap and run this as root, "
            "or load the image into the engine."
        )
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        file = str(Path(folder, "debian.tar"))
        script = str(REPOSITORY / "tools" / "debian-base.sh")
        made = subprocess.run(["sh", script, file], env=dict(environment), check=False)
        if made.returncode != 0:
            raise Trouble(
                "debootstrap could not make Debian's image; the lines above are its own. "
                "DAAS_DEBIAN_MIRROR names another mirror."
            )
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        changes = ("--change", f"ENV {path}", "--change", 'CMD ["bash"]')
        # Podman would call it localhost/debian.
        name = f"docker.io/library/{DEBIAN}"
        if engine.run("import", *changes, file, name) is None:
            raise Trouble(f"{DEBIAN} was made, but {engine.name} could not import it.")


def build(engine: Engine, name: str, environment: Mapping[str, str]) -> str:
    """Build one image and give its name with the tag. The log is named when it fails."""
    prefix = environment.get("DAAS_IMAGE_PREFIX", "daas/")
    tag = f"{prefix}{name}:{VERSION}"
    command = [engine.command, "build", "--file", str(IMAGES / name / "Dockerfile")]
    command += ["--build-arg", f"PREFIX={prefix}", "--build-arg", f"VERSION={VERSION}"]
    if authority := environment.get("DAAS_CA"):
        command += ["--secret", f"id=ca,src={authority}"]
    command += [*environment.get("BUILD_OPTIONS", "").split(), "--tag", tag]
    command += [str(CONTEXTS.get(name, IMAGES / name))]
    with tempfile.NamedTemporaryFile("w+", prefix=f"image-{name}-", delete=False) as log:
        done = subprocess.run(
            command,
            env={**environment, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"},
            stdout=log,
            stderr=log,
            check=False,
        )
        if done.returncode != 0:
            log.seek(0)
            print("".join(log.readlines()[-12:]))
            raise Trouble(f"The image {name} could not be built; the whole log is {log.name}.")
    Path(log.name).unlink()
    return tag


def report(sizes: Mapping[str, float]) -> bool:
    """Print the sizes beside their bars and say whether all are below."""
    good = True
    print(f"\n{'image':<16}{'unpacked':>10}  at most")
    for name, size in sizes.items():
        bar, above = BARS.get(name, (0, ""))
        limit = bar + sizes.get(above, 0)
        text = f"{limit:.0f} MB" if bar else ""
        if bar and size > limit:
            good, text = False, f"{text}: TOO LARGE"
        print(f"{name:<16}{size:>7.0f} MB  {text}")
    return good


def build_all(names: Sequence[str], environment: Mapping[str, str]) -> int:
    """Build the named images; status 1 when one of them is above its bar."""
    order = in_order(names)
    engine = find_engine(environment)
    authority = environment.get("DAAS_CA")
    if authority and not Path(authority).is_file():
        raise Trouble(f"DAAS_CA names {authority}, which is no file.")
    provide_debian(engine, environment)
    sizes = {}
    for name in order:
        begun = time.monotonic()
        tag = build(engine, name, environment)
        print(f"{tag}: {time.monotonic() - begun:.0f} s", flush=True)
        sizes[name] = engine.size_mb(tag) or 0.0
    return 0 if report(sizes) else 1


def recipe(app: str, environment: Mapping[str, str]) -> int:
    """Run the app's recipe in its image, shut in as a session is; give the recipe's status."""
    folder = IMAGES / app / "recipe"
    if not app or not (folder / "run.py").is_file():
        raise Trouble(
            f"There is no images/{app or 'APP'}/recipe/run.py: say make recipe APP=pymca."
        )
    engine = find_engine(environment)
    tag = f"{environment.get('DAAS_IMAGE_PREFIX', 'daas/')}{app}:{VERSION}"
    if engine.size_mb(tag) is None:
        raise Trouble(
            f"There is no image {tag} in {engine.name}: run make images IMAGES={app} first."
        )
    with tempfile.NamedTemporaryFile("w") as people:
        # A session knows its user's name; D-Bus does not start without.
        people.write("recipe:x:12345:12345::/tmp:/bin/bash\n")
        people.flush()
        Path(people.name).chmod(0o644)
        mounts = (f"{folder}:/recipe:ro", f"{people.name}:/etc/passwd:ro")
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        command = [engine.command, "run", *RECIPE_OPTIONS, *volumes, tag]
        command += [str(RECIPE_WITHIN_S), "python3", "/recipe/run.py"]
        return subprocess.run(command, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says: `build NAME…` or `recipe APP`."""
    what, *names = arguments
    try:
        if what == "build":
            return build_all(names, os.environ)
        return recipe(" ".join(names), os.environ)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

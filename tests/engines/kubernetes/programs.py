"""The programs of a Kubernetes for the tests, which no Debian package has: `make cluster`.

They come from an archive of built programs where there is one, else from their Go modules.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from tests.engines.daemons import CACHE, NotHere

REPOSITORY = Path(__file__).parents[3]
SOURCES = Path(__file__).parent / "program"
FOLDER = CACHE / "kubernetes" / "bin"
#: Kubernetes and etcd in one program, which becomes what its first argument says.
CLUSTER = FOLDER / "cluster"
HELM = FOLDER / "helm"
COREDNS = FOLDER / "coredns"
PAUSE = FOLDER / "pause"
HELM_MODULE = "helm.sh/helm/v3/cmd/helm@v3.19.5"
COREDNS_MODULE = "github.com/coredns/coredns@v1.14.7"
#: What each program says when it is asked for its version.
SAID = {
    ("cluster", "kubectl", "version", "--client"): "v1.35.4",
    ("helm", "version"): "v3.19",
    ("coredns", "-version"): "1.14.7",
    ("pause", "-v"): "pause",
}
#: Names the archive; empty means none.
VARIABLE = "DAAS_KUBERNETES_PROGRAMS"
BESIDE = REPOSITORY.parent / "shared" / "kubernetes" / "bin.tar.xz"


def main() -> int:
    """Make the programs and say how; return 0, or 1 with the reason."""
    try:
        print(make(), flush=True)
    except NotHere as reason:
        print(f"There are no programs for a Kubernetes: {reason}", flush=True)
        return 1
    return 0


def require_programs() -> str:
    """Return what names this build of the programs. Raises `NotHere` unless they are there."""
    made = FOLDER / "made"
    if not made.exists() or made.read_text() != wanted():
        raise NotHere("its programs are not built; `make cluster` makes them")
    return made.read_text()


def make() -> str:
    """Put the programs into `FOLDER` unless they are there; return how. Raises `NotHere`."""
    try:
        return f"the programs of Kubernetes are there: {require_programs()}"
    except NotHere:
        pass
    started = time.monotonic()
    fresh = FOLDER.with_name("bin.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    how = "unpacked" if unpack(fresh) else "built"
    if how == "built":
        build(fresh)
        if wrong := complaint(fresh):
            raise NotHere(wrong)
    (fresh / "kubectl").symlink_to("cluster")
    (fresh / "made").write_text(wanted())
    shutil.rmtree(FOLDER, ignore_errors=True)
    fresh.rename(FOLDER)
    return f"the programs of Kubernetes were {how} in {time.monotonic() - started:.0f} s"


def wanted() -> str:
    """Return what changes when other programs are wanted."""
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))
    return hashlib.sha256(sources + f"{HELM_MODULE} {COREDNS_MODULE}".encode()).hexdigest()


def unpack(folder: Path) -> bool:
    """Take the programs from the archive; tell whether it had what is wanted."""
    named = os.environ.get(VARIABLE, str(BESIDE) if BESIDE.exists() else "")
    if not named:
        return False
    try:
        with tarfile.open(named) as archive:
            for program, *_ in SAID:
                archive.extract(program, folder)
        wrong = complaint(folder)
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        wrong = str(error)
    if wrong:
        print(f"{named} is of no use: {wrong}", flush=True)
    return not wrong


def complaint(folder: Path) -> str:
    """Return what is wrong with the programs in *folder*, empty when nothing is."""
    for (program, *arguments), said in SAID.items():
        try:
            done = subprocess.run(
                [str(folder / program), *arguments], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            return f"{program} does not run: {error}"
        if said not in done.stdout:
            return f"{program} says {done.stdout.strip()!r} where {said} is wanted"
    return ""


def build(folder: Path) -> None:
    """Build the programs from their modules. Raises `NotHere`."""
    go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
    if go is None:
        raise NotHere("Go is not installed, and no archive of built programs was named")
    print("Building Kubernetes from its Go modules (10 to 20 minutes)…", flush=True)
    # A Go from 1.21 on fetches the newer one that the modules ask for.
    environment = {"GOTOOLCHAIN": "auto", **os.environ, "CGO_ENABLED": "0", "GOBIN": str(folder)}
    small = "-s -w"
    version = next(said for asked, said in SAID.items() if asked[0] == "cluster")
    major, minor, _ = version.removeprefix("v").split(".")
    says = "-X k8s.io/component-base/version.git"
    named = f"{small} {says}Version={version} {says}Major={major} {says}Minor={minor}"

    def run(*argv: str) -> str:
        try:
            done = subprocess.run(
                argv, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise NotHere(f"they could not be built: {error}") from error
        if done.returncode:
            raise NotHere(f"they could not be built: {done.stderr[-1000:].strip()}")
        return done.stdout.strip()

    run(go, "build", "-trimpath", "-ldflags", named, "-o", str(folder / "cluster"), ".")
    for module in (HELM_MODULE, COREDNS_MODULE):
        run(go, "install", "-trimpath", "-ldflags", small, module)
    source = Path(run(go, "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"))
    pause = source / "build" / "pause" / "linux" / "pause.c"
    run("gcc", "-Os", "-static", "-s", "-o", str(folder / "pause"), str(pause))


if __name__ == "__main__":
    sys.exit(main())

"""The image of one app as it was built: its labels and size, and what a session finds in it.

Called by `check_parts`. Tried in a container as sessions get it, as a user that no image knows.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from docker.errors import APIError, NotFound

from daas_command.checks.dockerfile import ENTRY
from daas_command.checks.finding import Finding, Findings, ok, warning, wrong
from daas_command.checks.images import labels_of
from daas_command.checks.trial import Trial, TrialFailed, Trials
from daas_model.apps import App
from daas_model.errors import EngineProblem
from daas_spawner.containers.fetching import RUNTIME
from daas_spawner.plan import Limits, Mount

LARGE_GB = 3.0
_ADD = "See docs/how-to/add-an-app.md."
_RECIPE = PurePosixPath("/recipe")
#: A recipe is a whole run of the program; it gets a small machine.
_RECIPE_LIMITS = Limits(cpus=2, memory_bytes=4 * 2**30, processes=512)
_RECIPE_SECONDS = "100"


async def app_image_findings(trying: Trials, app: App, image: str) -> Findings:
    """Say whether *image* is in the engine, and whether sessions of *app* can run from it."""
    try:
        found = await trying.engine.call("inspect_image", image)
    except NotFound:
        mend = f"Build it: make images IMAGES={app.name}; or name it: --image."
        yield warning("image", f"{image} is not there", mend)
        return
    except (APIError, EngineProblem) as error:
        said = error.message if isinstance(error, EngineProblem) else str(error.explanation)
        yield wrong("image", f"{image} cannot be looked at: {said}", "Look at the engine.")
        return
    shape = list(shape_of(found))
    for finding in [*shape, size_of(found)]:
        yield finding
    if any(finding.what == "runtime" and finding.state == "wrong" for finding in shape):
        return
    yield await _inside(trying, app, image)


def shape_of(found: Mapping[str, Any]) -> list[Finding]:
    """Say whether an image is made as the portal needs it, by what the engine tells of it."""
    config = found.get("Config") or {}
    key, value = RUNTIME
    findings = []
    if labels_of(found).get(key) != value:
        mend = f"Build it FROM our base or desktop, which bring it. {_ADD}"
        findings.append(wrong("runtime", f"is missing: no label {key}={value}", mend))
    else:
        findings.append(ok("runtime", "is in it"))
    user = str(config.get("User") or "root").partition(":")[0]
    if user in ("root", "0"):
        findings.append(wrong("user", "the image runs as root", "End it with USER 10000:10000."))
    else:
        findings.append(ok("user", user))
    entry = list(config.get("Entrypoint") or [])
    if entry[:1] and entry[0].rpartition("/")[2] == ENTRY:
        findings.append(ok("entry point", ENTRY))
    else:
        said = f"is {' '.join(entry) or 'none'}, not {ENTRY}: no session can begin in it"
        findings.append(wrong("entry point", said, "Take ENTRYPOINT out of the Dockerfile."))
    return findings


def size_of(found: Mapping[str, Any]) -> Finding:
    """Say whether an image is small enough to be fetched while somebody waits."""
    size = int(found.get("Size") or 0) / 1e9
    if size <= LARGE_GB:
        return ok("size", f"{size:.2f} GB")
    mend = "Build in a first stage, copy the result only, and leave no caches."
    return warning("size", f"{size:.1f} GB: its first start waits long for it", mend)


async def _inside(trying: Trials, app: App, image: str) -> Finding:
    what, command = "command", app.command[0]
    needed = [ENTRY, *(["daas-desktop"] if app.kind == "desktop" else []), command]
    try:
        found = await trying.ask(
            Trial(image, writable_root=app.writable_root),
            "look",
            home="/home/daas-check",
            way="/home/daas-check/way",
            programs=needed,
            limits=False,
        )
    except (TrialFailed, EngineProblem, APIError) as error:
        said = error.message if isinstance(error, EngineProblem) else str(error)
        return wrong("runtime", f"a container does not begin from it: {said}", _ADD)
    programs = found.get("programs")
    if not isinstance(programs, dict):  # the image's own Python was asked, and may say anything
        return wrong("runtime", "its python3 does not do what it is told", _ADD)
    missing = [name for name in needed if not programs.get(name)]
    if missing:
        said = f"{', '.join(missing)} not found by an ordinary user in the image's PATH"
        return wrong(what, said, "Install it there, readable for everybody, or mend app.yaml.")
    root = "a writable" if app.writable_root else "a read-only"
    return ok(what, f"{programs[command]}, by any user, with {root} root file system")


async def recipe_findings(trying: Trials, app: App, image: str, folder: Path) -> Findings:
    """Run the recipe in *folder* as a session would: any user, no network, a read-only root."""
    what = "recipe"
    mount = Mount(PurePosixPath(folder), _RECIPE, read_only=True)
    argv = ("timeout", _RECIPE_SECONDS, "python3", f"{_RECIPE}/run.py")
    trial = Trial(image, writable_root=app.writable_root, limits=_RECIPE_LIMITS, mounts=(mount,))
    try:
        status, said = await trying.run(trial, *argv)
        if status == 0:
            yield ok(what, said.splitlines()[-1] if said else "passes")
            return
        if not app.writable_root:
            loose = Trial(image, writable_root=True, limits=_RECIPE_LIMITS, mounts=(mount,))
            if (await trying.run(loose, *argv))[0] == 0:
                mend = "Say writable_root: true in app.yaml, or let it write to /tmp."
                yield wrong(what, "passes only where the program can write beside itself", mend)
                return
    except (TrialFailed, EngineProblem, APIError) as error:
        said = error.message if isinstance(error, EngineProblem) else str(error)
        yield wrong(what, f"could not be run: {said}", _ADD)
        return
    last = said.splitlines()[-1] if said else "it said nothing"
    yield wrong(what, f"fails with status {status}: {last}", "Run it: make recipe APP=…")

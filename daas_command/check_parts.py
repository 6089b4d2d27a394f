"""`daas check engine` and `daas check apps`: parts of what `daas check` examines, and more of them.

Exit codes are those of `daas check`.
"""

import argparse
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyterhub.app import JupyterHub
from traitlets import TraitError
from traitlets.config import Config

from daas_catalogue.facility import Facility
from daas_command import check_values
from daas_command.checks.app_images import app_image_findings, recipe_findings
from daas_command.checks.apps import app_folders, folder_findings, read_app
from daas_command.checks.containers import container_findings
from daas_command.checks.finding import Findings, aside, refused
from daas_command.checks.network import Ways
from daas_command.checks.reach import socket_findings
from daas_command.checks.trial import trials
from daas_command.configuration import authenticator, become_hub, hubs_settings, load, secrets_in
from daas_command.report import Printer, Subject, examine, on_a_loop
from daas_model.engines import Engine
from daas_model.errors import BadRequest, DaasError
from daas_model.parsing import Malformed
from daas_spawner.containers.images import ContainerImages

#: A trial of limits and network takes some 5 s; an engine that is busy is waited for.
ENGINE_SECONDS = 120.0
#: Up to three images may each be waited for.
CLUSTER_SECONDS = 300.0
_APP_SECONDS = 240.0


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the parts to the parser of `daas check`."""
    parts = parser.add_subparsers(metavar="PART", title="parts, each by itself")
    words = "try what sessions in containers and pods may do, and whether their network is closed"
    engine = parts.add_parser("engine", help=words, description=words)
    engine.add_argument("engine", nargs="?", metavar="NAME", help="only this engine")
    for way, words in (("allowed", "what sessions must reach"), ("forbidden", "and must not")):
        engine.add_argument(
            f"--{way}", action="append", default=[], metavar="HOST:PORT", help=f"{words}; repeat it"
        )
    engine.set_defaults(run=check_engines)
    words = "examine apps' folders, and their images where they are built"
    apps = parts.add_parser("apps", help=words, description=words)
    apps.add_argument("folder", nargs="?", type=Path, help="of one app or of several")
    apps.add_argument("--engine", help="also the images: a name of engines_offered, or unix:///…")
    apps.add_argument("--image", default="", help="the image of the one app in FOLDER")
    apps.add_argument("--recipe", action="store_true", help="also run each recipe in its image")
    apps.set_defaults(run=check_apps)
    check_values.add_to(parts)
    for part in (engine, apps):
        part.add_argument(
            "--quiet",
            action="store_true",
            default=argparse.SUPPRESS,
            help="do not print what is well",
        )


def engine_subjects(
    facility: Facility, config: Config, app: JupyterHub, ways: Ways, name: str | None = None
) -> Iterator[Subject]:
    """Return what there is to examine of the engines of *facility* that are no sandboxes.

    Raises `BadRequest` when there is none named *name*.
    """
    known = [engine for engine in facility.engines.values() if engine.kind != "local"]
    chosen = [engine for engine in known if name in (None, engine.name)]
    if name is not None and not chosen:
        names = ", ".join(engine.name for engine in known) or "none"
        raise BadRequest(
            f"There is no engine {name!r} for containers or pods.",
            f"Facility.engines_offered has: {names}.",
        )
    unix = app.hub_bind_url.startswith("http+unix:")
    for engine in chosen:
        examine_it, seconds = container_findings, ENGINE_SECONDS
        if engine.kind == "kubernetes":
            # Its client is large; a hub that has no such engine needs none.
            from daas_command.checks.cluster import cluster_findings  # noqa: PLC0415

            examine_it, seconds = cluster_findings, CLUSTER_SECONDS
        findings = examine_it(engine, facility, config, 0 if unix else app.hub_port, ways)
        yield Subject(f"Engine {engine.name}", findings, seconds)


def check_engines(wanted: argparse.Namespace) -> int:
    """Examine the engines for containers and pods, print and return the exit code."""
    printer = _printer(wanted)
    try:
        config = _as_the_hub(wanted.config, printer)
        ways = Ways.parse(wanted.allowed, wanted.forbidden)
        facility = _facility(config)
        subjects = list(
            engine_subjects(facility, config, hubs_settings(config), ways, wanted.engine)
        )
        if not subjects:
            raise BadRequest(
                "There is no engine for containers or pods.",
                "Add one to Facility.engines_offered.",
            )
    except DaasError as error:
        return _not_understood(error, printer)
    return on_a_loop(examine(subjects, printer))


@dataclass(frozen=True, slots=True)
class _Looked:
    """Where images are looked at, and what they are called."""

    engine: Engine | None
    config: Config
    image: str
    recipe: bool

    def name_of(self, app: str) -> str:
        """Return the image of *app*. Raises `ImageProblem`."""
        return self.image or ContainerImages(config=self.config).image_of(app).name


def check_apps(wanted: argparse.Namespace) -> int:
    """Examine apps' folders, print and return the exit code."""
    printer = _printer(wanted)
    try:
        by_address = wanted.engine is None or wanted.engine.startswith("unix:")
        config, facility = Config(), None
        if wanted.folder is None or not by_address:
            config = _as_the_hub(wanted.config, printer)
            facility = _facility(config)
        folders = app_folders(wanted.folder or Path(facility.apps_folder if facility else ""))
        if wanted.image and (len(folders) != 1 or not wanted.engine):
            raise BadRequest("--image is of one app.", "Name its folder, and --engine.")
        if wanted.recipe and not wanted.engine:
            raise BadRequest("--recipe runs in an image.", "Say where that is: --engine.")
        looked = _Looked(_engine(wanted.engine, facility), config, wanted.image, wanted.recipe)
    except DaasError as error:
        return _not_understood(error, printer)
    subjects = (Subject(f.resolve().name, _app(f, looked), _APP_SECONDS) for f in folders)
    # Trials of many images at once would fill the machine.
    return on_a_loop(examine(subjects, printer, at_once=False))


async def _app(folder: Path, looked: _Looked) -> Findings:
    app, finding = await aside(read_app, folder)
    yield finding
    if app is None:
        return
    for finding in await aside(lambda: list(folder_findings(folder, app))):
        yield finding
    if looked.engine is None:
        return
    try:
        image = looked.name_of(app.name)
    except (DaasError, TraitError) as error:
        problem = error if isinstance(error, DaasError) else BadRequest(str(error))
        yield refused("image", problem, "Mend ContainerImages, or the folder's name.")
        return
    socket = Path(looked.engine.address.removeprefix("unix://"))
    away = [one for one in await aside(socket_findings, socket) if one.what == "socket"]
    for finding in away:
        yield finding
    if away:
        return
    run_folder = Path(str(looked.config.DaasSpawner.get("run_folder", "")))
    async with trials(looked.engine, looked.config, run_folder) as trying:
        async for finding in app_image_findings(trying, app, image):
            yield finding
        recipe = await aside(_recipe_of, folder) if looked.recipe else None
        if recipe is not None:
            async for finding in recipe_findings(trying, app, image, recipe):
                yield finding


def _recipe_of(folder: Path) -> Path | None:
    recipe = folder.resolve() / "recipe"
    # A link could lead to what is not the contributor's.
    return recipe if (recipe / "run.py").is_file() and not recipe.is_symlink() else None


def _engine(wanted: str | None, facility: Facility | None) -> Engine | None:
    if wanted is None:
        return None
    if facility is None:
        try:
            data = {"title": "engine", "kind": "docker", "address": wanted}
            return Engine.parse("engine", data)
        except Malformed as error:
            raise BadRequest(f"{error}.", "Write it as unix:///run/docker.sock.") from None
    found = facility.engines.get(wanted)
    if found is None or found.kind != "docker":
        raise BadRequest(
            f"There is no container engine {wanted!r}.", "Look at Facility.engines_offered."
        )
    return found


def _facility(config: Config) -> Facility:
    try:
        return Facility(config=config)
    except TraitError as error:
        raise BadRequest(f"{error}.", "Mend it.") from None


def _as_the_hub(file: Path, printer: Printer) -> Config:
    """Read the configuration, and work as the hub's user from now on. Raises `DaasError`."""
    config = load(file)
    printer.hide(secrets_in(config))
    become_hub(authenticator(config).people_database)
    return config


def _printer(wanted: argparse.Namespace) -> Printer:
    # What libraries and the spawner's own code would log is said by the findings.
    logging.getLogger().addHandler(logging.NullHandler())
    return Printer(wanted.quiet)


def _not_understood(error: DaasError, printer: Printer) -> int:
    print(printer.safe(f"{error.message} {error.action}"), file=sys.stderr)
    return 2

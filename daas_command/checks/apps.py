"""A folder of an app, as somebody contributes it: `app.yaml`, picture, Dockerfile, recipe.

Called by `check_parts`. Reads files only; what was built is looked at by `app_images`.
"""

import errno
import os
import stat
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import yaml

from daas_command.checks.dockerfile import dockerfile_findings
from daas_command.checks.finding import Finding, ok, warning, wrong
from daas_model.apps import App
from daas_model.errors import BadRequest

FORMAT = "docs/reference/app-files.md"
_LARGEST_ICON, _LARGEST = 200 * 1024, 1024 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_SVG = "{http://www.w3.org/2000/svg}"


def app_folders(folder: Path) -> list[Path]:
    """Return *folder* if it is an app's, else the apps' folders in it. Raises `BadRequest`."""
    if (folder / "app.yaml").exists():
        return [folder]
    found = sorted(file.parent for file in folder.glob("*/app.yaml"))
    if not found:
        raise BadRequest(f"There is no app.yaml in {folder} or one below.", f"See {FORMAT}.")
    return found


def read_small(file: Path) -> bytes:
    """Return what is in *file*, which is somebody else's. Raises `OSError`, also for what is odd.

    Links are not followed: they may lead to what only the reader of this check can read.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {_LARGEST // 1024} KiB")
    return data


def read_app(folder: Path) -> tuple[App | None, Finding]:
    """Return the app in *folder*, None when its `app.yaml` cannot be used."""
    try:
        text = read_small(folder / "app.yaml").decode("utf-8")
        app = App.parse(folder.resolve().name, yaml.safe_load(text))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        return None, wrong("app.yaml", f"cannot be used: {error}", f"Mend it; see {FORMAT}.")
    where = "in containers only" if app.image_only else "here and in containers"
    return app, ok("app.yaml", f"“{app.title}”, {app.kind}, {where}: {' '.join(app.command)}")


def folder_findings(folder: Path, app: App) -> Iterator[Finding]:
    """Say what of the files beside `app.yaml` is missing or odd. Blocks."""
    yield icon(folder / app.icon)
    file = folder / "Dockerfile"
    if file.is_file():
        try:
            yield from dockerfile_findings(read_small(file).decode("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            yield wrong("Dockerfile", f"cannot be read: {error}", "Save it as text, in UTF-8.")
    elif app.image_only:
        mend = "Add one that begins with FROM ${PREFIX}base:${VERSION}, or take image_only out."
        yield wrong("Dockerfile", "is missing, and the app runs in containers only", mend)
    else:
        yield warning("Dockerfile", "is missing: the app has no image", f"Add one; see {FORMAT}.")
    if not (folder / "recipe" / "run.py").is_file():
        said = "is missing: nothing proves that the program works"
        yield warning("recipe/run.py", said, "Add an unattended run that checks a number.")


def icon(file: Path) -> Finding:
    """Say whether *file* is a picture that browsers show on a button."""
    what, mend = file.name, "Add an SVG, or a PNG of 128 pixels, that is yours to give."
    try:
        data = read_small(file)
    except OSError as error:
        return wrong(what, f"the picture cannot be read: {error.strerror}", mend)
    if not (data.startswith(_PNG) if file.suffix == ".png" else _is_svg(file, data)):
        return wrong(what, "is neither SVG nor PNG, or not what its name says", mend)
    if len(data) > _LARGEST_ICON:
        return warning(what, f"has {len(data) // 1024} KiB and is on every page", mend)
    return ok(what, f"{len(data) // 1024 + 1} KiB")


def _is_svg(file: Path, data: bytes) -> bool:
    # Entities make a small file large when it is parsed.
    if file.suffix != ".svg" or b"<!ENTITY" in data:
        return False
    try:
        return ET.fromstring(data).tag == f"{_SVG}svg"  # noqa: S314  without entities
    except ET.ParseError:
        return False

"""The images of the apps on one engine: there, made for the portal, or to be fetched.

Called by `containers`, and by `app_images` for a contributed one.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound
from traitlets import TraitError
from traitlets.config import Config

from daas_catalogue.facility import Facility
from daas_command.checks.finding import Finding, ok, warning, wrong
from daas_model.errors import ImageProblem
from daas_spawner.containers.engine import ContainerEngine
from daas_spawner.containers.fetching import RUNTIME
from daas_spawner.containers.images import ContainerImages, Image

_REGISTRY_SECONDS = 4


async def image_findings(
    engine: ContainerEngine, facility: Facility, config: Config
) -> AsyncIterator[tuple[Finding, str]]:
    """Say of each app's image whether sessions can have it; give also a name that can be tried."""
    try:
        images = ContainerImages(config=config)
    except TraitError as error:
        yield wrong("ContainerImages", str(error), "Mend it: no image has a name."), ""
        return
    with suppress(ImageProblem):
        base = images.image_of("base")
        # Its absence is no fault: apps' images bring it along.
        if await runtime_of(engine, base) == "":
            yield ok("base image", f"{base.name} is there"), base.name
    registries: dict[str, bool] = {}
    for app in facility.apps.values():
        machines = facility.machines_for(app).values()
        if engine.engine.name not in {machine.engine for machine in machines}:
            continue
        what = f"image of {app.name}"
        try:
            image = images.image_of(app.name)
        except ImageProblem as error:
            yield wrong(what, error.detail, "Mend ContainerImages."), ""
            continue
        problem = await runtime_of(engine, image)
        if problem is None:
            yield await _elsewhere(what, image, registries), ""
        elif problem:
            yield wrong(what, f"{image.name} {problem}", "See docs/how-to/add-an-app.md."), ""
        else:
            yield ok(what, f"{image.name} is there"), image.name


async def runtime_of(engine: ContainerEngine, image: Image) -> str | None:
    """Return what is wrong with an image, empty if nothing; None when it is not there."""
    try:
        found = await engine.call("inspect_image", image.name)
    except NotFound:
        return None
    except APIError as error:
        return f"cannot be looked at: {error.explanation}"
    key, value = RUNTIME
    if labels_of(found).get(key) != value:
        return f"is not made for the portal: it has no label {key}={value}"
    return ""


def labels_of(found: Mapping[str, Any]) -> Mapping[str, str]:
    """Return an image's labels, as the engine tells them."""
    return (found.get("Config") or {}).get("Labels") or {}


async def _elsewhere(what: str, image: Image, registries: dict[str, bool]) -> Finding:
    if not image.registry:
        mend = (
            f"Make it (make images IMAGES={image.last_part}), or set ContainerImages.prefix to a "
            "registry that has it. Until then its button leads to an error."
        )
        return wrong(what, f"{image.name} is not there, and in no registry", mend)
    if image.registry not in registries:
        registries[image.registry] = await _answers(image.registry)
    if registries[image.registry]:
        return ok(what, f"is fetched at the first start; {image.registry} answers")
    mend = "Look whether this machine reaches it, and at ContainerImages.prefix."
    return warning(what, f"is not there, and {image.registry} does not answer", mend)


async def _answers(registry: str) -> bool:
    host, _, port = registry.partition(":")
    try:
        async with asyncio.timeout(_REGISTRY_SECONDS):
            _, writer = await asyncio.open_connection(host, int(port or 443))
    except (OSError, TimeoutError, ValueError):
        return False
    writer.close()
    return True

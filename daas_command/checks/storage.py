"""The catalogue, the apps and the folders of proposals. Called by `check`; nothing is written."""

from pathlib import Path

from daas_catalogue.facility import Facility
from daas_catalogue.files import FilesCatalogue
from daas_catalogue.layout import StorageLayout
from daas_command.checks.finding import Finding, Findings, aside, ok, refused, warning, wrong
from daas_model.errors import CatalogueProblem, DaasError, StorageProblem
from daas_model.people import Person
from daas_model.proposals import Proposal
from daas_model.protocols import Catalogue

#: So many of a kind are told one by one; the rest is a number.
_MOST = 10
_NOBODY = Person("daas-check-is-nobody")


async def storage_findings(facility: Facility) -> Findings:
    """Examine what *facility* offers: apps, catalogue, the folders of its proposals."""
    yield ok("apps", ", ".join(facility.apps))
    yield ok("machines", ", ".join(facility.machines))
    for finding in await aside(layout_findings, facility.layout):
        yield finding
    try:
        catalogue = facility.catalogue
    except DaasError as error:
        yield refused("catalogue", error, error.action)
        return
    if isinstance(catalogue, FilesCatalogue):
        async for finding in _files(catalogue, facility.layout):
            yield finding
    else:
        yield await _asked(facility.catalogue_name, catalogue)


def layout_findings(layout: StorageLayout) -> list[Finding]:
    """Say whether the rules make folders, and whether the folders above them exist. Blocks."""
    found = []
    try:
        layout.of("proposal", "beamline")
    except (KeyError, ValueError, IndexError):
        mend = "Only {proposal} and {beamline} may stand in braces."
        found.append(wrong("StorageLayout", "raw, processed or group cannot be filled in", mend))
    for root in map(Path, layout.roots):
        if root.is_dir():
            found.append(ok("storage root", f"{root} is there"))
        else:
            mend = "Mount it, or mend StorageLayout.roots."
            found.append(wrong("storage root", f"{root} is not a folder", mend))
    return found


async def _files(catalogue: FilesCatalogue, layout: StorageLayout) -> Findings:
    try:
        known, unreadable = await aside(catalogue.load)
    except CatalogueProblem as error:
        yield refused("catalogue", error, "Look at FilesCatalogue.folder and its rights.")
        return
    yield ok("catalogue", f"{len(known)} proposals in {catalogue.folder}")
    for file, why in list(unreadable.items())[:_MOST]:
        mend = "Mend the file: docs/reference/proposal-files.md."
        yield wrong(file.name, why, mend)
    if len(unreadable) > _MOST:
        yield wrong("catalogue", f"{len(unreadable)} files cannot be read", "Mend them.")
    missing = await aside(_without_folders, tuple(known.values()), layout)
    for said in missing[:_MOST]:
        yield warning("folders", said, "Make them, or look at StorageLayout.")
    if len(missing) > _MOST:
        yield warning("folders", f"{len(missing)} proposals lack one", "Look at StorageLayout.")
    if known and not missing:
        yield ok("folders", "those of all proposals are there")


def _without_folders(proposals: tuple[Proposal, ...], layout: StorageLayout) -> list[str]:
    found = []
    for proposal in proposals:
        try:
            layout.check(proposal)
        except StorageProblem as error:
            found.append(error.detail)
    return found


async def _asked(name: str, catalogue: Catalogue) -> Finding:
    try:
        await catalogue.proposals_of(_NOBODY)
    except DaasError as error:
        return refused("catalogue", error, f"Look at the settings of the connector {name}.")
    return ok("catalogue", f"{name} answers")

"""The `files` connector: one YAML file per proposal in a folder.

For demos, trainings and facilities without a catalogue. A file that cannot be read hides its
own proposal only; the log names the file and the line, the page says that something is missing.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import yaml
from traitlets import Instance, Unicode
from traitlets.config import Configurable

from daas_catalogue.layout import StorageLayout
from daas_model import parsing
from daas_model.errors import CatalogueProblem, ProposalNotFound
from daas_model.parsing import Malformed
from daas_model.people import Person
from daas_model.proposals import Listing, Proposal, Visit

log = logging.getLogger(__name__)

#: A proposal file is a page of text; anything larger is a mistake.
LARGEST_FILE = 256 * 1024

FIELDS = frozenset(
    {
        "id",
        "title",
        "abstract",
        "beamline",
        "visits",
        "principal_investigator",
        "co_proposers",
        "local_contacts",
        "data_access",
    }
)

Stamp = tuple[int, int]


class FilesCatalogue(Configurable):
    """Proposals from a folder of YAML files, read anew when a file changes."""

    folder = Unicode(
        "/etc/daas/proposals",
        help="""Folder with one `<id>.yaml` per proposal.

        The format is described in `docs/reference/proposal-files.md`.
        Example: `/etc/daas/proposals`.
        """,
    ).tag(config=True)

    layout = Instance(StorageLayout)

    def __init__(self, **traits: object) -> None:
        super().__init__(**traits)
        self._read: dict[Path, tuple[Stamp, Proposal | str]] = {}
        self._lock = threading.Lock()

    async def proposals_of(self, person: Person) -> Listing:
        """Return what *person* may open; see `daas_model.protocols.Catalogue`."""
        known, unreadable = await asyncio.to_thread(self.load)
        mine = [proposal for proposal in known.values() if person.name in proposal.people]
        mine.sort(key=lambda proposal: (proposal.latest, proposal.id), reverse=True)
        return Listing(tuple(mine), _notice(len(unreadable)))

    async def authorise(self, person: Person, ids: Iterable[str]) -> tuple[Proposal, ...]:
        """Return the proposals *ids*; see `daas_model.protocols.Catalogue`."""
        known, _ = await asyncio.to_thread(self.load)
        found = []
        for wanted in ids:
            proposal = known.get(wanted)
            if proposal is None or person.name not in proposal.people:
                raise ProposalNotFound("There is no such proposal among yours.")
            found.append(proposal)
        return tuple(found)

    def load(self) -> tuple[dict[str, Proposal], dict[Path, str]]:
        """Return the readable proposals by id, and the unreadable files with what is wrong.

        Blocks. Raises `CatalogueProblem`.
        """
        try:
            files = sorted(Path(self.folder).glob("*.yaml"))
            if not Path(self.folder).is_dir():
                raise FileNotFoundError(self.folder)
        except OSError as error:
            raise CatalogueProblem(
                "The list of proposals cannot be read just now.",
                detail=f"FilesCatalogue.folder: {error}",
            ) from error
        with self._lock:
            for gone in self._read.keys() - set(files):
                del self._read[gone]
            found = {file: self._proposal(file) for file in files}
        known = {what.id: what for what in found.values() if isinstance(what, Proposal)}
        return known, {file: what for file, what in found.items() if isinstance(what, str)}

    def _proposal(self, file: Path) -> Proposal | str:
        stamp: Stamp = (0, 0)
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if file in self._read and self._read[file][0] == stamp:
                return self._read[file][1]
            proposal: Proposal | str = self._parse(file, status.st_size)
        # PyYAML raises more than its own error: a date of month 13, a thousand brackets.
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            proposal = " ".join(str(error).split())
            log.error(
                "The proposal in %s cannot be read and is not shown: %s. Mend the file.",
                file,
                proposal,
            )
        self._read[file] = (stamp, proposal)
        return proposal

    def _parse(self, file: Path, size: int) -> Proposal:
        if not file.is_file():  # a pipe would be read for ever
            raise Malformed("it is not a file")
        if size > LARGEST_FILE:
            raise Malformed(f"it is larger than {LARGEST_FILE // 1024} KiB")
        proposal = parse_proposal(yaml.safe_load(file.read_text("utf-8")), self.layout)
        if proposal.id != file.stem:
            raise Malformed(f"'id' is {proposal.id}, but the file's name says {file.stem}")
        return proposal


def parse_proposal(data: object, layout: StorageLayout) -> Proposal:
    """Read the contents of one proposal file. Raises `Malformed`."""
    fields = parsing.only(data, FIELDS)
    id_ = parsing.identifier(fields.get("id"), "id")
    beamline = parsing.identifier(fields.get("beamline"), "beamline")
    return Proposal(
        id=id_,
        title=parsing.text(fields, "title"),
        abstract=parsing.text(fields, "abstract", ""),
        beamline=beamline,
        visits=parsing.each(fields.get("visits", []), "visits", _visit),
        principal_investigator=parsing.text(fields, "principal_investigator"),
        co_proposers=frozenset(parsing.texts(fields, "co_proposers")),
        local_contacts=frozenset(parsing.texts(fields, "local_contacts")),
        data_access=frozenset(parsing.texts(fields, "data_access")),
        storage=layout.of(id_, beamline),
    )


def _visit(data: object) -> Visit:
    fields = parsing.only(data, frozenset({"id", "begins", "ends"}))
    begins, ends = _date(fields.get("begins")), _date(fields.get("ends"))
    if begins is None or ends is None or ends < begins:
        raise Malformed("'begins' and 'ends' must be dates (2026-10-03), in this order")
    return Visit(id=parsing.identifier(fields.get("id"), "id"), begins=begins, ends=ends)


def _date(value: object) -> date | None:
    """Return a date of YAML, or one written as a text: JSON, and so Helm, knows no dates."""
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _notice(unreadable: int) -> str:
    if not unreadable:
        return ""
    return (
        "Some proposals cannot be shown just now because the catalogue cannot read them. "
        "Data is not affected. If one of yours is missing, tell your facility's support the code "
        f"{CatalogueProblem.code}."
    )

"""Where a proposal's data lies: the facility's rule, and the check of the real folders.

A connector calls `StorageLayout.of` with what it knows; the spawner calls `check_storage`
(which touches the file system, so never on the event loop) before it mounts anything.
"""

import os
from pathlib import Path, PurePosixPath

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_model.errors import StorageProblem
from daas_model.proposals import Proposal, Storage


class StorageLayout(Configurable):
    """The facility's rule from a proposal to its folders and its group."""

    raw = Unicode(
        "/data/{beamline}/{proposal}/raw",
        help="""Folder of a proposal's raw data; mounted read-only.

        `{beamline}` and `{proposal}` are replaced. Example: `/data/visitor/{proposal}/raw`.
        """,
    ).tag(config=True)
    processed = Unicode(
        "/data/{beamline}/{proposal}/processed",
        help="""Folder of a proposal's processed data; the one writable folder of its sessions.

        It must exist, belong to the proposal's group and be setgid (mode 2770), so that what
        one member writes the others can change. Example: `/data/visitor/{proposal}/processed`.
        """,
    ).tag(config=True)
    group = Unicode(
        "{proposal}",
        help="""Name of the group that shares a proposal's processed data.

        Lower-cased after the replacement. Empty where access lists do this work.
        Example: `prop-{proposal}`.
        """,
    ).tag(config=True)
    roots = List(
        Unicode(),
        ["/data"],
        help="""Folders below which all raw and processed data must lie after links are followed.

        A link that leads out of them is refused. Example: `["/data", "/gpfs/visitor"]`.
        """,
    ).tag(config=True)

    def of(self, proposal: str, beamline: str) -> Storage:
        """Return the folders and the group of *proposal*; the file system is not touched."""
        words = {"proposal": proposal, "beamline": beamline}
        return Storage(
            raw=PurePosixPath(self.raw.format(**words)),
            processed=PurePosixPath(self.processed.format(**words)),
            group=self.group.format(**words).lower(),
        )

    def check(self, proposal: Proposal) -> Storage:
        """Return the storage of *proposal* with links resolved. Blocks on the file system.

        Raises `StorageProblem` when a folder is missing or lies outside `roots`.
        """
        storage = proposal.storage
        roots = [Path(root).resolve() for root in self.roots]
        return Storage(
            raw=_real_folder(storage.raw, "raw", proposal.id, roots),
            processed=_real_folder(storage.processed, "processed", proposal.id, roots),
            group=storage.group,
        )


def _real_folder(path: PurePosixPath, kind: str, proposal: str, roots: list[Path]) -> PurePosixPath:
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(root) for root in roots):
        raise StorageProblem(
            f"The {kind} data of {proposal} does not lie where this facility keeps data.",
            detail=f"{path} leads to {real}, outside StorageLayout.roots",
        )
    if not real.is_dir():
        raise StorageProblem(
            f"The folder of the {kind} data of {proposal} is missing.",
            "Nothing was started or changed. It may not have been made yet: "
            "ask your local contact, and say the code.",
            detail=f"{path} is not a folder",
        )
    return PurePosixPath(real)

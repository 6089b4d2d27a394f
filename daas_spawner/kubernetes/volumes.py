"""Where a folder of the facility lies in the cluster: in which claim, and where in it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

#: Kubernetes binds the whole of a claim with whatever is mounted in it; a folder of it alone. So
#: the top of a claim is named as a folder, too.
WHOLE = "."


@dataclass(frozen=True, slots=True)
class Place:
    """A folder: *folder* of the claim *claim*."""

    claim: str
    folder: str


def place_of(path: PurePosixPath, volumes: Mapping[str, PurePosixPath]) -> Place | None:
    """Return where *path* is in *volumes*; None when it is in none of them.

    The claim that begins nearest to it counts: one may hold a part of another's folders.
    """
    holding = [claim for claim, top in volumes.items() if path.is_relative_to(top)]
    if not holding:
        return None
    claim = max(holding, key=lambda name: len(volumes[name].parts))
    return Place(claim, str(path.relative_to(volumes[claim])) or WHOLE)

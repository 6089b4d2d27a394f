"""The demo's facility on disk: people, proposals, homes, and real measurements.

Made once and kept: what people write into homes and processed folders survives. As root the
folders get the invented people's UIDs (above 60000, known to nobody else on the machine).
"""

import os
import secrets
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

NOTICE = "This is a demo: invented people and proposals, no passwords, only on this machine."
SUPPORT = "the user office (in a real facility: user.office@facility.example)"
BLOCKED = "blocked"

UIDS = {"pi": 61001, "coproposer": 61002, "contact": 61003, "newcomer": 61004, BLOCKED: 61005}


@dataclass(frozen=True, slots=True)
class DemoProposal:
    """Where a proposal's data lies, who is in its group, and which measurements it has."""

    id: str
    beamline: str
    gid: int
    members: tuple[str, ...]
    measurements: tuple[str, ...]


PROPOSALS = (
    DemoProposal(
        "2026-0142",
        "B08-XRF",
        62001,
        ("pi", "coproposer", "contact"),
        ("XRFSpectrum.mca", "Steel.spe", "Steel.cfg"),
    ),
    DemoProposal("2026-0231", "B21-USAXS", 62002, ("pi", "contact"), ("VTMA.h5",)),
)

#: The last one so that PyMca's file dialog, which begins with HDF5 files, is not empty.
EXAMPLES = ("XRFSpectrum.mca", "Steel.spe", "Steel.cfg", "VTMA.h5")


class MissingMeasurement(Exception):
    """A file of the demo's data is not where its package should have put it."""


def prepare(folder: Path, environment: Path, wheels: Path) -> None:
    """Make what is missing of the demo below *folder*.

    *environment* is the sessions' virtual environment (it holds PyMca's spectra), *wheels* the
    folder with the downloaded package `sasdata`. Raises `MissingMeasurement` or `OSError`.
    """
    _directory(folder / "directory")
    _catalogue(folder / "proposals")
    for name, uid in UIDS.items():
        _folder(folder / "homes" / name, uid, uid, 0o700)
    _readable(folder / "examples", EXAMPLES, 0, 0, 0o755, environment, wheels)
    for proposal in PROPOSALS:
        place = folder / "data" / proposal.beamline / proposal.id
        _readable(place / "raw", proposal.measurements, 0, proposal.gid, 0o750, environment, wheels)
        _folder(place / "processed", 0, proposal.gid, 0o2770)


def hub_secrets(folder: Path) -> dict[str, str]:
    """Return the key that encrypts the hub's stored logins; made once, private to its owner."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / "crypt_key"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as text:
            text.write(secrets.token_hex(32))
    return {"JUPYTERHUB_CRYPT_KEY": file.read_text("ascii").strip()}


def _directory(folder: Path) -> None:
    """The people as passwd(5) and group(5) files; nobody is added to the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    homes = folder.parent / "homes"
    people = [f"{name}:x:{uid}:{uid}::{homes / name}:/bin/bash" for name, uid in UIDS.items()]
    groups = [f"{name}:x:{uid}:" for name, uid in UIDS.items()]
    groups += [f"{p.id.lower()}:x:{p.gid}:{','.join(p.members)}" for p in PROPOSALS]
    (folder / "passwd").write_text("\n".join([*people, ""]), "utf-8")
    (folder / "group").write_text("\n".join([*groups, ""]), "utf-8")


def _catalogue(folder: Path) -> None:
    """Copied once, so that whoever tries the demo can edit it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in (Path(__file__).parent / "proposals").glob("*.yaml"):
        if not (folder / file.name).exists():
            shutil.copy(file, folder)


def _readable(
    folder: Path,
    measurements: tuple[str, ...],
    uid: int,
    gid: int,
    mode: int,
    environment: Path,
    wheels: Path,
) -> None:
    _folder(folder, uid, gid, mode)
    for name in measurements:
        target = folder / name
        if not target.exists():
            part = folder / f".{name}.part"
            part.write_bytes(_measurement(name, environment, wheels))
            _own(part, uid, gid, 0o640 if gid else 0o644)
            part.rename(target)


def _measurement(name: str, environment: Path, wheels: Path) -> bytes:
    for file in environment.glob(f"lib/python*/site-packages/PyMca5/PyMcaData/{name}"):
        return file.read_bytes()
    for wheel in wheels.glob("sasdata-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.endswith(f"/{name}"):
                    return archive.read(member)
    raise MissingMeasurement(f"{name} is in neither PyMca5 nor sasdata; run `make clean` and again")


def _folder(folder: Path, uid: int, gid: int, mode: int) -> None:
    if not folder.exists():
        folder.mkdir(parents=True)
        _own(folder, uid, gid, mode)


def _own(path: Path, uid: int, gid: int, mode: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, gid)
    path.chmod(mode)

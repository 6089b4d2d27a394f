"""Who of this machine can reach a file or an engine's socket.

Called by `containers` and `private_files`. All of it blocks: a directory may be asked for names.
"""

import grp
import os
import pwd
import stat
from pathlib import Path

from daas_command.checks.finding import Finding, ok, warning, wrong

HOW_TO = "docs/how-to/run-sessions-in-containers.md"


def is_passable(place: Path) -> bool:
    """Tell whether everybody can come to *place* through the folders above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in place.resolve().parents)


def socket_findings(place: Path) -> list[Finding]:
    """Say who can reach the engine by its socket; of `socket`, that this check cannot. Blocks."""
    what = "socket"
    try:
        found = place.stat()
    except OSError as error:
        mend = f"Start the engine, or mend Facility.engines_offered; see {HOW_TO}."
        return [wrong(what, f"{place}: {error.strerror}", mend)]
    if not stat.S_ISSOCK(found.st_mode):
        return [wrong(what, f"{place} is no socket", "Mend Facility.engines_offered.")]
    if not os.access(place, os.R_OK | os.W_OK, effective_ids=True):
        mend = f"Give the hub's user, and nobody else, a way to it; see {HOW_TO}."
        return [wrong(what, f"{place} cannot be written by the user of this check", mend)]
    return [_reached_by(place, found)]


def _reached_by(place: Path, found: os.stat_result) -> Finding:
    what = "who reaches it"
    if found.st_mode & stat.S_IWOTH and is_passable(place):
        said = f"everybody on this machine can write {place}, and so do anything as its owner"
        return wrong(what, said, f"chmod 0660 {place}, and mend what makes it so; see {HOW_TO}.")
    people = {_name(found.st_uid), "root"}
    group = ""
    if found.st_mode & stat.S_IWGRP:
        group, members = _members(found.st_gid)
        people |= members
    others = sorted(people - {"root", _name(os.geteuid())})
    whose = f"{', '.join(sorted(people))}" + (f" (group {group})" if group else "")
    power = "Whoever reaches it can do anything on this machine as the engine's owner."
    if others:
        mend = f"Have the hub's user alone in that group: {power} See {HOW_TO}."
        return warning(what, f"not the hub only: {whose}", mend)
    return ok(what, f"{whose} only. {power}")


def _members(gid: int) -> tuple[str, set[str]]:
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return str(gid), set()
    first = {person.pw_name for person in pwd.getpwall() if person.pw_gid == gid}
    return group.gr_name, {*group.gr_mem, *first}


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

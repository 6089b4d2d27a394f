"""Files with secrets that others of this machine can read. Called by `check`."""

import re
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from daas_command.checks.finding import Finding, Findings, aside, ok, wrong
from daas_command.checks.reach import is_passable
from daas_command.configuration import secrets_in

_SECRET_FILE = re.compile(r"((secret|password|token|key)s?_file|ssl_key)\Z", re.IGNORECASE)


async def private_findings(config: Mapping[str, Any], file: Path) -> Findings:
    """Examine the configuration's own *file*, and every file that it names for a secret."""
    for finding in await aside(lambda: list(_looked_at(config, file))):
        yield finding


def _looked_at(config: Mapping[str, Any], file: Path) -> Iterator[Finding]:
    named = dict(_named(config))
    if _has_one_of(file, secrets_in(config)):
        named["the configuration"] = file
    open_ = 0
    for what, place in named.items():
        problem = _problem(place)
        if problem:
            open_ += 1
            yield wrong(what, *problem)
    if named and not open_:
        yield ok("files with secrets", f"none of {len(named)} can be read by everybody")


def _has_one_of(file: Path, secrets: Collection[str]) -> bool:
    """Tell whether the configuration holds a secret itself, and does not take it from elsewhere."""
    text = file.read_text("utf-8", "replace")
    return any(secret in text for secret in secrets)


def _named(values: Mapping[str, Any], owner: str = "") -> Iterator[tuple[str, Path]]:
    for name, value in values.items():
        path = f"{owner}.{name}" if owner else str(name)
        if isinstance(value, Mapping):
            yield from _named(value, path)
        elif _SECRET_FILE.search(str(name)) and isinstance(value, str) and value:
            yield path, Path(value)


def _problem(place: Path) -> tuple[str, str] | None:
    """Return what is wrong with a file's rights, and what mends it."""
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return None  # the hub makes some; of the others it says so itself
    except OSError as error:
        return f"{place} cannot be looked at: {error.strerror}", "Give the hub's user the right."
    if mode & stat.S_IWOTH:
        return f"everybody on this machine can write {place}", f"chmod 0600 {place}"
    if mode & stat.S_IROTH and is_passable(place):
        return f"everybody on this machine can read {place}", f"chmod 0600 {place}"
    return None

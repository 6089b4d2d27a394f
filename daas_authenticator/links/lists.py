"""A facility's list of who is who: CSV, read whole and checked before anything is changed.

Used by `daas people import` and `daas people move`. RFC 4180 with a line of headings.
"""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from daas_authenticator.links.store import LEGACY_ISSUER, Link
from daas_model.errors import BadRequest

#: The headings of an identity: a provider's `sub`, or Umbrella's old hash.
_SUBJECTS = ("sub", "EAAHash")
#: The headings of what goes into the database.
_KEPT = frozenset((*_SUBJECTS, "name", "issuer", "old_sub", "new_sub"))
#: What a column of `database.tables` holds.
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: this identity is that account's."""

    line: int
    name: str
    issuer: str
    subject: str


def is_plain(text: str) -> bool:
    """Tell whether *text* can be kept and printed: one line of 1 to 255 letters and signs."""
    return 0 < len(text) <= _LONGEST and text.isprintable() and not text.isspace()


def read_list(
    file: Path, issuer: str, is_name: Callable[[str], bool], issuer_of: Callable[[str], str]
) -> tuple[Entry, ...]:
    """Return the entries of *file* with the columns `name` and `sub` or `EAAHash`.

    A column `issuer` counts before *issuer*; *issuer_of* returns what it means, or nothing.
    Raises `BadRequest` that names the first line that is wrong.
    """
    entries = []
    for line, row in _rows(file):
        column = next((name for name in _SUBJECTS if row.get(name)), "")
        if not column:
            raise _wrong(line, "there is no `sub` and no `EAAHash`")
        given = row.get("issuer", "")
        of = LEGACY_ISSUER if column == "EAAHash" else issuer_of(given) if given else issuer
        if not of and given:
            raise _wrong(line, "the issuer is no provider's id and no https address")
        if not of:
            raise _wrong(line, "there is no issuer; add the column, or --issuer")
        if not is_name(row.get("name", "")):
            raise _wrong(line, "the name cannot be an account here")
        entries.append(Entry(line, row["name"], of, row[column]))
    _refuse_twins(entries)
    return tuple(entries)


def read_moves(file: Path) -> dict[str, str]:
    """Return new subjects by old ones, from the columns `old_sub` and `new_sub`."""
    moves: dict[str, str] = {}
    for line, row in _rows(file):
        old, new = row.get("old_sub", ""), row.get("new_sub", "")
        if not old or not new:
            raise _wrong(line, "`old_sub` or `new_sub` is empty")
        if old in moves or new in moves.values():
            raise _wrong(line, "an identity stands here twice")
        moves[old] = new
    return moves


def moved(
    links: Iterable[Link], moves: Mapping[str, str] | None, issuer: str
) -> tuple[tuple[Link, ...], tuple[Link, ...], tuple[Link, ...]]:
    """Return which of *links* go, what comes in their place, and which are left as they are.

    Without *moves* every subject stays what it is, and only the issuer changes.
    """
    known = tuple(links)
    gone = tuple(link for link in known if moves is None or link.subject in moves)
    new = tuple(
        Link(issuer, moves[old.subject] if moves else old.subject, old.name, 0, old.linked_by)
        for old in gone
    )
    return gone, new, tuple(link for link in known if link not in gone)


def _rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True, skipinitialspace=True)
            found = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.", "Nothing was done.") from None
    except (UnicodeDecodeError, csv.Error):
        raise BadRequest(f"{file} is no CSV file in UTF-8.", "Nothing was done.") from None
    headings = tuple(reader.fieldnames or ())
    if len(set(headings)) < len(headings):
        raise _wrong(1, "two columns have the same heading")
    for line, row in found:
        if None in row or None in row.values():
            raise _wrong(line, "it has more or fewer columns than the headings")
        if not all(is_plain(row[key]) for key in _KEPT & row.keys() if row[key].strip()):
            raise _wrong(line, "something is longer than 255 characters, or has control characters")
    return [(line, {key: value.strip() for key, value in row.items()}) for line, row in found]


def _refuse_twins(entries: Iterable[Entry]) -> None:
    seen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if seen.setdefault((entry.issuer, entry.subject), entry) is not entry:
            raise _wrong(entry.line, "this identity stands here twice")


def _wrong(line: int, what: str) -> BadRequest:
    return BadRequest(f"Line {line} of the list: {what}.", "Nothing was changed. Mend the list.")

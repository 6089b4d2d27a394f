"""The folders that a session's owner may look into from its page, and what is in them.

Used by the handlers beside it. The spawner's own paths are trusted; each step below them is taken
with openat and O_NOFOLLOW, so that neither `..` nor a link leads out, and a name is its bytes.
"""

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

MOST_ENTRIES = 5000
LONGEST_NAME = 255
#: What an upload is called until it is whole.
UNFINISHED = ".daas-upload-"

Kind = Literal["folder", "file", "link", "other"]

_SENTENCES = {
    errno.ENOENT: (404, "It is not there any more."),
    errno.ENOTDIR: (404, "This is not a folder."),
    errno.ENXIO: (404, "This is not a file."),
    errno.ELOOP: (404, "Links are not followed here."),
    errno.EACCES: (403, "You may not do that in this folder."),
    errno.EPERM: (403, "You may not do that in this folder."),
    errno.EROFS: (403, "Nothing can be written in this folder."),
    errno.ENOSPC: (507, "The disk is full. Nothing of this file was kept."),
    errno.EDQUOT: (507, "Your space on this disk is used up. Nothing of this file was kept."),
    errno.EFBIG: (413, "This disk takes no file of that size."),
    errno.ENAMETOOLONG: (400, "The name is too long for this disk."),
    errno.EINVAL: (400, "This disk does not take such a name."),
    errno.EILSEQ: (400, "This disk does not take such a name."),
}


class FilesError(Exception):
    """Something cannot be done with a file; the text is for the person, `status` for HTTP."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """A folder from which everything below may be read, and where one may write if it says so."""

    title: str
    path: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a folder. `id` is the name's bytes, percent-encoded; `changed` in seconds."""

    name: str
    id: str
    kind: Kind
    size: int
    changed: float


def parse_places(text: str, home: str) -> tuple[Place, ...]:
    """Read DAAS_PLACES, a JSON list of {title, path, writable}; without it there is the home.

    Raises ValueError, KeyError or TypeError for anything else: the spawner wrote it.
    """
    if not text:
        return (Place("Home", home, writable=True),)
    return tuple(
        Place(str(place["title"]), str(place["path"]), bool(place["writable"]))
        for place in json.loads(text)
    )


def steps(path: str) -> tuple[bytes, ...]:
    """Give the names in a percent-encoded path, each one that a folder can hold.

    Raises FilesError for a path that leads elsewhere.
    """
    names = tuple(unquote_to_bytes(path).split(b"/")) if path else ()
    for name in names:
        if name in (b"", b".", b"..") or b"\0" in name or len(name) > LONGEST_NAME:
            raise FilesError(400, "There is no such file.")
    return names


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what the disk says into a FilesError."""
    try:
        yield
    except OSError as error:
        status, sentence = _SENTENCES.get(
            error.errno or 0, (500, f"The disk says: {error.strerror}.")
        )
        raise FilesError(status, sentence) from None


def open_folder(place: Place, path: Sequence[bytes]) -> int:
    """Give a descriptor of a folder below `place`. Raises OSError."""
    folder = os.open(place.path, os.O_RDONLY | os.O_DIRECTORY)
    for name in path:
        try:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def open_file(place: Place, path: Sequence[bytes]) -> tuple[int, int]:
    """Give a descriptor of an ordinary file below `place`, and its size. Raises FilesError."""
    if not path:
        raise FilesError(404, "There is no such file.")
    with told():
        folder = open_folder(place, path[:-1])
        try:
            # Not to hang on a pipe that nobody writes into.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            file = os.open(path[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)
        about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        os.close(file)
        raise FilesError(400, "Only files can be downloaded.")
    return file, about.st_size


def entries(place: Place, path: Sequence[bytes]) -> tuple[list[Entry], bool]:
    """Give what is in a folder, by name, and whether that is all. Raises FilesError."""
    with told():
        folder = open_folder(place, path)
        try:
            with os.scandir(folder) as found:
                names = sorted(os.fsencode(one.name) for one in found)
            names = [name for name in names if not name.startswith(UNFINISHED.encode())]
            listed = [_entry(folder, name) for name in names[:MOST_ENTRIES]]
        finally:
            os.close(folder)
    return [entry for entry in listed if entry is not None], len(names) <= MOST_ENTRIES


def _entry(folder: int, name: bytes) -> Entry | None:
    try:
        about = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None  # it went away meanwhile
    kinds: dict[int, Kind] = {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "link"}
    kind = kinds.get(stat.S_IFMT(about.st_mode), "other")
    return Entry(shown(name), quote(name, safe=""), kind, about.st_size, about.st_mtime)


def shown(name: bytes) -> str:
    """Give a name as a page can show it: signs that would break or turn the line are replaced."""
    text = name.decode(errors="replace")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def disposition(name: bytes) -> str:
    """Give the Content-Disposition under which a browser saves `name` (RFC 6266, RFC 8187)."""
    text = shown(name)
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in text)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(text, safe='')}"

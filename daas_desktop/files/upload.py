"""One file on its way into a folder: hidden and growing until it is whole, then under its name.

Used by the upload's handlers, in threads: a disk may be slow, and the picture must not wait for it.
Nothing that is there is ever written over.
"""

import contextlib
import errno
import itertools
import os
import secrets
import threading
import time
from collections.abc import Iterator

from daas_desktop.files.places import LONGEST_NAME, UNFINISHED, FilesError, Place, open_folder, told

# A session that was killed leaves its unfinished uploads behind.
LEFT_BEHIND_S = 24 * 3600
# File systems without hard links, such as some network drives.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
GONE = "This upload was cancelled or took too long."


def tidy(name: str) -> str:
    """Give the name under which a browser's file is kept. Raises FilesError if it has none."""
    name = "".join(sign if sign.isprintable() else "_" for sign in name)
    if name in ("", ".", "..") or "/" in name or name.startswith(UNFINISHED):
        raise FilesError(400, "A file cannot have this name.")
    return name


def names(wanted: str) -> Iterator[bytes]:
    """Give `wanted` and, in case it is taken, `wanted (2)` and so on, each short enough."""
    stem, dot_and_kind = os.path.splitext(wanted)
    for number in itertools.count(1):
        end = (f" ({number})" if number > 1 else "") + dot_and_kind
        room = LONGEST_NAME - len(end.encode())
        if room < 1:
            raise FilesError(400, "The name is too long.")
        yield stem.encode()[:room].decode(errors="ignore").encode() + end.encode()


class Upload:
    """A file that is being received; every method may block and raises FilesError.

    `kept` counts the bytes of all pieces that came whole: an interrupted one begins there again.
    `written_at` is when something came last, on the monotonic clock.
    """

    def __init__(self, place: Place, path: tuple[bytes, ...], name: str, size: int) -> None:
        if not place.writable:
            raise FilesError(403, "Nothing can be written in this folder.")
        self._name, self._size = tidy(name), size
        self.kept = self._at = self._piece = 0
        self.written_at = time.monotonic()
        self._lock = threading.Lock()
        self._hidden = UNFINISHED + secrets.token_hex(8)
        with told():
            self._folder = open_folder(place, path)
            try:
                self._require_room()
                self._sweep()
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                # What the person's other programs write has the same mode.
                self._file = os.open(self._hidden, flags, 0o666, dir_fd=self._folder)
            except BaseException:
                os.close(self._folder)
                raise
        self._open = True

    def _require_room(self) -> None:
        disk = os.fstatvfs(self._folder)
        if self._size > disk.f_bavail * disk.f_frsize:
            raise OSError(errno.ENOSPC, "no room")

    def _sweep(self) -> None:
        with os.scandir(self._folder) as found:
            old = [one.name for one in found if one.name.startswith(UNFINISHED)]
        for name in old:
            with contextlib.suppress(OSError):
                about = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
                if about.st_uid == os.geteuid() and about.st_mtime < time.time() - LEFT_BEHIND_S:
                    os.unlink(name, dir_fd=self._folder)

    def begin_piece(self, at: int) -> int:
        """Go on at byte `at`, where the last whole piece ended; give the piece's number."""
        with self._kept_or_nothing():
            if at != self.kept:
                raise FilesError(409, "This piece does not follow the last one.")
            os.ftruncate(self._file, at)
            os.lseek(self._file, at, os.SEEK_SET)
            self._at = at
            self._piece += 1
            return self._piece

    def write(self, piece: int, data: bytes) -> None:
        """Take the next bytes of a piece."""
        with self._kept_or_nothing():
            self._require_last(piece)
            self.written_at = time.monotonic()
            self._at += len(data)
            if self._at > self._size:
                raise FilesError(400, "The file has grown meanwhile. Upload it again.")
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def end_piece(self, piece: int) -> int:
        """Give how much of the file is on the disk now."""
        with self._kept_or_nothing():
            self._require_last(piece)
            # Here, where the page waits: a quota on a file server is told, and the end is short.
            os.fdatasync(self._file)
            self.kept = self._at
            return self.kept

    def _require_last(self, piece: int) -> None:
        # The rest of one that was cut off may still be on its way when it is sent again.
        if piece != self._piece:
            raise FilesError(409, "This piece was sent again.")

    def finish(self) -> str:
        """Give the file its name, and say which: another one if that is taken."""
        with self._kept_or_nothing():
            if self.kept != self._size:
                raise FilesError(400, "The file is not whole.")
            os.fsync(self._file)
            final = self._put_in_place()
            os.fsync(self._folder)
            self._let_go()
            return final.decode()

    def _put_in_place(self) -> bytes:
        for name in names(self._name):
            with contextlib.suppress(FileExistsError):
                self._rename(name)
                return name
        raise AssertionError("names() never ends")

    def _rename(self, name: bytes) -> None:
        """Give the file this name if nothing else has it; rename() would write over it."""
        here = {"src_dir_fd": self._folder, "dst_dir_fd": self._folder}
        try:
            os.link(self._hidden, name, follow_symlinks=False, **here)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            os.close(os.open(name, flags, 0o666, dir_fd=self._folder))
            os.rename(self._hidden, name, **here)
        else:
            os.unlink(self._hidden, dir_fd=self._folder)

    def cancel(self) -> None:
        """Leave nothing; harmless when the upload is over."""
        with self._lock:
            self._give_up()

    @contextlib.contextmanager
    def _kept_or_nothing(self) -> Iterator[None]:
        with self._lock:
            if not self._open:
                raise FilesError(410, GONE)
            try:
                with told():
                    yield
            except FilesError as error:
                if error.status != 409:
                    self._give_up()
                raise

    def _give_up(self) -> None:
        if self._open:
            with contextlib.suppress(OSError):
                os.unlink(self._hidden, dir_fd=self._folder)
            self._let_go()

    def _let_go(self) -> None:
        self._open = False
        os.close(self._file)
        os.close(self._folder)

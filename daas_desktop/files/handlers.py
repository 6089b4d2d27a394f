"""The addresses below `files`: what is in a folder, a file to the browser, a file from it.

Registered by `pages`. For the session's owner only, and as far as the facility's switch allows.
A file comes in pieces: no proxy on the way must take it whole, and each piece asks the door.
"""

import asyncio
import contextlib
import json
import os
from dataclasses import asdict
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import stream_request_body

from daas_desktop.files.places import FilesError, Place, disposition, entries, open_file, steps
from daas_desktop.files.session_files import Files
from daas_desktop.files.upload import Upload
from daas_desktop.web import Handler

BLOCK_BYTES = 1 << 20
MOST_BYTES = 1 << 50
MOST_UPLOADS = 20
# JupyterLab's proxy takes an answer whole before it passes it on, and no more than 100 MiB.
MOST_THROUGH_JUPYTERLAB_BYTES = 64 << 20
_JUPYTERLABS_PROXY = "X-ProxyContextPath"


class FilesHandler(Handler):
    """What all of them share: the owner, the switch, errors as sentences."""

    for_owner = True

    @property
    def files(self) -> Files:
        """The session's files."""
        return self.session.files

    async def prepare(self) -> None:
        """Ask the door, then the facility's switch."""
        await super().prepare()
        if not self._finished and not self.allowed():
            self.send_error(403, reason="This is switched off here.")

    def allowed(self) -> bool:
        """Say whether the facility allows it."""
        return self.files.offered

    @property
    def largest(self) -> int:
        """How large a file may be on this visitor's way."""
        behind = _JUPYTERLABS_PROXY in self.request.headers
        return MOST_THROUGH_JUPYTERLAB_BYTES if behind else MOST_BYTES

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer what went wrong with a file as a sentence, too."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, FilesError):
            self.set_status(error.status)
            kwargs["reason"] = str(error)
        super().write_error(status_code, **kwargs)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refused wish is no fault of ours."""
        if not isinstance(value, FilesError):
            super().log_exception(typ, value, tb)

    def _asked_for(self) -> tuple[Place, tuple[bytes, ...]]:
        path = self.get_query_argument("path", "", strip=False)
        return self.files.place(self.get_query_argument("place", "0")), steps(path)


class FolderHandler(FilesHandler):
    """What is in a folder."""

    async def get(self) -> None:
        """Give the places and what is in one of their folders, as JSON."""
        place, path = self._asked_for()
        found, whole = await asyncio.to_thread(entries, place, path)
        self.write(
            {
                "places": [{"title": p.title, "writable": p.writable} for p in self.files.places],
                "upload": self.files.upload and place.writable,
                "download": self.files.download,
                "opens": self.session.program.opens.endings,
                "largest": self.largest,
                "entries": [asdict(entry) for entry in found],
                "whole": whole,
            }
        )


class OpenHandler(FilesHandler):
    """A file for the session's own program."""

    async def post(self) -> None:
        """Let the program open it, in a window of its own if it runs."""
        place, path = self._asked_for()
        name = path[-1] if path else b""
        program = self.session.program
        if not program.opens.fits(os.fsdecode(name)):
            raise FilesError(400, f"{program.title} does not open such files.")
        file, _ = await asyncio.to_thread(open_file, place, path)
        os.close(file)
        whole = os.path.join(os.fsencode(place.path), *path)
        program.open(os.fsdecode(whole))
        self.session.somebody_is_at_work()


class DownloadHandler(FilesHandler):
    """A file on its way to the browser, a block at a time."""

    _missing = 0

    def allowed(self) -> bool:
        """Say whether the facility allows it."""
        return self.files.download

    async def get(self) -> None:
        """Send as much as there is now; of a file that grows the rest is for another time."""
        place, path = self._asked_for()
        file, size = await asyncio.to_thread(open_file, place, path)
        try:
            if size > self.largest:
                raise FilesError(413, "Take a file of this size from JupyterLab's own list.")
            self.set_header("Content-Type", "application/octet-stream")
            self.set_header("Content-Disposition", disposition(path[-1]))
            self.set_header("Content-Length", str(size))
            self.session.watch(self)
            self._missing = size
            with contextlib.suppress(StreamClosedError):
                await self._send(file)
        finally:
            os.close(file)

    async def _send(self, file: int) -> None:
        while self._missing > 0:
            block = await asyncio.to_thread(os.read, file, min(self._missing, BLOCK_BYTES))
            if not block:
                return  # it has become shorter
            self.write(block)
            # Returns when the operating system has taken it all.
            await self.flush()
            self._missing -= len(block)
            self.session.somebody_is_at_work()

    def finish(self, chunk: Any = None) -> "asyncio.Future[None]":
        """End the answer; half a file must not look whole, whoever ends it."""
        if self._missing > 0 and isinstance(self.request.connection, HTTP1Connection):
            # Not finish() as well: it would take away what the sender waits for.
            self.request.connection.stream.close()
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        return super().finish(chunk)


class UploadHandler(FilesHandler):
    """The begin of an upload."""

    def allowed(self) -> bool:
        """Say whether the facility allows it."""
        return self.files.upload

    async def post(self) -> None:
        """Make room for a file; the body says {place, path, name, size}."""
        try:
            wish = json.loads(self.request.body)
            place, path = str(wish["place"]), str(wish["path"])
            name, size = str(wish["name"]), int(wish["size"])
            name.encode()
        except (ValueError, KeyError, TypeError):
            raise FilesError(400, "This is no upload.") from None
        if len(self.files.underway) >= MOST_UPLOADS:
            raise FilesError(429, "Too many uploads at once. Wait until one has ended.")
        upload = await asyncio.to_thread(
            Upload, self.files.place(place), steps(path), name, max(0, size)
        )
        self.write({"upload": self.files.began(upload)})


@stream_request_body
class PieceHandler(FilesHandler):
    """The pieces of an upload, its end, and its cancelling."""

    _refusal: FilesError | None = None
    _upload: Upload | None = None
    _key = ""
    _piece = 0

    def allowed(self) -> bool:
        """Say whether the facility allows it."""
        return self.files.upload

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer, and say that the connection ends: what is left of the piece is not read.

        Else the hub's proxy sends the next request into it, whoever's that is, and answers 503.
        """
        self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)

    async def prepare(self) -> None:
        """Get ready for a piece before its first byte is read."""
        await super().prepare()
        if self._finished:
            return
        if isinstance(self.request.connection, HTTP1Connection):
            # A piece is streamed: nothing of it waits in memory.
            self.request.connection.set_max_body_size(MOST_BYTES)
        self._block = bytearray()
        self._key = self.path_args[0]
        try:
            self._upload = self.files.found(self._key)
            if self.request.method == "PUT":
                at = int(self.get_query_argument("at", "0"))
                # What she reads who signs out meanwhile: her connections are ended from outside.
                self.set_status(403)
                self.session.watch(self)
                self._piece = await asyncio.to_thread(self._upload.begin_piece, at)
        except ValueError:
            self._refusal = FilesError(400, "This is no upload.")
        except FilesError as error:
            self._refusal = error

    async def data_received(self, chunk: bytes) -> None:
        """Write what came; tornado reads no further until that is done."""
        if self._refusal is not None or self._finished:
            return  # read to the end: a browser hears an answer only then
        self._block += chunk
        if len(self._block) >= BLOCK_BYTES:
            await self._write()

    async def _write(self) -> None:
        block, self._block = bytes(self._block), bytearray()
        if self._upload is None or self._refusal is not None or not block:
            return
        try:
            await asyncio.to_thread(self._upload.write, self._piece, block)
        except FilesError as error:
            self._refusal = error
        self.session.somebody_is_at_work()

    async def put(self, _: str) -> None:
        """A piece has come whole; say how much of the file is there."""
        await self._write()
        if self._finished:
            return
        size = await asyncio.to_thread(self._taken().end_piece, self._piece)
        self.set_status(200)
        self.write({"size": size})

    async def post(self, _: str) -> None:
        """The last piece has come: give the file its name, and say which."""
        name = await asyncio.to_thread(self._taken().finish)
        self.files.underway.pop(self._key, None)
        self.write({"name": name})

    async def delete(self, _: str) -> None:
        """Cancel; harmless when it is over."""
        if self._upload is not None:
            self.files.underway.pop(self._key, None)
            await asyncio.to_thread(self._upload.cancel)
        self.set_status(204)

    def _taken(self) -> Upload:
        if self._refusal is not None:
            raise self._refusal
        assert self._upload is not None
        return self._upload

    def on_finish(self) -> None:
        """Wait for the next piece, for a while."""
        self.files.wait_for_more(self._key)

    def on_connection_close(self) -> None:
        """Wait whether the piece comes again."""
        self.files.wait_for_more(self._key)
        super().on_connection_close()

"""What one session's page may do with files, and the uploads that are on their way.

Made by the server from the environment; used by the handlers beside it.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from daas_desktop.files.places import FilesError, Place, parse_places
from daas_desktop.files.upload import GONE, Upload

ABANDONED_S = 120.0
_WAYS = {
    "both": (True, True),
    "upload": (True, False),
    "download": (False, True),
    "off": (False, False),
}


@dataclass(slots=True)
class Files:
    """What a session's page may do with files, and what is on its way."""

    places: tuple[Place, ...]
    upload: bool
    download: bool
    abandoned_s: float = ABANDONED_S
    underway: dict[str, Upload] = field(default_factory=dict)
    _ends: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Files":
        """Read DAAS_FILES and DAAS_PLACES; raise KeyError or ValueError if one is wrong."""
        places = parse_places(env.get("DAAS_PLACES", ""), env.get("HOME", "/"))
        upload, download = _WAYS[env.get("DAAS_FILES", "both")]
        writable = any(place.writable for place in places)
        return cls(places, upload and writable, download)

    @property
    def offered(self) -> bool:
        """Say whether there is anything to show."""
        return self.upload or self.download

    def place(self, number: str) -> Place:
        """Give a place by its number. Raises FilesError."""
        if number.isascii() and number.isdigit() and int(number) < len(self.places):
            return self.places[int(number)]
        raise FilesError(404, "There is no such folder.")

    def began(self, upload: Upload) -> str:
        """Keep an upload; give the name that its pieces call it by."""
        key = secrets.token_urlsafe(12)
        self.underway[key] = upload
        self.wait_for_more(key)
        return key

    def found(self, key: str) -> Upload:
        """Give an upload, which is not given up while it is worked on. Raises FilesError."""
        if key not in self.underway:
            raise FilesError(410, GONE)
        if (end := self._ends.pop(key, None)) is not None:
            end.cancel()
        return self.underway[key]

    def wait_for_more(self, key: str) -> None:
        """Give an upload up when nothing more comes."""
        if key in self.underway and key not in self._ends:
            loop = asyncio.get_running_loop()
            self._ends[key] = loop.call_later(self.abandoned_s, self._abandon, key)

    def _abandon(self, key: str) -> None:
        upload = self.found(key)
        if time.monotonic() - upload.written_at < self.abandoned_s:
            # A piece that was refused has ended beside a slow one that goes on.
            self.wait_for_more(key)
            return
        asyncio.get_running_loop().run_in_executor(None, self.underway.pop(key).cancel)

    def close(self) -> None:
        """Leave nothing unfinished behind."""
        for key in list(self.underway):
            self.found(key)
            self.underway.pop(key).cancel()

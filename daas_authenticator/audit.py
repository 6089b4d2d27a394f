"""What was done to accounts, by whom: one line of JSON each, in Jupyter's form for events.

Written by the hub's pages, by the sweep and by the command line. An event names people, never a
token, a password or what an identity provider says of somebody.
"""

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler

from jupyter_events import EventLogger

SCHEMA_ID = "urn:daas:events:accounts"
_SCHEMA = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Something was done to an account",
    "personal-data": True,
    "type": "object",
    "required": ["action", "name", "by"],
    "additionalProperties": False,
    "properties": {
        "action": {"type": "string", "title": "What was done, in one word: linked, blocked"},
        "name": {"type": "string", "title": "Whose account it is"},
        "by": {"type": "string", "title": "Who did it: a person's name, or `command:` and a user"},
        "detail": {"type": "string", "title": "The identity that was linked, the reason given"},
    },
}

log = logging.getLogger(__name__)


class Audit:
    """Adds events to *file*; what cannot be written stands in the log."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._events: EventLogger | None = None

    def record(self, action: str, name: str, by: str, detail: str = "") -> None:
        """Write one event. A record that fails never undoes what it is about."""
        data = {"action": action, "name": name, "by": by, "detail": detail}
        try:
            self._logger().emit(schema_id=SCHEMA_ID, data=data)
        except OSError as error:
            log.error("audit_file cannot be written (%s): %s", type(error).__name__, data)

    def _logger(self) -> EventLogger:
        if self._events is None:
            # It looks for the file anew each time: whoever rotates it need not tell the hub.
            handler = _Loud(self._file, encoding="utf-8")
            self._events = EventLogger(handlers=[handler])
            self._events.register_event_schema(_SCHEMA)
        return self._events


class _Loud(WatchedFileHandler):
    """Raises what goes wrong; logging's own handlers print it and go on. Its files are private."""

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(
            open(self.baseFilename, "ab", opener=_private), encoding="utf-8", write_through=True
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002  logging's name
        error = sys.exception()
        assert error is not None
        raise error


def _private(file: str, flags: int) -> int:
    return os.open(file, flags, 0o600)

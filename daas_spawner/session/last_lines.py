"""The last lines of a session that ended, kept for administrators."""

import os
from pathlib import Path

LAST_LINES = 50
MOST_LOG_BYTES = 1024 * 1024


def keep_lines(file: Path, lines: bytes) -> None:
    """Append *lines* to *file*, which the hub's user alone may read. Raises `OSError`."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file.exists() and file.stat().st_size > MOST_LOG_BYTES:
        file.replace(file.with_suffix(".old"))
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as log:
        log.write(lines)

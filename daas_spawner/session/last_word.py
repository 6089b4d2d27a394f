"""What a session's process leaves for the hub when it ends, beside its folder, which is gone."""

from pathlib import Path

#: The kernel killed the session's program because its memory was used up.
MEMORY = "memory"


def last_word(folder: Path) -> Path:
    """Return the file of the session with this *folder*; the next start or stop removes it."""
    return folder.with_suffix(".ended")

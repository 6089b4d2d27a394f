"""The session's socket, made outside: the session inherits it already listening.

It lies where the person cannot reach it, so that no link can be put in its place.
"""

import socket
from pathlib import Path

#: Where the program inside finds it (systemd's convention, `sd_listen_fds(3)`).
DOOR = 3


def listen(folder: Path) -> socket.socket:
    """Return the socket `s` of *folder*, listening.

    The proxy asks for `s:80` because the hub appends a port; both names are one socket.
    """
    path = folder / "s"
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(path))
    path.chmod(0o600)
    door.listen(512)
    folder.joinpath("s:80").symlink_to("s")
    return door

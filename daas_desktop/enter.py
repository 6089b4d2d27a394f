"""The first program of a container (`daas-enter`, the entry point of our images).

Takes the session's door from outside, goes to the session's folder, and becomes the app. Only
the standard library is imported: it starts with every session.
"""

import fcntl
import os
import socket
import sys
from collections.abc import Sequence

#: Served by the session's doorkeeper, once.
OUTSIDE = "/run/daas/door"
#: The listening socket (systemd's convention, `sd_listen_fds(3)`), and our end of a pair whose
#: other end the doorkeeper reads: when this session's last process has closed it, it has ended.
DOOR, LIFE = 3, 4
REFUSED = 71  # EX_OSERR, as the local sandbox ends when its folder cannot be entered


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the program that *arguments* name. Returns only when that cannot be done."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if not argv:
        return _say("This image is started by the portal, with a program to run.")
    try:
        _take_door()
    except OSError as error:
        return _say(
            f"The session's door cannot be taken at {OUTSIDE}: {error.strerror or error}. "
            "This image is started by the portal; to look inside, set another entry point."
        )
    os.umask(0o007)  # the proposal's folder is shared by its group
    try:
        os.mkdir(os.environ["XDG_RUNTIME_DIR"], 0o700)
        os.chdir(os.environ["DAAS_FOLDER"])
        os.execvp(argv[0], argv)  # noqa: S606  the portal's own words, no shell
    except KeyError as error:
        return _say(f"{error.args[0]} is not set.")
    except OSError as error:
        return _say(f"{error.filename or argv[0]}: {error.strerror}")


def _take_door() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as outside:
        outside.settimeout(10)
        outside.connect(OUTSIDE)
        _, received, _, _ = socket.recv_fds(outside, 1, 2)
    if len(received) != 2:
        raise OSError(0, "another session has taken it")
    # First away from the numbers that they will have, so that neither covers the other.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in received]
    for descriptor, number in zip(high, (DOOR, LIFE), strict=True):
        os.dup2(descriptor, number, inheritable=True)
        os.close(descriptor)
    for descriptor in received:
        if descriptor not in (DOOR, LIFE):
            os.close(descriptor)
    os.environ["LISTEN_FDS"] = "1"


def _say(words: str) -> int:
    print(words, file=sys.stderr)  # noqa: T201  the container's log
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())

"""The first program of a container (`daas-enter`, the entry point of our images).

Takes the session's door from outside, or makes it in a cluster, goes to the session's folder, and
becomes the app. Only the standard library is imported: it starts with every session.
"""

import contextlib
import fcntl
import os
import resource
import socket
import sys
from collections.abc import Sequence

#: Served by the session's doorkeeper, once.
OUTSIDE = "/run/daas/door"
#: The listening socket (systemd's convention, `sd_listen_fds(3)`), and our end of a pair whose
#: other end the doorkeeper reads: when this session's last process has closed it, it has ended.
DOOR, LIFE = 3, 4
REFUSED = 71  # EX_OSERR, as the local sandbox ends when its folder cannot be entered
NO_HOME = 72


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the program that *arguments* name. Returns only when that cannot be done."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    if not argv:
        return _say("This image is started by the portal, with a program to run.")
    if "DAAS_LISTEN" in os.environ:
        return _begin_alone(argv)
    try:
        _take_door()
    except OSError as error:
        return _say(
            f"The session's door cannot be taken at {OUTSIDE}: {error.strerror or error}. "
            "This image is started by the portal; to look inside, set another entry point."
        )
    return _become(argv)


def _begin_alone(argv: list[str]) -> int:
    """Do what the process beside a session does elsewhere: nobody is beside a pod."""
    most = int(os.environ["DAAS_MOST_PROCESSES"])
    try:
        # The cluster's own limit is its administrators'; this one is the person's on the node.
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)  # only root may set more
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
        _listen(int(os.environ["DAAS_LISTEN"]))
    except OSError as error:
        return _say(f"The session cannot listen: {error.strerror or error}.")
    home = os.environ["HOME"]
    if not (_is_own(home) and os.access(home, os.W_OK | os.X_OK)):
        _say("The home is missing, is not this person's, or cannot be written.")
        return NO_HOME
    return _become(argv)


def _is_own(home: str) -> bool:
    try:
        return os.stat(home).st_uid == os.getuid()
    except OSError:
        return False


def _listen(port: int) -> None:
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    door = socket.create_server(("", port), family=family, backlog=512, dualstack_ipv6=both)
    os.dup2(door.detach(), DOOR)
    os.set_inheritable(DOOR, True)
    os.environ["LISTEN_FDS"] = "1"


def _link(place: str, target: str) -> None:
    """Make a link in the home, unless something of the person's stands there."""
    with contextlib.suppress(OSError):
        os.rmdir(place)  # an empty folder of that name
    with contextlib.suppress(OSError):
        os.symlink(target, place)


def _become(argv: list[str]) -> int:
    for link in os.environ.get("DAAS_LINKS", "").split():
        name, _, target = link.partition("=")
        _link(os.path.join(os.environ["HOME"], name), target)
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

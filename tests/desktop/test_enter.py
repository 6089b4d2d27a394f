"""The first program of a pod: a real process that makes the session's door by itself."""

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daas_desktop import enter
from tests.conftest import free_port

#: Somebody who is neither root nor the owner of this machine's homes.
SOMEBODY, SOMEBODY_ELSE = 61001, 61002
IS_ROOT = os.geteuid() == 0
#: Debian's own: whoever is not root may not reach a virtual environment.
PYTHON = "/usr/bin/python3"
#: What becomes of `daas-enter`: says what it has been given, and serves once.
APP = """
import json, os, resource, socket, sys
door = socket.socket(fileno=3)
door.settimeout(10)
print(json.dumps({
    "folder": os.getcwd(),
    "fds": os.environ["LISTEN_FDS"],
    "listens": door.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
    "processes": resource.getrlimit(resource.RLIMIT_NPROC),
    "umask": os.umask(0),
    "runtime": os.stat(os.environ["XDG_RUNTIME_DIR"]).st_mode & 0o777,
    "open": sorted(int(name) for name in os.listdir("/proc/self/fd")),
    "argv": sys.argv[1:],
}), flush=True)
if "serve" in sys.argv:
    visitor, _ = door.accept()
    visitor.sendall(b"here")
"""


@pytest.fixture
def home(short_path: Path) -> Path:
    """A home of the person that the session runs as, and the folder of its data."""
    made = short_path / "home"
    made.mkdir(mode=0o700)
    (short_path / "data").mkdir(mode=0o755)
    (short_path / "tmp").mkdir(mode=0o777)
    (short_path / "tmp").chmod(0o777)
    (short_path / "enter.py").write_bytes(Path(enter.__file__).read_bytes())
    if IS_ROOT:
        os.chown(made, SOMEBODY, SOMEBODY)
    return made


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    return free_port()


@pytest.fixture
def begin(home: Path, port: int) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """What begins a session's first program; it is ended with the test."""
    begun = []

    def begin(*argv: str, limit: int | None = None, **environment: str) -> "subprocess.Popen[str]":
        def bound() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))

        top = home.parent
        usual = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "DAAS_LISTEN": str(port),
            "DAAS_MOST_PROCESSES": "500",
            "DAAS_FOLDER": str(top / "data"),
            "XDG_RUNTIME_DIR": str(top / "tmp" / "runtime"),
        }
        program = subprocess.Popen(
            [PYTHON, str(top / "enter.py"), *(argv or (PYTHON, "-c", APP))],
            env={**usual, **environment},
            user=SOMEBODY if IS_ROOT else None,
            group=SOMEBODY if IS_ROOT else None,
            extra_groups=[] if IS_ROOT else None,
            preexec_fn=bound,  # noqa: PLW1509  one thread, and there is no other way to a limit
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(program)
        return program

    yield begin
    for program in begun:
        program.kill()
        program.communicate()


Begin = Callable[..., "subprocess.Popen[str]"]


def ended(program: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return how it ended, and what it complained of."""
    _, complaint = program.communicate(timeout=20)
    return program.returncode, complaint


def told(program: "subprocess.Popen[str]") -> dict[str, object]:
    """Return what the app has been given."""
    assert program.stdout is not None
    line = program.stdout.readline()
    assert line, ended(program)
    found: dict[str, object] = json.loads(line)
    return found


def test_it_listens_and_hands_the_door_to_the_app(begin: Begin, port: int, home: Path) -> None:
    given = told(begin(PYTHON, "-c", APP, "serve"))
    assert given["folder"] == str(home.parent / "data")
    assert (given["fds"], given["listens"]) == ("1", 1)
    assert given["argv"] == ["serve"]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as visitor:
        assert visitor.recv(10) == b"here"


def test_the_door_is_all_that_it_hands_on(begin: Begin) -> None:
    """Besides the three that every program has; one more is the list of them itself."""
    given = told(begin())
    opened = given["open"]
    assert isinstance(opened, list)
    assert opened[:4] == [0, 1, 2, 3]
    assert len(opened) == 5
    assert given["umask"] == 0o007, "what it writes is its group's, too"
    assert given["runtime"] == 0o700


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_listens_in_both_kinds_of_network(begin: Begin, port: int) -> None:
    told(begin(PYTHON, "-c", APP, "serve"))
    with socket.create_connection(("::1", port), timeout=10) as visitor:
        assert visitor.recv(10) == b"here"


LIMITS = {
    "as the hub says": (None, 500),
    "as the node says, which allows less": (300, 300),
    "as the hub says, where the node allows more": (800, 500),
}


@pytest.mark.parametrize(("node", "limit"), LIMITS.values(), ids=LIMITS.keys())
def test_a_person_has_so_many_processes(begin: Begin, node: int | None, limit: int) -> None:
    assert told(begin(limit=node))["processes"] == [limit, limit]


def test_a_port_that_is_taken_ends_it(begin: Begin, port: int) -> None:
    with socket.create_server(("", port)):
        code, complaint = ended(begin())
    assert code == enter.REFUSED
    assert complaint.startswith("The session cannot listen: Address already in use")


HOMES: dict[str, Callable[[Path], object]] = {
    "missing": lambda home: home.rename(home.with_name("away")),
    "not to be written": lambda home: home.chmod(0o500),
    "not to be entered": lambda home: home.chmod(0o600),
    "somebody else's": lambda home: os.chown(home, SOMEBODY_ELSE, -1),
    "root's, and open to all": lambda home: (os.chown(home, 0, 0), home.chmod(0o777)),
    "a link to somebody else's": lambda home: (
        home.rename(home.with_name("away")),
        home.symlink_to("/tmp"),
    ),
}


@pytest.mark.skipif(not IS_ROOT, reason="two user ids need root")
@pytest.mark.parametrize("break_it", HOMES.values(), ids=HOMES.keys())
def test_a_home_that_is_not_hers_ends_it_and_says_so(
    begin: Begin, home: Path, break_it: Callable[[Path], object]
) -> None:
    break_it(home)
    code, complaint = ended(begin(DAAS_LINKS="Proposals=/proposals"))
    assert code == 72
    assert complaint == "The home is missing, is not this person's, or cannot be written.\n"
    assert not home.exists() or not (home / "Proposals").is_symlink()


def test_it_makes_links_in_the_home(begin: Begin, home: Path) -> None:
    """D5."""
    told(begin(DAAS_LINKS="Proposals=/proposals Examples=/examples"))
    links = {place.name: os.readlink(place) for place in home.iterdir()}
    assert links == {"Proposals": "/proposals", "Examples": "/examples"}


IN_THE_WAY: dict[str, tuple[Callable[[Path], object], bool]] = {
    "an empty folder": (lambda place: place.mkdir(), True),
    "a folder with something in it": (lambda place: (place / "mine").mkdir(parents=True), False),
    "a file": (lambda place: place.write_text("mine"), False),
    "a link of hers": (lambda place: place.symlink_to("/elsewhere"), False),
    "the same link, of another session": (lambda place: place.symlink_to("/proposals"), True),
}


@pytest.mark.parametrize(("put", "is_link"), IN_THE_WAY.values(), ids=IN_THE_WAY.keys())
def test_what_is_in_the_way_of_a_link_and_hers_stays(
    begin: Begin, home: Path, put: Callable[[Path], object], is_link: bool
) -> None:
    place = home / "Proposals"
    put(place)
    if IS_ROOT:
        os.chown(place, SOMEBODY, SOMEBODY, follow_symlinks=False)
    told(begin(DAAS_LINKS="Proposals=/proposals"))
    assert (place.is_symlink() and os.readlink(place) == "/proposals") is is_link
    assert os.path.lexists(place)


def test_a_program_that_the_image_does_not_have_is_named(begin: Begin) -> None:
    words = "nothing-like-this: No such file or directory\n"
    assert ended(begin("nothing-like-this")) == (enter.REFUSED, words)


def test_a_folder_that_is_not_there_is_named(begin: Begin) -> None:
    words = "/nowhere/at/all: No such file or directory\n"
    assert ended(begin(DAAS_FOLDER="/nowhere/at/all")) == (enter.REFUSED, words)


def test_without_a_program_it_says_who_starts_it() -> None:
    command = [sys.executable, enter.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == enter.REFUSED
    assert "started by the portal" in done.stderr

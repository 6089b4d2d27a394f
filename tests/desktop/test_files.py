"""Files into a session's folders and out of them, with a real session."""

import asyncio
import contextlib
import errno
import http.client
import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from daas_desktop.files.places import (
    UNFINISHED,
    FilesError,
    Place,
    disposition,
    parse_places,
    steps,
    told,
)
from daas_desktop.files.session_files import Files
from daas_desktop.files.upload import Upload, names, tidy

MIB = 1 << 20
LARGE = (2 << 30) + 5
GROWTH_ALLOWED_KIB = 20 * 1024


class Page:
    """What the page's script does."""

    def __init__(self, desktop: Any, folder: Path) -> None:
        self.desktop, self.folder = desktop, folder
        page = desktop.ask("/")[2].decode()
        token = page.partition('name="xsrf" content="')[2].partition('"')[0]
        self.headers = {"X-XSRFToken": token}

    def post(self, path: str, method: str = "POST", body: Any = None) -> tuple[int, Any]:
        status, headers, answer = self.desktop.ask(path, method, self.headers, body)
        is_json = "json" in headers.get("Content-Type", "")
        return status, json.loads(answer) if is_json else answer.decode()

    def begin(self, name: str, size: int, place: str = "0", path: str = "") -> tuple[int, Any]:
        wish = {"place": place, "path": path, "name": name, "size": size}
        status, answer = self.post("/files/upload", body=json.dumps(wish))
        return status, answer["upload"] if status == 200 else answer

    def piece(self, upload: str, data: Any, at: int = 0) -> tuple[int, Any]:
        return self.post(f"/files/upload/{upload}?at={at}", "PUT", data)

    def upload(self, name: str, data: bytes, **where: str) -> tuple[int, Any]:
        status, key = self.begin(name, len(data), **where)
        if status != 200:
            return status, key
        status, answer = self.piece(key, data)
        return self.post(f"/files/upload/{key}") if status == 200 else (status, answer)

    def listed(self, place: int = 0, path: str = "") -> Any:
        status, _, answer = self.desktop.ask(f"/files?place={place}&path={quote(path)}")
        return json.loads(answer) if status == 200 else status

    def download(self, path: str, place: int = 0) -> tuple[int, http.client.HTTPMessage, bytes]:
        answer: tuple[int, http.client.HTTPMessage, bytes] = self.desktop.ask(
            f"/files/download?place={place}&path={quote(path)}"
        )
        return answer


@pytest.fixture
def places(directory: Path) -> Iterator[Path]:
    folder = directory / "proposal"
    for name in ("processed/run", "raw"):
        (folder / name).mkdir(parents=True)
    (folder / "raw" / "scan.h5").write_bytes(b"raw")
    return folder


@pytest.fixture
def begin(start: Callable[..., Any], places: Path) -> Callable[..., Page]:
    def started(**extra: str) -> Page:
        said = [
            {"title": "processed", "path": str(places / "processed"), "writable": True},
            {"title": "raw", "path": str(places / "raw"), "writable": False},
        ]
        desktop = start("sleep", "100", **{"DAAS_PLACES": json.dumps(said), **extra})
        desktop.reaches("starting")
        return Page(desktop, places / "processed")

    return started


def test_a_file_goes_up_in_pieces_and_comes_down_again(begin: Callable[..., Page]) -> None:
    page = begin()
    data = os.urandom(3 * MIB + 7)
    _, key = page.begin("spectrum.mca", len(data), path="run")
    for at in range(0, len(data), MIB):
        assert page.piece(key, data[at : at + MIB], at) == (
            200,
            {"size": min(at + MIB, len(data))},
        )
        (hidden,) = (page.folder / "run").iterdir()
        assert hidden.name.startswith(UNFINISHED)
        assert page.listed(path="run")["entries"] == []
    assert page.post(f"/files/upload/{key}") == (200, {"name": "spectrum.mca"})
    assert (page.folder / "run" / "spectrum.mca").read_bytes() == data
    (entry,) = page.listed(path="run")["entries"]
    assert (entry["name"], entry["kind"], entry["size"]) == ("spectrum.mca", "file", len(data))
    status, headers, body = page.download("run/spectrum.mca")
    assert (status, body) == (200, data)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"].startswith("attachment;")
    assert page.download("scan.h5", place=1)[2] == b"raw"


def test_a_name_that_is_taken_is_numbered_and_nothing_is_written_over(
    begin: Callable[..., Page],
) -> None:
    page = begin()
    (page.folder / "fit.cfg").write_bytes(b"old")
    (page.folder / "fit (2).cfg").symlink_to("/nowhere")
    assert page.upload("fit.cfg", b"new") == (200, {"name": "fit (3).cfg"})
    assert (page.folder / "fit.cfg").read_bytes() == b"old"
    assert (page.folder / "fit (3).cfg").read_bytes() == b"new"
    assert page.upload("empty", b"") == (200, {"name": "empty"})


def test_odd_names_go_both_ways(begin: Callable[..., Page]) -> None:
    page = begin()
    odd = ["ü µ Å.txt", "%2e%2e", "a\nb", " space ", "a" * 251 + ".txt", "日" * 85, ".x", "a;'\"\\"]
    for name in odd:
        data = name.encode()
        assert page.upload(name, data) == (200, {"name": name.replace("\n", "_")})
        (entry,) = [e for e in page.listed()["entries"] if e["name"] == name.replace("\n", "_")]
        assert page.download(entry["id"])[2] == data


def test_names_on_the_disk_that_are_no_text_can_be_seen_and_taken(
    begin: Callable[..., Page],
) -> None:
    page = begin()
    for name in (b"\xff\xfe", b"two\nlines", b"a/b".replace(b"/", b"\xe2\x88\x95")):
        Path(os.fsdecode(bytes(page.folder) + b"/" + name)).write_bytes(name)
    found = [entry for entry in page.listed()["entries"] if entry["kind"] == "file"]
    assert {entry["name"] for entry in found} == {"a∕b", "two\ufffdlines", "\ufffd\ufffd"}
    for entry in found:
        _, headers, body = page.download(entry["id"])
        assert quote(body, safe="") == entry["id"]
        assert headers["Content-Disposition"].isprintable()


ELSEWHERE = [
    "..",
    "../raw/scan.h5",
    "%2e%2e/raw/scan.h5",
    "run/../../raw/scan.h5",
    "/etc/passwd",
    "a%00b",
    "run/",
    "out/passwd",
    "link",
    "pipe",
    "run",
    "x" * 300,
    "",
]


def test_nothing_outside_can_be_taken(begin: Callable[..., Page], places: Path) -> None:
    page = begin()
    (page.folder / "out").symlink_to("/etc")
    (page.folder / "link").symlink_to(places / "raw" / "scan.h5")
    os.mkfifo(page.folder / "pipe")
    for path in ELSEWHERE:
        assert page.download(path)[0] in (400, 404), path
        if path not in ("run", ""):
            assert page.listed(path=path) in (400, 404), path
            assert page.upload("x", b"x", path=path)[0] in (400, 404), path
    assert page.listed(place=9) == 404


def test_a_name_that_is_none_is_refused(begin: Callable[..., Page]) -> None:
    page = begin()
    for name in ("", ".", "..", "a/b", "../x", "/etc/x", UNFINISHED + "1"):
        assert page.begin(name, 1)[0] == 400, name
    assert page.begin("\ud800", 1)[0] == 400
    assert [one.name for one in page.folder.iterdir()] == ["run"]


def test_raw_data_is_not_written(begin: Callable[..., Page], places: Path) -> None:
    page = begin()
    assert page.upload("x", b"x", place="1") == (403, "Nothing can be written in this folder.\n")
    assert not page.listed(place=1)["upload"]
    assert [one.name for one in (places / "raw").iterdir()] == ["scan.h5"]


@pytest.mark.parametrize(
    ("switch", "up", "down"),
    [("both", 200, 200), ("upload", 200, 403), ("download", 403, 200), ("off", 403, 403)],
)
def test_a_facility_says_which_way_files_may_go(
    begin: Callable[..., Page], places: Path, switch: str, up: int, down: int
) -> None:
    page = begin(DAAS_FILES=switch)
    assert page.upload("x", b"x")[0] == up
    assert page.download("scan.h5", place=1)[0] == down
    shown = b'id="files-open"' in page.desktop.ask("/")[2]
    assert shown == (switch != "off")
    assert (page.listed() == 403) == (switch == "off")


def test_without_places_there_is_the_home(start: Callable[..., Any], directory: Path) -> None:
    desktop = start("sleep", "100")
    desktop.reaches("starting")
    page = Page(desktop, directory)
    assert page.listed()["places"] == [{"title": "Home", "writable": True}]
    assert page.upload("x", b"x")[0] == 200
    assert (directory / "x").exists()


def test_every_change_needs_the_pages_token(begin: Callable[..., Page]) -> None:
    page = begin()
    _, key = page.begin("x", 1)
    changes = [("POST", "/files/upload"), ("POST", "/end"), ("PUT", f"/files/upload/{key}")]
    for method, path in [*changes, ("POST", f"/files/upload/{key}"), ("DELETE", changes[2][1])]:
        for headers in ({}, {"X-XSRFToken": "guess"}):
            status, _, said = page.desktop.ask(path, method, headers, b"x")
            assert (status, said) == (403, b"This page is too old. Load it again.\n")
    assert page.piece(key, b"y") == (200, {"size": 1})


def test_a_cancelled_upload_leaves_nothing(begin: Callable[..., Page]) -> None:
    page = begin()
    _, key = page.begin("x", 10)
    page.piece(key, b"12345")
    assert page.post(f"/files/upload/{key}", "DELETE") == (204, "")
    assert [one.name for one in page.folder.iterdir()] == ["run"]
    assert page.piece(key, b"67890", 5)[0] == 410
    assert page.post(f"/files/upload/{key}")[0] == 410
    assert page.post(f"/files/upload/{key}", "DELETE")[0] == 204


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_session_that_ends_leaves_nothing_under_the_files_name(
    begin: Callable[..., Page], how: signal.Signals
) -> None:
    page = begin()
    _, key = page.begin("x", 10)
    page.piece(key, b"12345")
    page.desktop.process.send_signal(how)
    page.desktop.process.wait(10)
    left = [one.name for one in page.folder.iterdir() if one.name != "run"]
    assert [name.startswith(UNFINISHED) for name in left] == [True] * (how is signal.SIGKILL)


def test_a_piece_that_was_cut_off_can_be_sent_again(
    begin: Callable[..., Page], wait_until: Callable[..., Any]
) -> None:
    page = begin()
    data = os.urandom(4 * MIB)
    _, key = page.begin("x", len(data))
    page.piece(key, data[:MIB])
    (hidden,) = [one for one in page.folder.iterdir() if one.name != "run"]
    with socket.socket(socket.AF_UNIX) as cut:
        cut.connect(str(page.desktop.path))
        token = page.headers["X-XSRFToken"]
        head = f"PUT /files/upload/{key}?at={MIB} HTTP/1.1\r\nHost: x\r\nX-XSRFToken: {token}\r\n"
        cut.sendall(f"{head}Content-Length: {3 * MIB}\r\n\r\n".encode() + os.urandom(2 * MIB))
        wait_until(lambda: hidden.stat().st_size > MIB, "some of it was written")
    assert page.piece(key, data[2 * MIB :], 2 * MIB)[0] == 409
    assert page.piece(key, data[MIB:], MIB)[0] == 200
    assert page.post(f"/files/upload/{key}")[0] == 200
    assert (page.folder / "x").read_bytes() == data


def test_an_upload_of_which_nothing_more_comes_is_given_up(
    directory: Path, wait_until: Callable[..., Any]
) -> None:
    async def abandoned() -> None:
        files = Files((), upload=True, download=True, abandoned_s=0.1)
        key = files.began(Upload(Place("", str(directory), writable=True), (), "x", 5))
        assert len(list(directory.iterdir())) == 1
        files.found(key)
        await asyncio.sleep(0.2)
        # While a piece is being received it is not.
        assert len(list(directory.iterdir())) == 1
        files.wait_for_more(key)
        async with asyncio.timeout(5):
            while list(directory.iterdir()):
                await asyncio.sleep(0.01)
        with pytest.raises(FilesError):
            files.found(key)

    asyncio.run(abandoned())


def test_an_upload_is_not_given_up_while_a_slow_piece_is_coming(directory: Path) -> None:
    async def slowly() -> None:
        files = Files((), upload=True, download=True, abandoned_s=0.5)
        upload = Upload(Place("", str(directory), writable=True), (), "x", 8)
        key = files.began(upload)
        piece = files.found(key).begin_piece(0)
        files.wait_for_more(key)  # another piece, which was refused, has ended
        for _ in range(8):
            await asyncio.sleep(0.1)
            upload.write(piece, b"x")
        upload.end_piece(piece)
        assert upload.finish() == "x"

    asyncio.run(slowly())


def test_what_a_killed_session_left_goes_with_the_next_upload(directory: Path) -> None:
    old, new = (directory / (UNFINISHED + name) for name in ("old", "new"))
    for file in (old, new):
        file.touch()
    os.utime(old, (0, 0))
    Upload(Place("", str(directory), writable=True), (), "x", 5).cancel()
    assert [one.name for one in directory.iterdir()] == [new.name]


def test_a_file_system_without_links_gets_the_file_as_well(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", no_links)
    (directory / "x").write_bytes(b"old")
    upload = Upload(Place("", str(directory), writable=True), (), "x", 3)
    upload.write(upload.begin_piece(0), b"new")
    upload.end_piece(1)
    assert upload.finish() == "x (2)"
    assert {one.name: one.read_bytes() for one in directory.iterdir()} == {
        "x": b"old",
        "x (2)": b"new",
    }


def test_two_uploads_of_one_name_at_once_are_two_files(directory: Path) -> None:
    place = Place("", str(directory), writable=True)
    uploads = [Upload(place, (), "x", 0) for _ in range(8)]
    threads = [threading.Thread(target=upload.finish) for upload in uploads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(directory.iterdir())) == 8


def test_a_full_disk_is_said_and_nothing_is_left(
    session_python: Path, directory: Path, start: Callable[..., Any]
) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is missing")
    full = directory / "full"
    full.mkdir()
    disk = ("--size", str(4 * MIB), "--tmpfs", str(full))
    inside = ("--die-with-parent", "--dev-bind", "/", "/", *disk)
    said = [{"title": "processed", "path": str(full), "writable": True}]
    desktop = start(
        *("sleep", "100"), within=("bwrap", *inside, "--"), DAAS_PLACES=json.dumps(said)
    )
    desktop.reaches("starting")
    page = Page(desktop, full)
    sentence = "The disk is full. Nothing of this file was kept.\n"
    assert page.begin("x", 5 * MIB) == (507, sentence)
    data = os.urandom(3 * MIB)
    _, first = page.begin("x", len(data))
    _, second = page.begin("y", len(data))
    assert page.piece(first, data)[0] == 200
    assert page.piece(second, data) == (507, sentence)
    assert page.post(f"/files/upload/{first}") == (200, {"name": "x"})
    assert [entry["name"] for entry in page.listed()["entries"]] == ["x"]
    assert page.upload("z", b"") == (200, {"name": "z"})


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [
        (errno.ENOSPC, 507, "The disk is full"),
        (errno.EDQUOT, 507, "Your space on this disk is used up"),
        (errno.EROFS, 403, "Nothing can be written"),
        (errno.EACCES, 403, "You may not"),
        (errno.EIO, 500, "The disk says: Input/output error."),
    ],
    ids=["full", "quota", "read-only", "forbidden", "broken"],
)
def test_what_a_disk_says_is_a_sentence(number: int, status: int, sentence: str) -> None:
    with pytest.raises(FilesError, match=sentence) as error, told():
        raise OSError(number, os.strerror(number))
    assert error.value.status == status


def test_names_are_tidied_and_numbered_within_what_a_disk_takes() -> None:
    assert tidy("a\tb\x1b.txt") == "a_b_.txt"
    numbered = names("日" * 90 + ".h5")
    for end in (b".h5", b" (2).h5"):
        name = next(numbered)
        assert name.endswith(end)
        assert 250 < len(name) <= 255
        name.decode()
    with pytest.raises(FilesError):
        next(names("a." + "b" * 300))


def test_steps_are_names_only() -> None:
    assert steps("") == ()
    assert steps("a/%20b%FF") == (b"a", b" b\xff")


def test_a_browser_is_told_a_name_it_can_read() -> None:
    assert disposition('µ "x".h5'.encode()) == (
        "attachment; filename=\"_ _x_.h5\"; filename*=UTF-8''%C2%B5%20%22x%22.h5"
    )


def test_places_are_read_or_the_home_is_taken() -> None:
    assert parse_places("", "/home/pi") == (Place("Home", "/home/pi", writable=True),)
    with pytest.raises((ValueError, KeyError)):
        parse_places('[{"title": "x"}]', "/")
    with pytest.raises(KeyError):
        Files.from_environment({"DAAS_FILES": "perhaps"})


def roomy() -> Path:
    """A folder in memory if there is enough: disks of test machines are slow."""
    memory = Path("/dev/shm")
    disk = os.statvfs(memory) if memory.is_dir() else None
    enough = disk is not None and disk.f_bavail * disk.f_frsize > 3 * LARGE
    return memory if enough else Path("/tmp")


def rss(pid: int) -> int:
    (line,) = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1])


def reset_peak(pid: int) -> int:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return rss(pid)


def downloading(page: Page, path: str) -> tuple[http.client.HTTPConnection, Any]:
    """Begin to take a file, and no more of it than is asked for."""
    connection = http.client.HTTPConnection("session", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    connection.sock.connect(str(page.desktop.path))
    connection.request("GET", f"/files/download?path={path}")
    return connection, connection.getresponse()


def test_half_a_file_never_looks_whole(begin: Callable[..., Page]) -> None:
    """A file that becomes shorter while it is taken: the browser is told by the connection."""
    page = begin()
    file = page.folder / "shrinks"
    with file.open("wb") as sparse:
        sparse.truncate(256 * MIB)
    connection, answer = downloading(page, "shrinks")
    answer.read(MIB)
    os.truncate(file, 2 * MIB)
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()
    assert page.desktop.state()["phase"] == "starting"
    assert page.desktop.log.read_text() == ""


def test_a_file_that_grows_is_sent_as_it_was(begin: Callable[..., Page]) -> None:
    page = begin()
    file = page.folder / "grows"
    with file.open("wb") as sparse:
        sparse.truncate(64 * MIB)
    connection, answer = downloading(page, "grows")
    with file.open("ab") as more:
        more.write(b"more")
    assert len(answer.read()) == 64 * MIB
    connection.close()


def test_a_browser_that_goes_away_stops_its_download(
    begin: Callable[..., Page], wait_until: Callable[..., Any]
) -> None:
    page = begin()
    with (page.folder / "large").open("wb") as sparse:
        sparse.truncate(LARGE)
    connection, answer = downloading(page, "large")
    answer.read(MIB)
    descriptors = Path(f"/proc/{page.desktop.process.pid}/fd")

    def held() -> bool:
        found = []
        for one in descriptors.iterdir():
            with contextlib.suppress(OSError):
                found.append(one.readlink().name)
        return "large" in found

    assert held()
    connection.close()
    answer.close()
    wait_until(lambda: not held(), "the file is let go")
    assert page.desktop.log.read_text() == ""


def test_more_than_2_gib_go_both_ways_without_being_held_in_memory(
    begin: Callable[..., Page], places: Path
) -> None:
    page = begin(DAAS_PLACES=json.dumps([{"title": "x", "path": str(places), "writable": True}]))
    with (places / "sparse").open("wb") as sparse:
        sparse.truncate(LARGE)
    page.upload("warm", os.urandom(4 * MIB))
    page.download("warm")
    before = reset_peak(page.desktop.process.pid)
    connection, answer = downloading(page, "sparse")
    assert int(answer.headers["Content-Length"]) == LARGE
    received = 0
    while block := answer.read(4 * MIB):
        received += len(block)
    connection.close()
    assert received == LARGE
    assert rss(page.desktop.process.pid) - before < GROWTH_ALLOWED_KIB


def test_more_than_2_gib_come_in_one_piece_too(start: Callable[..., Any], directory: Path) -> None:
    folder = roomy() / directory.name
    folder.mkdir(exist_ok=True)
    try:
        said = [{"title": "x", "path": str(folder), "writable": True}]
        desktop = start("sleep", "100", DAAS_PLACES=json.dumps(said))
        desktop.reaches("starting")
        page = Page(desktop, folder)
        page.upload("warm", os.urandom(4 * MIB))
        before = reset_peak(desktop.process.pid)
        zeros = bytes(MIB)

        def body() -> Iterator[bytes]:
            for _ in range(LARGE // MIB):
                yield zeros
            yield zeros[: LARGE % MIB]

        _, key = page.begin("large", LARGE)
        page.headers["Content-Length"] = str(LARGE)
        assert page.piece(key, body()) == (200, {"size": LARGE})
        page.headers["Content-Length"] = "0"
        assert page.post(f"/files/upload/{key}")[0] == 200
        assert (folder / "large").stat().st_size == LARGE
        assert rss(desktop.process.pid) - before < GROWTH_ALLOWED_KIB
    finally:
        shutil.rmtree(folder)

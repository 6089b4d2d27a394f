"""The small picture of a session's screen: made from a real X server, for nobody but its owner."""

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daas_desktop.picture.small import png, scaled, shrink
from daas_desktop.picture.thumbnail import KEPT_S, Thumbnails, screen

# Three quarters of the screen red, the rest blue.
COLOURS = """
    from PyQt5 import QtCore, QtGui, QtWidgets
    class Colours(QtWidgets.QWidget):
        def paintEvent(self, event):
            painter = QtGui.QPainter(self)
            painter.fillRect(self.rect(), QtGui.QColor("#c02010"))
            painter.fillRect(self.width() * 3 // 4, 0, self.width(), self.height(),
                             QtGui.QColor("#1020c0"))
    app = QtWidgets.QApplication([])
    colours = Colours()
    colours.show()
    app.exec_()
"""


def pixels_of(data: bytes) -> tuple[int, int, bytes]:
    """Read a PNG of our kind: its width, its height, and RGB."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    size = struct.unpack(">I", data[33:37])[0]
    lines = zlib.decompress(data[41 : 41 + size])
    above, rgb = bytes(3 * width), b""
    for y in range(height):
        line = lines[y * (3 * width + 1) : (y + 1) * (3 * width + 1)]
        assert line[0] == 2
        above = bytes((a + b) & 0xFF for a, b in zip(line[1:], above, strict=True))
        rgb += above
    return width, height, rgb


SIZES = {
    "full HD": ((1920, 1080), (320, 180)),
    "upright": ((1080, 1920), (101, 180)),
    "wide": ((3840, 1080), (320, 90)),
    "smaller than a thumbnail": ((200, 100), (200, 100)),
    "a line": ((4000, 1), (320, 1)),
}


@pytest.mark.parametrize(("size", "small"), SIZES.values(), ids=SIZES.keys())
def test_a_small_picture_keeps_its_shape(size: tuple[int, int], small: tuple[int, int]) -> None:
    assert scaled(*size) == small
    rgb, *made = shrink(b"\x20\x40\x80\x00" * size[0] * size[1], *size)
    assert (*made,) == small
    assert rgb == b"\x80\x40\x20" * small[0] * small[1]


def test_each_pixel_is_the_mean_of_its_place() -> None:
    striped = (b"\xff\xff\xff\0" * 2 + b"\0\0\0\0" * 2) * 320 * 720
    rgb, width, height = shrink(striped, 1280, 720)
    assert (width, height) == (320, 180)
    assert set(rgb) == {2 * (255 >> 2)}


def test_a_picture_survives_being_written() -> None:
    rgb = bytes(range(256)) * 3
    assert pixels_of(png(rgb, 16, 16)) == (16, 16, rgb)


async def test_the_card_shows_what_is_on_the_screen(
    start: Callable[..., Any],
    program: Callable[..., tuple[str, ...]],
    wait_until: Callable[..., Any],
) -> None:
    desktop = start(*program(COLOURS))
    desktop.reaches("running")
    (rfb,) = desktop.directory.glob("daas-*/rfb")

    async def edges() -> tuple[bytes, bytes]:
        width, height, rgb = pixels_of(await Thumbnails(str(rfb)).picture())
        assert (width, height) == (320, 180)
        line = rgb[90 * 3 * width : 91 * 3 * width]
        return line[:3], line[-3:]

    deadline = time.monotonic() + 10
    while (seen := await edges()) != (b"\xc0\x20\x10", b"\x10\x20\xc0"):
        assert time.monotonic() < deadline, seen
    status, headers, picture = desktop.ask("/thumbnail")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert pixels_of(picture)[:2] == (320, 180)
    again = desktop.ask("/thumbnail", headers={"If-None-Match": headers["Etag"]})
    assert (again[0], again[2]) == (304, b"")


async def test_many_who_ask_cost_one_picture(
    start: Callable[..., Any], window: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    desktop = start(*window)
    desktop.reaches("running")
    (rfb,) = desktop.directory.glob("daas-*/rfb")
    asked = []

    async def counted(path: str) -> tuple[bytes, int, int]:
        asked.append(path)
        return await screen(path)

    monkeypatch.setattr("daas_desktop.picture.thumbnail.screen", counted)
    thumbnails = Thumbnails(str(rfb))
    for _ in range(20):
        await thumbnails.picture()
    assert len(asked) == 1
    assert KEPT_S >= 30


async def test_without_an_x_server_there_is_none(directory: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await Thumbnails(str(directory / "none")).picture()

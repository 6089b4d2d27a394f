"""The picture itself: its size on any monitor, its quality, a file of it."""

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.chromium import violations
from tests.desktop.line import Line

pytestmark = pytest.mark.browser

SHOWN = "body[data-phase=running] #screen canvas"
CANVAS = "document.querySelector('#screen canvas')"
SIZE = f"(c => [c.width, c.height])({CANVAS})"
PLACE = f"(r => [r.width, r.height])({CANVAS}.getBoundingClientRect())"

#: What was measured, and the quality that follows from it.
QUALITIES = {
    "all is well": ({"quality": 6}, {"framesPerS": 40, "busy": 0.5}, 6),
    "half the colours for smooth pictures": ({"quality": 6}, {"framesPerS": 40, "busy": 0.9}, 4),
    "and a coarser grain": ({"quality": 4}, {"framesPerS": 40, "busy": 0.9}, 3),
    "but no detail": ({"quality": 3}, {"framesPerS": 40, "busy": 0.9}, 3),
    "as smooth as a screen": ({"quality": 4}, {"framesPerS": 60, "busy": 0.9}, 4),
    "too much for the browser": ({"quality": 6}, {"framesPerS": 18, "busy": 0.9}, 4),
    "far too much": ({"quality": 6}, {"framesPerS": 6, "busy": 1}, 3),
    "far too much still": ({"quality": 3}, {"framesPerS": 6, "busy": 1}, 1),
    "nothing more to gain": ({"quality": 1}, {"framesPerS": 6, "busy": 1}, 1),
    "a program that paints twice a second": ({"quality": 6}, {"framesPerS": 2, "busy": 0.1}, 6),
    "better again": ({"quality": 2}, {"framesPerS": 30, "busy": 0.2}, 3),
    "more pictures than anybody sees": ({"quality": 2}, {"framesPerS": 55, "busy": 0.7}, 3),
    "as good as it should be": ({"quality": 2}, {"framesPerS": 30, "busy": 0.5}, 2),
    "from a choice of before": ({"quality": 9}, {"framesPerS": 40, "busy": 0.5}, 6),
}


@pytest.fixture
def desktop(start: Callable[..., Any], window: tuple[str, ...]) -> Any:
    started = start(*window, title="PyMca")
    started.reaches("running")
    return started


def test_quality_follows_what_was_measured(page: Any) -> None:
    decide = "([level, m]) => import('./static/quality.js').then(q => q.nextLevel(level, m))"
    for name, (level, measured, quality) in QUALITIES.items():
        assert page.evaluate(decide, [level, measured])["quality"] == quality, name
    near, far = ({"framesPerS": 40, "busy": 0.5, "rttMs": rtt} for rtt in (2, 40))
    assert page.evaluate(decide, [{"quality": 6}, near])["compression"] == 2
    assert page.evaluate(decide, [{"quality": 6}, far])["compression"] == 5


@pytest.mark.parametrize(
    ("scaling", "pixels"),
    [
        pytest.param(1, [800, 600], id="ordinary"),
        pytest.param(1.5, [1200, 900], id="all the monitor's pixels, none between two"),
        pytest.param(2, [800, 600], id="each pixel doubled"),
        pytest.param(2.5, [1000, 750], id="each pixel doubled, and more of them"),
    ],
)
def test_the_picture_is_sharp_at_every_scaling_and_points_where_it_should(
    chromium: Any,
    line: Line,
    desktop: Any,
    wait_until: Callable[..., Any],
    scaling: float,
    pixels: list[int],
) -> None:
    viewport = {"width": 800, "height": 600}
    with chromium.new_context(viewport=viewport, device_scale_factor=scaling) as context:
        page = context.new_page()
        page.goto(line.url)
        page.wait_for_selector(SHOWN)
        wait_until(lambda: page.evaluate(SIZE) == pixels, f"{pixels}")
        wait_until(lambda: page.evaluate(PLACE) == [800, 600], "it fills the page")
        page.mouse.click(400, 300)
        at = f"pointer {pixels[0] // 2} {pixels[1] // 2}\n".encode()
        wait_until(lambda: at in desktop.ask("/log")[2], "the middle is the middle")


def test_a_screenshot_is_a_file_named_by_program_and_time(page: Any, tmp_path: Path) -> None:
    page.hover("#bar-handle")
    with page.expect_download() as download:
        page.click("text=Screenshot")
    name = download.value.suggested_filename
    assert re.fullmatch(r"PyMca \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png", name)
    download.value.save_as(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert list(struct.unpack(">II", data[16:24])) == page.evaluate(SIZE)
    assert zlib.crc32(data) != 0
    page.wait_for_selector("text=Saved as")


def test_the_choice_of_quality_is_kept_and_the_line_is_measured(
    page: Any, holds: Callable[[str], None]
) -> None:
    page.hover("#bar-handle")
    page.click("[popovertarget=picture]")
    assert page.is_checked("text=Automatic")
    page.wait_for_selector("#speed-rtt:has-text('ms')")
    page.wait_for_selector("#speed-frames:has-text('a second')")
    assert violations(page) == []
    page.check("text=Fast")
    page.evaluate("import('./static/picture.js').then(m => (window.part = m))")
    holds("part.rfb.qualityLevel === 1")
    page.reload()
    page.wait_for_selector(SHOWN)
    page.evaluate("import('./static/picture.js').then(m => (window.part = m))")
    holds("part.rfb?.qualityLevel === 1")
    page.hover("#bar-handle")
    page.click("[popovertarget=picture]")
    assert page.is_checked("text=Fast")


def test_pictures_decoded_beside_the_page_are_those_that_novnc_draws(
    start: Callable[..., Any],
    program: Callable[..., tuple[str, ...]],
    chromium: Any,
    wait_until: Callable[..., Any],
) -> None:
    """Many pictures over one another, each in its turn, and at last what the program shows."""
    desktop = start(*program(STROKES))
    desktop.reaches("running")
    line = Line(desktop.path)
    seen: list[list[int]] = []
    try:
        for plain in (False, True):
            with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
                page = context.new_page()
                if plain:
                    page.add_init_script("delete globalThis.ImageDecoder")
                page.add_init_script(COUNT)
                page.goto(line.url)
                page.wait_for_selector(SHOWN)
                (desktop.directory / "paint").touch()
                painted = b"painted\n" * (len(seen) + 1)
                wait_until(lambda end=painted: end in desktop.ask("/log")[2], "all is painted")
                seen.append(wait_until(lambda page=page: at_rest(page), "it stands still"))
                assert (page.evaluate("decoded") > 20) is not plain
    finally:
        line.close()
    # TigerVNC's last pictures are JPEG of the best quality: a few steps of 255 from what they show.
    assert len(seen[0]) == len(seen[1])
    assert max(abs(a - b) for a, b in zip(*seen, strict=True)) < 10


# Counts what goes through an ImageDecoder.
COUNT = """
    window.decoded = 0;
    const decode = globalThis.ImageDecoder?.prototype.decode;
    if (decode) ImageDecoder.prototype.decode = function (...all) {
        window.decoded += 1;
        return decode.apply(this, all);
    };
"""

# Coloured noise over coloured noise, the same each time, while the file `paint` is there.
STROKES = """
    import os, random
    from PyQt5 import QtCore, QtGui, QtWidgets
    class Strokes(QtWidgets.QWidget):
        turn = 60
        def paintEvent(self, event):
            painter = QtGui.QPainter(self)
            generator = random.Random(5)
            for turn in range(max(0, self.turn - 3), self.turn):
                noise = generator.randbytes(4 * 300 * 300)
                image = QtGui.QImage(noise, 300, 300, QtGui.QImage.Format_RGB32)
                painter.drawImage(turn * 37 % 900, turn * 61 % 450, image)
        def tick(self):
            if os.path.exists("paint"):
                self.turn = 0
                os.unlink("paint")
            if self.turn < 60:
                self.turn += 1
                self.update()
                if self.turn == 60:
                    print("painted", flush=True)
    app = QtWidgets.QApplication([])
    strokes = Strokes()
    strokes.show()
    timer = QtCore.QTimer()
    timer.timeout.connect(strokes.tick)
    timer.start(15)
    app.exec_()
"""

VALUES = f"""(() => {{
    const c = {CANVAS};
    const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    return Array.from(data).filter((_, at) => at % 97 === 0);
}})()"""


def at_rest(page: Any) -> list[int]:
    """Some of the picture's values, none if they changed within a second."""
    before: list[int] = page.evaluate(VALUES)
    page.wait_for_timeout(1000)
    return before if page.evaluate(VALUES) == before else []

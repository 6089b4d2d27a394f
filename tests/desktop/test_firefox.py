"""The page in Debian's Firefox: picture, keys, clipboard and files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.firefox import Firefox, running_firefox
from tests.desktop.line import Line

pytestmark = pytest.mark.browser

# The window is light, the page behind it is dark.
LIGHT = (
    "(c => c && c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0] > 200)"
    "(document.querySelector('#screen canvas'))"
)
FOCUSED = "document.activeElement.id === 'keyboard'"


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    with running_firefox() as running:
        running.resize(1280, 800)
        yield running


@pytest.fixture
def desktop(start: Callable[..., Any], window: tuple[str, ...]) -> Any:
    started = start(*window, title="PyMca")
    started.reaches("running")
    return started


@pytest.fixture
def page(firefox: Firefox, desktop: Any) -> Iterator[Firefox]:
    line = Line(desktop.path)
    firefox.open(line.url)
    firefox.wait_for("document.body.dataset.phase === 'running'")
    firefox.wait_for(LIGHT)
    firefox.wait_for(FOCUSED)
    yield firefox
    firefox.open("about:blank")
    line.close()


def test_firefox_shows_the_picture_and_keys_reach_the_program(
    page: Firefox, desktop: Any, wait_until: Callable[..., Any]
) -> None:
    page.wait_for("document.querySelector('#screen canvas').width === 1280")
    page.press("a", "ö")
    wait_until(lambda: "key a\nkey ö\n".encode() in desktop.ask("/log")[2], "both keys")
    assert page.screenshot().startswith(b"\x89PNG")


def test_the_clipboards_dialog_works_in_firefox(
    page: Firefox, desktop: Any, wait_until: Callable[..., Any]
) -> None:
    page.evaluate("document.getElementById('clipboard-open').focus()")
    page.press("\ue007")
    page.wait_for("document.getElementById('clipboard').open")
    page.evaluate("document.getElementById('clipboard-text').value = 'µ and Å'")
    page.click("#clipboard-send")
    wait_until(lambda: "clipboard µ and Å".encode() in desktop.ask("/log")[2], "the text is there")
    page.wait_for(FOCUSED)


def test_files_go_up_with_firefox(page: Firefox, desktop: Any, tmp_path: Path) -> None:
    spectrum = tmp_path / "spectrum µ.h5"
    spectrum.write_bytes(os.urandom(10 << 20))
    page.evaluate("document.getElementById('files-open').focus()")
    page.press("\ue007")
    page.wait_for("document.querySelector('#files-list tr')")
    page.choose_files("#files-input", spectrum)
    page.wait_for("document.getElementById('files-said').textContent.includes('is uploaded')")
    assert (desktop.directory / spectrum.name).read_bytes() == spectrum.read_bytes()

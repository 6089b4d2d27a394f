"""Text between a program and a browser, as long as people have it, and the switches for it."""

import contextlib
import os
import random
import string
import struct
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from daas_desktop.picture.clipboard import clipboard_switch
from tests.desktop.chromium import violations

TEXT = "µ and Å"
LENGTH = 10_000_000
IN_MS = 30_000

PAGE_TEXT = "document.querySelector('#clipboard-text').value"


@pytest.fixture
def desktop(start: Callable[..., Any], window: tuple[str, ...], request: Any) -> Any:
    switch = getattr(request, "param", "both")
    started = start(*window, title="PyMca", DAAS_CLIPBOARD=switch)
    started.reaches("running")
    return started


@pytest.fixture
def copied(desktop: Any) -> Callable[[str], bool]:
    """Whether the program's clipboard has had a text."""

    def seen(text: str) -> bool:
        line = f"clipboard {text[:80]} {len(text)} {sum(map(ord, text[::997]))}\n"
        return line.encode() in desktop.ask("/log")[2]

    return seen


def copy(desktop: Any, text: str) -> None:
    """Let the program copy a text."""
    aside = desktop.directory / "copy.new"
    aside.write_text(text)
    os.replace(aside, desktop.directory / "copy")


def long_text(length: int) -> str:
    generator = random.Random(7)
    return "".join(generator.choices(string.ascii_letters + "µÅ", k=length))


@pytest.mark.browser
def test_text_goes_both_ways_by_itself(
    page: Any,
    desktop: Any,
    copied: Callable[[str], bool],
    wait_until: Callable[..., Any],
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    read = "navigator.clipboard.readText()"
    copy(desktop, "from the program: µ")
    wait_until(lambda: page.evaluate(read) == "from the program: µ", "it is on the clipboard here")
    page.context.clear_permissions()
    page.context.grant_permissions(["clipboard-write"])
    # Reading is not allowed any more: the key that pastes brings the text with it.
    page.evaluate(f"navigator.clipboard.writeText('{TEXT}')")
    page.keyboard.press("Control+v")
    wait_until(lambda: copied(TEXT), "the program has the text")
    wait_until(lambda: b"key \x16" in desktop.ask("/log")[2], "and then the key")
    log = desktop.ask("/log")[2]
    assert log.index(TEXT.encode()) < log.index(b"key \x16")


@pytest.mark.browser
def test_what_is_handed_over_is_what_the_next_paste_brings(
    page: Any, desktop: Any, copied: Callable[[str], bool], wait_until: Callable[..., Any]
) -> None:
    page.context.grant_permissions(["clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('of before')")
    page.hover("#bar-handle")
    page.click("#clipboard-open")
    page.fill("#clipboard-text", TEXT)
    page.click("#clipboard-send")
    wait_until(lambda: copied(TEXT), "the program has it")
    page.keyboard.press("Control+v")
    wait_until(lambda: b"key \x16" in desktop.ask("/log")[2], "the key that pastes")
    page.wait_for_timeout(500)
    assert not copied("of before")


@pytest.mark.browser
def test_ten_megabytes_go_both_ways_and_more_than_sixteen_are_refused(
    page: Any,
    desktop: Any,
    copied: Callable[[str], bool],
    wait_until: Callable[..., Any],
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    text = long_text(LENGTH)
    copy(desktop, text)
    length = "navigator.clipboard.readText().then(text => text.length)"
    wait_until(lambda: page.evaluate(length) == LENGTH, "all of it is here", 60)
    assert page.evaluate("navigator.clipboard.readText()") == text
    back = "navigator.clipboard.readText().then(text => navigator.clipboard.writeText('>' + text))"
    page.evaluate(back)

    def pasted() -> bool:
        # Qt waits for a text for 5 s; on a busy machine a person would press the keys again.
        page.keyboard.press("Control+v")
        page.wait_for_timeout(3000)
        return copied(">" + text)

    wait_until(pasted, "all of it is there", 60)
    page.evaluate("navigator.clipboard.writeText('x'.repeat(16_000_001))")
    page.keyboard.press("Control+v")
    page.wait_for_selector("text=it has 17 MB, and 16 MB are the most", timeout=IN_MS)
    assert page.is_visible("#screen canvas")


@pytest.mark.browser
@pytest.mark.parametrize(
    ("desktop", "sentence"),
    [
        pytest.param("in", "Copying out of PyMca is switched off here.", id="in"),
        pytest.param("out", "Pasting into PyMca is switched off here.", id="out"),
        pytest.param("off", "Copying to and from PyMca is switched off here.", id="off"),
    ],
    indirect=["desktop"],
)
def test_the_page_says_what_is_switched_off_and_the_other_way_works(
    page: Any,
    desktop: Any,
    copied: Callable[[str], bool],
    wait_until: Callable[..., Any],
    sentence: str,
) -> None:
    page.hover("#bar-handle")
    page.click("#clipboard-open")
    assert page.is_visible(f"text={sentence}")
    assert page.is_visible("#clipboard-send") is sentence.startswith("Copying out")
    assert violations(page) == []
    if page.is_visible("#clipboard-send"):
        page.fill("#clipboard-text", TEXT)
        page.click("#clipboard-send")
        wait_until(lambda: copied(TEXT), "the text is there")
    elif page.is_visible("#clipboard-text"):
        copy(desktop, TEXT)
        wait_until(lambda: page.evaluate(PAGE_TEXT) == TEXT, "the text is here")


@pytest.mark.parametrize(
    ("desktop", "into", "out"),
    [
        pytest.param("both", True, True, id="both"),
        pytest.param("in", True, False, id="in"),
        pytest.param("out", False, True, id="out"),
        pytest.param("off", False, False, id="off"),
        pytest.param("nonsense", False, False, id="a word that nobody knows"),
    ],
    indirect=["desktop"],
)
def test_the_switch_holds_against_a_viewer_that_does_not_care(
    desktop: Any,
    view: Callable[..., Any],
    copied: Callable[[str], bool],
    wait_until: Callable[..., Any],
    into: bool,
    out: bool,
) -> None:
    viewer = view(desktop)
    viewer.handshake()
    viewer.send(struct.pack(">B3xi", 6, 5) + b"paste")
    # A key behind it: when the program has that, it has had the text or never will.
    viewer.send(struct.pack(">BBHI", 4, 1, 0, 0x61) + struct.pack(">BBHI", 4, 0, 0, 0x61))
    wait_until(lambda: b"key a" in desktop.ask("/log")[2], "the key is there")
    assert copied("paste") is into
    copy(desktop, "secret-of-the-program")
    wait_until(lambda: copied("secret-of-the-program"), "the program has copied")
    assert (b"secret-of-the-program" in everything(viewer)) is out


def everything(viewer: Any) -> bytes:
    """All that comes until nothing does for a second."""
    received = b""
    viewer.socket.settimeout(1)
    with contextlib.suppress(TimeoutError, OSError):
        while True:
            received += viewer.read(1)
    return received


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, "both", id="nothing said"),
        pytest.param({"DAAS_CLIPBOARD": "out"}, "out", id="one way"),
        pytest.param({"DAAS_CLIPBOARD": "none"}, "off", id="an unknown word is the careful one"),
    ],
)
def test_the_switch_is_read_from_the_environment(
    environment: dict[str, str], expected: str
) -> None:
    assert clipboard_switch(environment) == expected


def test_no_program_in_the_session_can_turn_the_clipboard_on_again(
    start: Callable[..., Any], window: tuple[str, ...]
) -> None:
    desktop = start(*window, DAAS_CLIPBOARD="off")
    desktop.reaches("running")
    environment = desktop.program_environment()
    for parameter in ("SendCutText", "AcceptCutText", "SendPrimary", "SetPrimary"):
        subprocess.run(["vncconfig", "-set", f"{parameter}=1"], env=environment, check=False)
        asked = ["vncconfig", "-get", parameter]
        done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() in ("0", "off"), parameter

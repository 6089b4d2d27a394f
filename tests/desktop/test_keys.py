"""What a key is to the program, typed as the browsers of other layouts report it."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

ALT, CONTROL, SHIFT = 1, 2, 8
#: (code, key, modifiers while it is pressed)
Key = tuple[str, str, int]

# As Chromium on Linux reports them.
LAYOUTS: dict[str, tuple[tuple[Key, ...], str]] = {
    "German umlaut first": ((("Quote", "ä", 0),), "ä"),
    "German AltGr+Q": ((("AltRight", "AltGraph", 0), ("KeyQ", "@", 0)), "@"),
    "German umlaut": ((("BracketLeft", "ü", 0),), "ü"),
    "German sharp s": ((("Minus", "ß", 0),), "ß"),
    "French A, where others have Q": ((("KeyQ", "a", 0),), "a"),
    "French digit with Shift": ((("ShiftLeft", "Shift", SHIFT), ("Digit2", "2", SHIFT)), "2"),
    "French letter on a digit": ((("Digit2", "é", 0),), "é"),
    "French AltGr+E": ((("AltRight", "AltGraph", 0), ("KeyE", "€", 0)), "€"),
    "Greek": ((("KeyM", "μ", 0),), "μ"),
    "dead circumflex, then e": ((("Backquote", "Dead", 0), ("KeyE", "ê", 0)), "ê"),
}
WINDOWS_ALTGR = (
    ("ControlLeft", "Control", CONTROL),
    ("AltRight", "AltGraph", CONTROL | ALT),
    ("KeyQ", "@", CONTROL | ALT),
)


@pytest.fixture
def desktop(start: Callable[..., Any], window: tuple[str, ...]) -> Any:
    started = start(*window, title="PyMca")
    started.reaches("running")
    return started


@pytest.fixture
def typed(desktop: Any) -> Callable[[], str]:
    """All that the program has been typed so far, without the keys that are no text."""

    def text() -> str:
        lines = desktop.ask("/log")[2].decode().splitlines()
        return "".join(line.removeprefix("key ") for line in lines if line.startswith("key "))

    return text


def press(devtools: Any, keys: tuple[Key, ...]) -> None:
    for way, order in (("rawKeyDown", keys), ("keyUp", tuple(reversed(keys)))):
        for code, key, modifiers in order:
            right = code.endswith("Right")
            modifier = code.startswith(("Alt", "Shift", "Control"))
            event = {
                "type": way,
                "code": code,
                "key": key,
                "modifiers": modifiers if way == "rawKeyDown" else 0,
                "location": (2 if right else 1) if modifier else 0,
                "windowsVirtualKeyCode": 0 if modifier else 65,
            }
            devtools.send("Input.dispatchKeyEvent", event)


def test_keys_arrive_as_what_stands_on_them_in_every_layout(
    page: Any, typed: Callable[[], str], wait_until: Callable[..., Any]
) -> None:
    devtools = page.context.new_cdp_session(page)
    expected = ""
    for name, (keys, text) in LAYOUTS.items():
        press(devtools, keys)
        expected += text
        wait_until(lambda wanted=expected: typed() == wanted, f"{name}: {expected}", 5)


def test_altgr_of_windows_is_one_key(
    page: Any, typed: Callable[[], str], wait_until: Callable[..., Any]
) -> None:
    devtools = page.context.new_cdp_session(page)
    agent = {"userAgent": page.evaluate("navigator.userAgent"), "platform": "Win32"}
    devtools.send("Emulation.setUserAgentOverride", agent)
    page.reload()
    page.wait_for_selector("body[data-phase=running] #screen canvas")
    press(devtools, WINDOWS_ALTGR)
    wait_until(lambda: typed() == "@", "no control character")


def test_text_that_is_composed_arrives_when_it_is_complete(
    page: Any, typed: Callable[[], str], wait_until: Callable[..., Any]
) -> None:
    devtools = page.context.new_cdp_session(page)
    for part in ("に", "にほ", "日本"):
        composing = {"text": part, "selectionStart": len(part), "selectionEnd": len(part)}
        devtools.send("Input.imeSetComposition", composing)
    assert typed() == ""
    devtools.send("Input.insertText", {"text": "日本"})
    wait_until(lambda: typed() == "日本", "the text, once")
    # As of a keyboard on glass, or a list of symbols.
    devtools.send("Input.insertText", {"text": "Å½"})
    wait_until(lambda: typed() == "日本Å½", "text without keys")
    assert page.input_value("#keyboard") == ""


def test_text_and_keys_arrive_in_the_order_in_which_they_were_typed(
    page: Any, typed: Callable[[], str], wait_until: Callable[..., Any]
) -> None:
    """A Korean input method commits a word by the space that follows it."""
    devtools = page.context.new_cdp_session(page)
    for word in ("한국", "어를", "씁니다"):
        devtools.send("Input.insertText", {"text": word})
        press(devtools, (("Space", " ", 0),))
    press(devtools, (("KeyA", "a", 0),))
    wait_until(lambda: len(typed()) == 11, "everything")
    assert typed() == "한국 어를 씁니다 a"


def test_keys_that_the_browser_keeps_are_in_a_menu(
    page: Any, desktop: Any, typed: Callable[[], str], wait_until: Callable[..., Any]
) -> None:
    page.hover("#bar-handle")
    page.click("text=Keys")
    names = [each.inner_text() for each in page.query_selector_all("#keys-list button")]
    assert {"Esc", "F11", "Ctrl+W", "Alt+F4", "Print screen"} <= set(names)
    page.click("#keys-list >> text=Ctrl+W")
    wait_until(lambda: typed() == "\x17", "Ctrl+W")
    page.click("#keys-list >> text=Esc")
    wait_until(lambda: typed() == "\x17\x1b", "Esc")


def test_nothing_stays_pressed_when_the_picture_loses_the_keyboard(
    page: Any, typed: Callable[[], str], wait_until: Callable[..., Any]
) -> None:
    page.focus("#keyboard")
    page.keyboard.down("Control")
    page.focus("#portal")
    page.keyboard.up("Control")
    page.focus("#keyboard")
    page.keyboard.press("a")
    wait_until(lambda: typed() == "a", "an a without Control")

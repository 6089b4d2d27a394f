"""What the hub wants read, on the desktop's page and on JupyterLab's: in a real browser."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.desktop.chromium import violations
from tests.desktop.plain_hub import PlainHub, api
from tests.desktop.test_leaving_page import sign_in, sign_out

pytestmark = pytest.mark.browser

SESSION = {"DAAS_ASK_EVERY_S": "0.1"}
WAIT_MS = 15_000
SAVE = "Your sessions end at 14:32 UTC on 3 March: save your work. Ask the user office."
MARKUP = "<img src=x onerror=alert(1)> &amp; <b>bold</b>"
SIZES = {"screen": (1280, 800), "phone": (390, 700)}

#: Where the program stands on each page, and what shows that it is there.
PROGRAM = {"desk": "#screen canvas", "lab": "#main"}
BOTH = pytest.mark.parametrize("where", list(PROGRAM))

# The strip is at the lower edge, and neither covers the other.
APART = """selector => {
    const program = document.querySelector(selector).getBoundingClientRect();
    const strip = document.querySelector("#notices").getBoundingClientRect();
    return program.top >= 0 && program.bottom <= strip.top && program.height > 200
        && Math.round(strip.bottom) === innerHeight && strip.left >= 0
        && strip.right <= innerWidth;
}"""


@pytest.fixture(scope="module")
def sessions(hub: PlainHub) -> dict[str, str]:
    hub.say()
    for name in PROGRAM:
        assert api(hub, "POST", f"users/pi/servers/{name}").status_code == 201, hub.log.read_text()
    return {"desk": f"{hub.url}/user/pi/desk/", "lab": f"{hub.url}/user/pi/lab/lab"}


@pytest.fixture(scope="module")
def pages(chromium: Any, hub: PlainHub, sessions: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Both pages, open all the time: JupyterLab takes seconds to load."""
    with chromium.new_context() as context:
        context.set_default_timeout(WAIT_MS)
        opened = {where: context.new_page() for where in PROGRAM}
        sign_in(opened["desk"], hub)
        opened["desk"].wait_for_url(f"{hub.url}/hub/home")
        for where, page in opened.items():
            page.goto(sessions[where])
            page.wait_for_selector(PROGRAM[where])
        yield opened


@pytest.fixture
def visit(
    pages: dict[str, Any], hub: PlainHub, wait_until: Callable[..., Any]
) -> Callable[..., Any]:
    """Give one of the two pages in a size, on which nothing is said."""

    def go(where: str, size: str = "screen") -> Any:
        page = pages[where]
        page.bring_to_front()
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        hub.say()
        wait_until(lambda: shown(page) == [], "nothing is said")
        return page

    return go


def shown(page: Any) -> list[str]:
    return [each.inner_text() for each in page.query_selector_all("#notices p")]


@BOTH
@pytest.mark.parametrize("size", list(SIZES))
def test_a_notice_comes_beside_the_program_and_goes_when_the_hub_says_it_no_more(
    visit: Callable[..., Any],
    hub: PlainHub,
    wait_until: Callable[..., Any],
    where: str,
    size: str,
) -> None:
    page = visit(where, size)
    hub.say(SAVE, MARKUP)
    wait_until(lambda: shown(page) == [SAVE, MARKUP], "both sentences, as text")
    wait_until(lambda: page.evaluate(APART, PROGRAM[where]), "the program gives way")
    assert page.query_selector("#notices img, #notices b") is None
    assert page.get_attribute("#notices", "role") == "status"
    assert violations(page, "#notices") == []
    hub.say(MARKUP)
    wait_until(lambda: shown(page) == [MARKUP], "one is taken away")
    hub.say()
    wait_until(lambda: shown(page) == [], "the other as well")
    full = f"document.querySelector('{PROGRAM[where]}').getBoundingClientRect().bottom"
    wait_until(lambda: round(page.evaluate(full)) == SIZES[size][1], "the program gets its place")


@BOTH
def test_a_sentence_that_was_put_aside_stays_away_until_it_is_said_anew(
    visit: Callable[..., Any], hub: PlainHub, wait_until: Callable[..., Any], where: str
) -> None:
    page = visit(where)
    hub.say(SAVE, "Second.")
    wait_until(lambda: shown(page) == [SAVE, "Second."], "both sentences")
    page.focus("#notices button")
    page.keyboard.press("Enter")
    assert shown(page) == ["Second."]
    assert page.evaluate("document.activeElement.textContent") == "Put aside"
    hub.say(SAVE, "Second.", "Third.")
    wait_until(lambda: shown(page) == ["Second.", "Third."], "only what is new comes")
    hub.say("Third.")
    wait_until(lambda: shown(page) == ["Third."], "the hub takes two away")
    hub.say(SAVE, "Third.")
    wait_until(lambda: shown(page) == ["Third.", SAVE], "said anew, it is read again")


@BOTH
def test_much_to_read_leaves_more_than_half_to_the_program(
    visit: Callable[..., Any], hub: PlainHub, wait_until: Callable[..., Any], where: str
) -> None:
    page = visit(where, "phone")
    hub.say(*(f"{number} {'word ' * 200}" for number in range(9)))
    wait_until(lambda: len(shown(page)) == 5, "five sentences")
    wait_until(lambda: page.evaluate(APART, PROGRAM[where]), "the program gives way")
    assert page.evaluate("document.querySelector('#notices').offsetHeight") <= 0.41 * 700
    assert violations(page, "#notices") == []


def test_keys_go_on_reaching_the_desktops_program(
    visit: Callable[..., Any], hub: PlainHub, wait_until: Callable[..., Any]
) -> None:
    page = visit("desk")
    keyboard = "document.activeElement.id === 'keyboard'"
    page.click("#screen canvas")
    hub.say(SAVE)
    wait_until(lambda: shown(page) == [SAVE], "the sentence")
    assert page.evaluate(keyboard), "a notice takes the keyboard from nobody"
    page.click("text=Put aside")
    assert page.evaluate(keyboard)
    # By the keyboard alone: the three keys lead out of the picture, Tab leads on to the strip.
    hub.say("Second.")
    wait_until(lambda: shown(page) == ["Second."], "the next sentence")
    for key in ("Control", "Alt", "Shift"):
        page.keyboard.down(key)
    for key in ("Shift", "Alt", "Control"):
        page.keyboard.up(key)
    wait_until(lambda: page.evaluate("document.activeElement.id === 'portal'"), "the bar")
    # Past all that the bar has.
    for _ in range(page.locator("#bar-tools :is(a, button)").count()):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Put aside"
    page.keyboard.press("Enter")
    assert shown(page) == []
    assert page.evaluate(keyboard)


def test_work_goes_on_in_jupyterlab_light_and_dark(
    visit: Callable[..., Any], hub: PlainHub, wait_until: Callable[..., Any]
) -> None:
    (hub.folder / "work.txt").write_text("")
    page = visit("lab")
    page.goto(f"{hub.url}/user/pi/lab/lab/tree/work.txt")
    page.click(".cm-content")
    page.keyboard.type("before")
    hub.say(SAVE)
    wait_until(lambda: shown(page) == [SAVE], "the sentence")
    page.keyboard.type(" and after")
    page.wait_for_selector(".cm-content:has-text('before and after')")
    for light in ("true", "false"):
        page.evaluate("light => document.body.dataset.jpThemeLight = light", light)
        assert violations(page, "#notices") == []


def test_somebody_who_is_signed_out_still_reads_why(
    visit: Callable[..., Any], hub: PlainHub, wait_until: Callable[..., Any]
) -> None:
    """The last test of this module: its browser is signed out."""
    desk, lab = visit("desk"), visit("lab")
    hub.say(SAVE)
    for page in (desk, lab):
        wait_until(lambda page=page: shown(page) == [SAVE], "the sentence")
    refused: list[str] = []
    lab.on("response", lambda answer: answer.status == 403 and refused.append(answer.url))
    sign_out(desk, hub)
    for page in (desk, lab):
        page.wait_for_selector("text=You are no longer signed in.")
    asked = json.dumps(refused).count("/notices")
    lab.wait_for_timeout(1000)  # time enough for a page that goes on asking
    assert json.dumps(refused).count("/notices") == asked <= 1
    assert shown(desk) == [SAVE]
    assert violations(desk) == []

"""Which browsers are signed in, over time and over a restart of the hub."""

from dataclasses import replace
from pathlib import Path

import pytest

from daas_authenticator.database.engine import Database
from daas_authenticator.links.people import People
from daas_authenticator.links.store import LinkStore
from daas_authenticator.logins.login import Login, browser_words, key_of
from daas_authenticator.logins.register import Register
from daas_authenticator.logins.store import LoginStore

LOGIN = Login(
    key_of("one"), "alice", "staff", "https://sso.facility.example", "a1", "s1",
    started_at=100, ends_at=200, public=True, browser="Firefox on Linux",
)  # fmt: skip


class Hub:
    """A hub that can be restarted, with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder}/people.sqlite")
        self.now = 100.0
        self.start()

    def start(self) -> None:
        people = People(LinkStore(self.database), "nobody")
        self.register = Register(LoginStore(self.database), people, lambda: self.now)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


async def test_a_login_stands_until_its_time_is_over(hub: Hub) -> None:
    await hub.register.begin(LOGIN)
    for now, stands in ((199.0, True), (200.0, False)):
        hub.now = now
        assert (await hub.register.login_of("one") is not None) is stands
        assert (await hub.register.of("alice") == (LOGIN,)) is stands
        assert (hub.register.public_until("alice") == 200) is stands
        assert (await hub.register.over() == ()) is stands


@pytest.mark.parametrize("session_id", [None, "", "two", LOGIN.key])
async def test_another_session_cookie_is_no_login(hub: Hub, session_id: str | None) -> None:
    await hub.register.begin(LOGIN)
    assert await hub.register.login_of(session_id) is None


async def test_logins_outlive_the_hub_and_ended_ones_do_not(hub: Hub) -> None:
    other = replace(LOGIN, key=key_of("two"), public=False)
    await hub.register.begin(LOGIN)
    await hub.register.begin(other)
    await hub.register.end([LOGIN])
    hub.start()
    assert await hub.register.of("alice") == (other,)


@pytest.mark.parametrize(
    ("subject", "sid", "found"),
    [
        pytest.param("a1", "s1", True, id="both"),
        pytest.param("a1", "", True, id="all of a person"),
        pytest.param("", "s1", True, id="one login"),
        pytest.param("a1", "s2", False, id="another login of hers"),
        pytest.param("b2", "s1", False, id="another person's"),
        pytest.param("", "", False, id="nobody's"),
    ],
)
async def test_a_provider_names_logins(hub: Hub, subject: str, sid: str, found: bool) -> None:
    await hub.register.begin(LOGIN)
    assert bool(await hub.register.by_provider(LOGIN.issuer, subject, sid)) is found
    assert await hub.register.by_provider("https://other.example", subject, sid) == ()


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
         "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15",
         "Safari on macOS"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
         "Chrome on Android"),
        ("curl/8.5.0", "A browser"),
        ("", "A browser"),
    ],
)  # fmt: skip
def test_a_browser_is_named_as_people_know_it(agent: str, words: str) -> None:
    assert browser_words(agent) == words

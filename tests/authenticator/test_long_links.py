"""Links too long for a cookie wait in memory: for their login only, and within bounds."""

from daas_authenticator.login_flow import LIFETIME_SECONDS
from daas_authenticator.long_links import LongLinks


def test_a_link_is_given_back_once_and_to_its_login_only() -> None:
    links = LongLinks()
    links.keep("a", "/to-a")
    links.keep("b", "/to-b")
    assert links.take("b") == "/to-b"
    assert links.take("b") == ""
    assert links.take("a") == "/to-a"


def test_links_of_logins_that_were_given_up_are_forgotten() -> None:
    now = [0.0]
    links = LongLinks(lambda: now[0])
    links.keep("old", "/old")
    now[0] = LIFETIME_SECONDS + 1
    links.keep("new", "/new")
    assert links.take("old") == ""
    assert links.take("new") == "/new"


def test_a_flood_of_logins_takes_no_more_than_8_mb() -> None:
    links = LongLinks()
    for number in range(2000):
        links.keep(str(number), "/" + "x" * 15_999)
    kept = [number for number in range(2000) if links.take(str(number))]
    assert kept == list(range(1500, 2000))

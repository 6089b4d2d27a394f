"""Over https the waiting login is in a `__Host-` cookie, which no neighbouring host can plant."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .conftest import HUB_CONFIG, Hub, LyingProvider, free_port, running_hub, serving
from .signing_in import asked_redirect

PROVIDER = free_port()
SECURE = """
c.DaasAuthenticator.oauth_callback_url = "https://daas.facility.example/hub/oauth_callback"
"""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that knows itself by an https address, as behind a facility's proxy."""
    folder: Path = tmp_path_factory.mktemp("hub")
    with running_hub(folder, HUB_CONFIG + SECURE, provider=PROVIDER) as hub:
        yield hub


@pytest.fixture
async def provider() -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(PROVIDER)) as lying:
        yield lying


async def test_attack_01_the_waiting_login_is_in_a_host_cookie(
    secure: Hub, provider: LyingProvider
) -> None:
    browser = secure.browser()
    page = await browser.get("/hub/oauth_login?next=%2Fa", follow=0)
    cookie = next(c for c in page.headers.get_list("Set-Cookie") if "daas-login-" in c)
    assert cookie.startswith("__Host-")
    assert {"Secure", "Path=/", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    answer = await browser.get(page.headers["Location"], follow=0)
    back = answer.headers["Location"].replace("https://daas.facility.example", secure.url)
    assert (await browser.get(back, follow=0)).headers["Location"] == "/a"


async def test_attack_01_a_planted_cookie_without_the_prefix_is_not_looked_at(
    secure: Hub, provider: LyingProvider
) -> None:
    attacker, victim = secure.browser(), secure.browser()
    page = await attacker.get("/hub/oauth_login", follow=0)
    answer = await attacker.get(page.headers["Location"], follow=0)
    for name, value in attacker.cookies.items():
        if "daas-login-" in name:
            victim.cookies[name.removeprefix("__Host-")] = value
    back = answer.headers["Location"].replace("https://daas.facility.example", secure.url)
    assert (await victim.get(back, follow=0)).code == 400


async def test_attack_28_a_request_that_says_http_does_not_take_the_prefix_away(
    secure: Hub, provider: LyingProvider
) -> None:
    browser = secure.browser()
    forged = {"Host": "evil.example", "X-Forwarded-Proto": "http"}
    asked = await asked_redirect(browser, "/hub/oauth_login", **forged)
    assert asked == "https://daas.facility.example/hub/oauth_callback"
    assert all(name.startswith("__Host-") for name in browser.waiting())

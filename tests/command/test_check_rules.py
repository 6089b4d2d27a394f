"""What a provider's answers mean: tables, with what real providers were seen to answer."""

import asyncio
import threading
from email.utils import formatdate

import pytest

from daas_authenticator.fetch import Answer
from daas_authenticator.providers import parse_providers
from daas_command.checks.finding import Findings, State, aside, examined, ok, shown
from daas_command.checks.provider_rules import client_secret, clock, redirect_address, trial

NOW = 1_800_000_000.0
URI = "https://daas.facility.example/hub/oidc/staff/callback"
OTHER = URI + "-that-nobody-registered"
(PROVIDER,) = parse_providers(
    {"staff": {"issuer": "https://sso.facility.example", "client_id": "x", "client_secret": "y"}}
)


@pytest.mark.parametrize(
    ("headers", "state", "says"),
    [
        pytest.param({"Date": formatdate(NOW)}, State.OK, "within 1 s", id="equal"),
        pytest.param({"Date": formatdate(NOW - 30)}, State.OK, "within 30 s", id="30 s"),
        pytest.param({"Date": formatdate(NOW - 31)}, State.WARNING, "31 s behind", id="31 s"),
        pytest.param({"Date": formatdate(NOW + 60)}, State.WARNING, "60 s ahead", id="60 s"),
        pytest.param({"Date": formatdate(NOW + 61)}, State.WRONG, "61 s ahead", id="61 s"),
        pytest.param({"Date": formatdate(NOW - 900), "Age": "900"}, State.OK, "", id="cached"),
        pytest.param({"Date": formatdate(NOW), "Age": "9" * 999}, State.WARNING, "", id="aeons"),
        pytest.param({"Date": "yesterday"}, State.WARNING, "does not say", id="no date"),
        pytest.param({}, State.WARNING, "does not say", id="nothing, as Keycloak by itself"),
    ],
)
def test_clocks_may_differ_by_half_of_what_the_hub_bears(
    headers: dict[str, str], state: State, says: str
) -> None:
    found = clock([(NOW, Answer(200, b"", headers))])
    assert (found.state, says in found.said) == (state, True)


def test_an_answer_from_a_cache_is_outweighed_by_a_fresh_one() -> None:
    old, new = ({"Date": formatdate(NOW - seconds)} for seconds in (900, 1))
    assert clock([(NOW, Answer(200, b"", h)) for h in (old, new)]).state is State.OK


def to(target: str) -> Answer:
    return Answer(302, b"", {"Location": target})


PAGE, REFUSED = Answer(200, b"<html>"), Answer(400, b"<html>")
TRIALS = {
    "Keycloak, oidc-provider: registered": (PAGE, REFUSED, State.OK, "is registered"),
    "a page elsewhere": (to("/interaction/1"), REFUSED, State.OK, "is registered"),
    "signed in already": (to(f"{URI}?code=1"), REFUSED, State.OK, "is registered"),
    "Keycloak: not registered": (REFUSED, REFUSED, State.WRONG, "does not know the client id"),
    "SATOSA: no such client": (
        to(f"{URI}?error=unauthorized_client"),
        to(f"{OTHER}?error=unauthorized_client"),
        State.WRONG,
        "unauthorized_client",
    ),
    "a scope too many": (to(f"{URI}?error=invalid_scope"), REFUSED, State.WRONG, "invalid_scope"),
    "a text of its own": (to(f"{URI}?error=y"), REFUSED, State.WRONG, "an error of its own"),
    "a pattern": (PAGE, PAGE, State.WARNING, "answers alike"),
    "an open door": (to(f"{URI}?code=1"), to(f"{OTHER}?code=1"), State.WARNING, "answers alike"),
    "out of order": (Answer(502, b""), REFUSED, State.WARNING, "cannot be tried"),
    "asked too often": (PAGE, Answer(429, b""), State.WARNING, "cannot be tried"),
}


@pytest.mark.parametrize(("ours", "other", "state", "says"), TRIALS.values(), ids=TRIALS.keys())
def test_a_redirect_address_is_judged_beside_one_that_nobody_registered(
    ours: Answer, other: Answer, state: State, says: str
) -> None:
    found = redirect_address(PROVIDER, URI, trial(ours, URI), trial(other, OTHER), False)
    assert (found.state, says in found.said) == (state, True)
    assert URI in found.said + found.mend


def test_with_a_secret_that_is_accepted_only_the_address_can_be_at_fault() -> None:
    found = redirect_address(PROVIDER, URI, trial(REFUSED, URI), trial(REFUSED, OTHER), True)
    assert "does not know this address" in found.said


ANSWERS = {
    "all of them: right": (400, b'{"error": "invalid_grant"}', State.OK),
    "Keycloak: a wrong secret": (401, b'{"error": "unauthorized_client"}', State.WRONG),
    "Keycloak: no such client": (401, b'{"error": "invalid_client"}', State.WRONG),
    "400 instead of 401": (400, b'{"error": "invalid_client"}', State.WRONG),
    "no code flow": (400, b'{"error": "unsupported_grant_type"}', State.WRONG),
    "a page": (401, b"<html>", State.WRONG),
    "another error": (400, b'{"error": "y"}', State.WARNING),
    "no text": (400, b'{"error": ["invalid_grant"]}', State.WARNING),
    "a list": (400, b"[" * 99_999, State.WARNING),
    "out of order": (503, b"", State.WARNING),
    "anything is a code": (200, b"{}", State.WRONG),
}


@pytest.mark.parametrize(("code", "body", "state"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_secret_is_judged_by_the_answer_to_a_code_that_is_none(
    code: int, body: bytes, state: State
) -> None:
    assert client_secret(PROVIDER, Answer(code, body)).state is state


def test_no_answer_about_a_secret_is_no_verdict() -> None:
    assert client_secret(PROVIDER, None).state is State.WARNING


async def test_what_takes_too_long_or_fails_is_a_finding_beside_the_others() -> None:
    async def slow() -> Findings:
        yield ok("one", "is well")
        await asyncio.sleep(60)

    async def broken() -> Findings:
        yield ok("one", "is well")
        raise RuntimeError("hidden")

    one, late = await examined(slow(), seconds=0.05)
    assert (one.state, late.state, late.what) == (State.OK, State.WRONG, "time")
    one, failed = await examined(broken())
    assert (failed.state, "hidden" in failed.said) == (State.WRONG, False)


async def test_a_thread_that_hangs_holds_up_nothing() -> None:
    release = threading.Event()

    async def hanging() -> Findings:
        await aside(release.wait)
        yield ok("never", "reached")

    (late,) = await examined(hanging(), seconds=0.05)
    release.set()
    assert late.what == "time"


@pytest.mark.parametrize(
    ("text", "as_shown"),
    [
        pytest.param("a\nb\tc", "a b c", id="lines"),
        pytest.param("\x1b[2J\u202ex", "?[2J?x", id="control"),
        pytest.param("x" * 700, "x" * 599 + "…", id="long"),
    ],
)
def test_what_others_sent_is_shown_on_one_line(text: str, as_shown: str) -> None:
    assert shown(text) == as_shown

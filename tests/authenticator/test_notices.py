"""When sessions end whose person has lost her right, and what she reads before."""

import pytest

from daas_authenticator.logins.notices import Grace, Reason, duration, notice, public_sentence

GRACE = Grace(blocked=900, refused=86_400)
NOON = 1_795_435_200


@pytest.mark.parametrize(
    ("reason", "since", "ends_at"),
    [
        pytest.param(Reason.BLOCKED, 0, NOON + 900, id="blocked, however long ago"),
        pytest.param(Reason.REFUSED, NOON, NOON + 86_400, id="refused just now"),
        pytest.param(Reason.REFUSED, NOON - 80_000, NOON + 6_400, id="refused this morning"),
        pytest.param(Reason.REFUSED, NOON - 86_400, NOON + 900, id="refused while no hub ran"),
    ],
)
def test_a_grace_begins_when_the_right_was_lost_but_nobody_is_cut_off_without_notice(
    reason: Reason, since: int, ends_at: int
) -> None:
    assert notice(reason, since, NOON, GRACE).ends_at == ends_at


def test_a_notice_says_until_when_and_what_to_do() -> None:
    blocked = notice(Reason.BLOCKED, 0, NOON, GRACE).sentence("the user office")
    assert "12:15 UTC" in blocked
    assert "Ask the user office." in blocked
    assert "Sign in again" in notice(Reason.REFUSED, NOON, NOON, GRACE).sentence("the user office")
    assert "no administrator or staff rights" in public_sentence(NOON)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (86_400, "24 hours"),
        (7_199, "1 hour"),
        (3_599, "59 minutes"),
        (60, "1 minute"),
        (59, "a moment"),
    ],
)
def test_a_duration_is_said_in_round_numbers_and_never_too_long(seconds: int, said: str) -> None:
    assert duration(seconds) == said

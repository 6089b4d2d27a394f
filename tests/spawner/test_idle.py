"""When a session that nobody uses ends: the rule, by tables, with a clock of its own."""

import pytest

from daas_spawner.idle import Idle, after_the_end, warning

HOUR = 3600.0
USED = 1_772_500_000.0

RESTS = {
    "in use": (0.0, None),
    "at rest for a while": (44 * 60.0, None),
    "from 15 minutes before the end": (45 * 60.0, USED + HOUR),
    "a minute before": (59 * 60.0, USED + HOUR),
}


@pytest.mark.parametrize(("rest", "ends_at"), RESTS.values(), ids=RESTS.keys())
def test_the_end_is_told_15_minutes_before(rest: float, ends_at: float | None) -> None:
    idle = Idle(used_at=USED, told_at=USED + 45 * 60 if rest > 45 * 60 else None)
    assert idle.ends_at(HOUR, 0, USED + rest) == ends_at


def test_use_takes_the_end_back() -> None:
    idle = Idle(used_at=USED)
    now = USED + 50 * 60
    assert idle.ends_at(HOUR, 0, now) == now + 15 * 60
    idle.note_use(now + 60, now + 60)
    assert idle.ends_at(HOUR, 0, now + 60) is None
    # The next warning is as long as the first.
    later = now + 60 + 46 * 60
    assert idle.ends_at(HOUR, 0, later) == later + 15 * 60


def test_a_hub_that_was_away_warns_before_it_ends_what_rested_for_long() -> None:
    idle = Idle()
    assert idle.ends_at(HOUR, USED, USED + 10 * HOUR) == USED + 10 * HOUR + 15 * 60


def test_the_hubs_own_figure_counts_only_until_the_session_has_spoken() -> None:
    idle = Idle()
    now = USED + 2 * HOUR
    assert idle.ends_at(HOUR, now - 60, now) is None
    idle.note_use(USED, now)
    assert idle.ends_at(HOUR, now - 60, now) is not None


def test_no_session_can_say_that_it_will_be_used() -> None:
    idle = Idle()
    idle.note_use(USED + 10 * HOUR, USED)
    assert idle.used_at == USED


def test_an_older_word_takes_nothing_back() -> None:
    idle = Idle()
    idle.note_use(USED, USED)
    idle.note_use(USED - HOUR, USED)
    assert idle.used_at == USED


def test_a_short_limit_still_warns() -> None:
    idle = Idle(used_at=USED)
    assert idle.ends_at(600, 0, USED + 200) is None
    assert idle.ends_at(600, 0, USED + 300) == USED + 600


def test_who_put_the_first_sentence_aside_reads_another_5_minutes_before() -> None:
    first, last = (warning("PyMca", USED + 900, USED + at) for at in (0, 600))
    assert first != last
    assert "unless you use it" in first
    assert "less than 5 minutes" in last
    assert warning("PyMca", USED + 900, USED + 899) == last


@pytest.mark.parametrize(("seconds", "words"), [(28800, "8 hours"), (3600, "60 minutes")])
def test_the_card_says_why_it_does_not_run(seconds: float, words: str) -> None:
    assert f"Nobody used it for {words}" in after_the_end(seconds)

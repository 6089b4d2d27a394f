"""Whose rights count, for how long, and by which provider."""

import time

import pytest

from daas_authenticator.rights.holders import Held, Holders
from daas_authenticator.rights.step_up import StepUp

NOON = 1_795_435_200
ALL = frozenset({"admin", "staff", "local-contact"})
MFA = StepUp(acr_values=("mfa",))


class Here:
    """Rights by two clocks that a test turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.ticks, self.public = float(NOON), 100.0, False
        monkeypatch.setattr(time, "monotonic", lambda: self.ticks)
        self.holders = Holders(lambda _: NOON if self.public else None, lambda: self.wall)
        self.holders.note("anna", Held("staff", ALL, MFA))

    def is_admin(self) -> bool:
        return "admin" in self.holders.effective("anna")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(monkeypatch)


def test_raised_for_a_time_and_then_told_once_that_it_is_over(here: Here) -> None:
    assert not here.is_admin()
    here.holders.raise_until("anna", NOON + 900)
    assert here.is_admin()
    assert here.holders.over() == ()
    here.wall += 900
    here.ticks += 900
    assert not here.is_admin()
    assert here.holders.over() == ("anna",)
    assert here.holders.over() == ()


@pytest.mark.parametrize(
    ("wall", "ticks"),
    [
        pytest.param(-3600, 901, id="the clock was set back"),
        pytest.param(901, 1, id="the machine slept"),
    ],
)
def test_no_clock_makes_it_longer(here: Here, wall: float, ticks: float) -> None:
    here.holders.raise_until("anna", NOON + 900)
    here.wall += wall
    here.ticks += ticks
    assert not here.is_admin()
    assert here.holders.over() == ("anna",)


def test_attack_31_what_one_provider_has_seen_raises_nobody_at_another(here: Here) -> None:
    here.holders.note("anna", Held("weak", frozenset({"staff"}), StepUp(acr_values=("password",))))
    here.holders.raise_until("anna", NOON + 900)
    assert "staff" in here.holders.effective("anna")
    here.holders.note("anna", Held("strong", ALL, MFA))
    assert here.holders.effective("anna") == {"local-contact"}
    assert here.holders.raised_until("anna") is None


def test_at_a_public_computer_nothing_counts_that_needs_a_second_factor(here: Here) -> None:
    here.holders.raise_until("anna", NOON + 900)
    here.public = True
    assert here.holders.effective("anna") == {"local-contact"}
    always = Held("staff", ALL, StepUp(rights_without_step_up=True))
    here.holders.note("anna", always)
    assert here.holders.effective("anna") == {"local-contact"}

"""Step-up: administrators and staff are such only with a second factor, just now (I10)."""

import math
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.rights.rules import RIGHTS
from daas_authenticator.rights.settings import RightsSettings
from daas_authenticator.rights.step_up import (
    NotRaised,
    Raised,
    StepUp,
    effective,
    parse_step_up,
    raised,
)

NOW = 1_800_000_000
MFA = "https://refeds.org/profile/mfa"
ASKED = StepUp(acr_values=(MFA, "gold"), raised_seconds=600)
TRUE: dict[str, Any] = {"acr": MFA, "auth_time": NOW - 10}

RAISED = {
    "just now": ({}, NOW + 590),
    "another acr that is good": ({"acr": "gold"}, NOW + 590),
    "an acr in a list of one": ({"acr": [MFA]}, NOW + 590),
    "five minutes ago": ({"auth_time": NOW - 300}, NOW + 300),
    "this second": ({"auth_time": NOW}, NOW + 600),
    "by a clock that is ahead": ({"auth_time": NOW + 60}, NOW + 600),
}


@pytest.mark.parametrize(("claims", "until"), RAISED.values(), ids=RAISED.keys())
def test_a_second_factor_raises_from_its_own_time(claims: dict[str, Any], until: int) -> None:
    assert raised({**TRUE, **claims}, ASKED, NOW + 0.9) == Raised(until)


REFUSED = {
    "no acr": ({"acr": None}, "acr is missing"),
    "another acr": ({"acr": "https://refeds.org/profile/sfa"}, "acr is missing or not one"),
    "an acr that begins so": ({"acr": f"{MFA}-not"}, "acr is missing or not one"),
    "an acr in capitals": ({"acr": MFA.upper()}, "acr is missing or not one"),
    "two acr": ({"acr": [MFA, "gold"]}, "acr is missing or not one"),
    "both in one text": ({"acr": f"{MFA} gold"}, "acr is missing or not one"),
    "an acr in a mapping": ({"acr": {MFA: True}}, "acr is missing or not one"),
    "an acr in a list in a list": ({"acr": [[MFA]]}, "acr is missing or not one"),
    "no auth_time": ({"auth_time": None}, "auth_time is missing"),
    "a fraction": ({"auth_time": NOW - 10.0}, "no whole number"),
    "not a number": ({"auth_time": math.nan}, "no whole number"),
    "digits": ({"auth_time": str(NOW - 10)}, "no whole number"),
    "true": ({"auth_time": True}, "no whole number"),
    "a list": ({"auth_time": [NOW - 10]}, "no whole number"),
    "five minutes and a second ago": ({"auth_time": NOW - 301}, "too long ago"),
    "the beginning of time": ({"auth_time": 0}, "too long ago"),
    "before it": ({"auth_time": -NOW}, "too long ago"),
    "too far ahead": ({"auth_time": NOW + 61}, "lies in the future"),
    "a number that no clock has": ({"auth_time": 10**400}, "lies in the future"),
    "milliseconds": ({"auth_time": NOW * 1000}, "lies in the future"),
}


@pytest.mark.parametrize(("claims", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_anything_less_does_not_raise_and_says_why(claims: dict[str, Any], why: str) -> None:
    answer = raised({**TRUE, **claims}, ASKED, NOW)
    assert isinstance(answer, NotRaised)
    assert why in answer.why


@pytest.mark.parametrize("step_up", [StepUp(), StepUp(rights_without_step_up=True)])
def test_nobody_is_raised_where_no_acr_is_asked_for(step_up: StepUp) -> None:
    for claims in (TRUE, {}, {"acr": ""}, {"acr": None}):
        assert isinstance(raised(claims, step_up, NOW), NotRaised)


ALWAYS = {"local-contact", "without-proposal"}
COUNT: dict[str, tuple[StepUp, float | None, set[str]]] = {
    "while raised": (ASKED, NOW + 1, set(RIGHTS)),
    "to the second": (ASKED, NOW, ALWAYS),
    "afterwards": (ASKED, NOW - 1, ALWAYS),
    "never raised": (ASKED, None, ALWAYS),
    "nothing set": (StepUp(), None, ALWAYS),
    "a trusted provider": (StepUp(rights_without_step_up=True), None, set(RIGHTS)),
}


@pytest.mark.parametrize(("step_up", "until", "expected"), COUNT.values(), ids=COUNT.keys())
def test_administrators_and_staff_are_such_only_while_raised(
    step_up: StepUp, until: float | None, expected: set[str]
) -> None:
    assert effective(frozenset(RIGHTS), step_up, until, NOW) == expected


def test_being_raised_gives_no_right() -> None:
    assert effective(frozenset(), ASKED, NOW + 1, NOW) == frozenset()


def test_the_setting_is_read_by_provider() -> None:
    entries = {
        "staff": {"acr_values": [MFA]},
        "sso": {"acr_values": ["a", "b"], "raised_seconds": 60},
        "demo": {"rights_without_step_up": True},
    }
    assert parse_step_up(entries) == {
        "staff": StepUp((MFA,), 900),
        "sso": StepUp(("a", "b"), 60),
        "demo": StepUp(rights_without_step_up=True),
    }
    settings = RightsSettings(step_up=entries)
    assert settings.step_up_of("sso").raised_seconds == 60
    assert settings.step_up_of("another") == StepUp()


WRONG: dict[str, tuple[object, str]] = {
    "no mapping": ([MFA], "must be a mapping"),
    "nothing": ({}, "either acr_values or rights_without_step_up"),
    "no acr": ({"acr_values": []}, "either acr_values or rights_without_step_up"),
    "both": (
        {"acr_values": [MFA], "rights_without_step_up": True},
        "either acr_values or rights_without_step_up",
    ),
    "one text": ({"acr_values": MFA}, "acr_values must be a list"),
    "a blank in it": ({"acr_values": [f"{MFA} gold"]}, "acr_values must be a list"),
    "an empty text": ({"acr_values": [""]}, "acr_values must be a list"),
    "a number": ({"acr_values": [1]}, "acr_values must be a list"),
    "longer than 15 minutes": (
        {"acr_values": [MFA], "raised_seconds": 901},
        "raised_seconds must be a whole number up to 900",
    ),
    "no time": ({"acr_values": [MFA], "raised_seconds": 0}, "raised_seconds must be"),
    "a fraction": ({"acr_values": [MFA], "raised_seconds": 60.5}, "raised_seconds must be"),
    "true": ({"acr_values": [MFA], "raised_seconds": True}, "raised_seconds must be"),
    "a word": ({"rights_without_step_up": "yes"}, "rights_without_step_up must be True"),
    "misspelt": ({"acr": [MFA]}, "there is no acr"),
}


@pytest.mark.parametrize(("entry", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_stops_the_start(entry: object, words: str) -> None:
    with pytest.raises(TraitError) as error:
        DaasAuthenticator(config=Config(DaasAuthenticator={"step_up": {"staff": entry}}))
    assert "DaasAuthenticator.step_up['staff']" in str(error.value)
    assert words in str(error.value)

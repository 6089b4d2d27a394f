"""LaunchRequest: the only reader of what the browser sent (D6, S5)."""

import re

import pytest

from daas_model.errors import AccountProblem, BadRequest
from daas_model.launch import LaunchRequest, display_name, require_one_proposal

GOOD = {"app": "pymca", "machine": "small", "proposals": ["2026-0142"]}

REFUSED = {
    "nothing at all": None,
    "a list": [],
    "an app that is missing": {"machine": "small", "proposals": []},
    "proposals that are missing": {"app": "pymca", "machine": "small"},
    "a path as proposal": {**GOOD, "proposals": ["../../etc"]},
    "an absolute path as proposal": {**GOOD, "proposals": ["/data"]},
    "a hidden name as proposal": {**GOOD, "proposals": [".."]},
    "a number as proposal": {**GOOD, "proposals": [142]},
    "proposals as one text": {**GOOD, "proposals": "2026-0142"},
    "the same proposal twice": {**GOOD, "proposals": ["a", "a"]},
    "a line break in the app": {**GOOD, "app": "pymca\n"},
    "markup in the machine": {**GOOD, "machine": "<script>"},
    "a smuggled UID": {**GOOD, "uid": 0},
    "a smuggled image": {**GOOD, "image": "evil"},
    "a very long app": {**GOOD, "app": "a" * 65},
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_a_launch_is_refused(options: object) -> None:
    with pytest.raises(BadRequest):
        LaunchRequest.parse(options)


def test_options_that_the_hub_kept_read_as_they_were_written() -> None:
    request = LaunchRequest.parse(GOOD)
    assert LaunchRequest.parse(request.as_options()) == request


NAMES = {
    ("pymca", ("2026-0142",)): "pymca-2026-0142",
    ("jupyterlab", ()): "jupyterlab",
}


@pytest.mark.parametrize(("asked", "name"), NAMES.items(), ids=NAMES.values())
def test_an_administrator_reads_app_and_proposal_in_the_session_name(
    asked: tuple[str, tuple[str, ...]], name: str
) -> None:
    assert LaunchRequest(asked[0], "small", asked[1]).server_name == name


NEARLY_THE_SAME = [
    ("a", ("b-c",)),
    ("a-b", ("c",)),
    ("a", ("b", "c")),
    ("a", ("B-C",)),
    ("a", ("b.c",)),
    ("a", ("b_c",)),
    ("1a", ()),
    ("s-1a", ()),
    ("pymca", ("a-very-long-proposal-number-1",)),
    ("pymca", ("a-very-long-proposal-number-2",)),
]


def test_different_requests_never_share_a_session() -> None:
    names = [LaunchRequest(app, "small", ids).server_name for app, ids in NEARLY_THE_SAME]
    assert len(set(names)) == len(names)


def test_every_session_name_is_one_that_the_hub_accepts() -> None:
    for app, ids in NEARLY_THE_SAME:
        name = LaunchRequest(app, "small", ids).server_name
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,29}", name), name
        assert not name.endswith("-")


def test_the_machine_does_not_make_a_second_session() -> None:
    small = LaunchRequest("pymca", "small", ("x",))
    large = LaunchRequest("pymca", "large", ("x",))
    assert small.server_name == large.server_name


def test_the_hub_shows_app_and_proposal() -> None:
    assert display_name("PyMca", ("2026-0142",)) == "PyMca · 2026-0142"


@pytest.mark.parametrize("proposals", [(), ("a", "b")], ids=["none", "two"])
def test_where_proposals_have_the_accounts_one_is_opened_and_the_reason_said(
    proposals: tuple[str, ...],
) -> None:
    require_one_proposal(("a",))
    with pytest.raises(AccountProblem, match="an account of its own here, so a session opens"):
        require_one_proposal(proposals)

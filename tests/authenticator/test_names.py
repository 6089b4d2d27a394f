"""Names: what fits is taken as it is, what does not fit is refused, nothing is bent."""

from typing import Any

import pytest

from daas_authenticator.names import group_names, local_name
from daas_model.errors import AccountProblem


@pytest.mark.parametrize(
    "value",
    ["alice", "a", "u2021-0042", "anna.lena_b", "x" * 32, pytest.param(["alice"], id="[1]")],
)
def test_a_local_name_is_taken_as_it_is(value: Any) -> None:
    name = local_name({"preferred_username": value}, "preferred_username")
    assert name == (value[0] if isinstance(value, list) else value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param(["alice", "bob"], id="two names"),
        pytest.param([], id="no names"),
        pytest.param([["alice"]], id="nested"),
        pytest.param(42, id="a number"),
        pytest.param("Alice", id="capital"),
        pytest.param("alice ", id="blank behind"),
        pytest.param("alice\n", id="line end behind"),
        pytest.param("1alice", id="digit first"),
        pytest.param("-alice", id="dash first"),
        pytest.param("x" * 33, id="too long"),
        pytest.param("../alice", id="path"),
        pytest.param("alice/bob", id="slash"),
        pytest.param("alice@uni.example", id="scope"),
        pytest.param("ålice", id="not ASCII"),
        pytest.param("аlice", id="Cyrillic letter"),
        pytest.param("alice:x", id="colon"),
        pytest.param("{username}", id="template"),
        pytest.param("root", id="root"),
        pytest.param("hub", id="hub"),
        pytest.param("services", id="services"),
    ],
)
def test_everything_else_is_refused(value: Any) -> None:
    with pytest.raises(AccountProblem):
        local_name({"preferred_username": value}, "preferred_username")


def test_a_site_may_compute_the_name() -> None:
    assert local_name({"mail": "alice@x"}, lambda claims: claims["mail"].split("@")[0]) == "alice"


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        pytest.param(["a", "b"], {"a", "b"}, id="list"),
        pytest.param("staff", {"staff"}, id="one text is one group"),
        pytest.param(None, set(), id="missing"),
        pytest.param({"a": 1}, set(), id="object"),
        pytest.param(["a", 1, "", None, "x" * 256], {"a"}, id="unreadable members"),
    ],
)
def test_groups_are_read_from_lists_and_texts(claim: Any, groups: set[str]) -> None:
    assert group_names(claim) == groups

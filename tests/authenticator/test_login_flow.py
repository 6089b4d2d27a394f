"""The waiting login: what the cookie carries, for how long, and where it may lead."""

import json
from dataclasses import asdict

import pytest

from daas_authenticator.login_flow import LIFETIME_SECONDS, LoginFlow, is_state, safe_path


def test_a_flow_comes_back_from_its_cookie_unchanged() -> None:
    flow = LoginFlow("/services/portal/")
    assert LoginFlow.from_cookie(flow.to_cookie().encode()) == flow
    assert is_state(flow.state)


def test_a_flow_is_forgotten_after_ten_minutes() -> None:
    old = asdict(LoginFlow())
    old["started"] -= LIFETIME_SECONDS
    assert LoginFlow.from_cookie(json.dumps(old).encode()) is None
    assert LoginFlow.from_cookie(None) is None


def test_two_flows_share_no_secret_and_repr_tells_none() -> None:
    one, two = LoginFlow(), LoginFlow()
    assert not {one.state, one.nonce, one.verifier} & {two.state, two.nonce, two.verifier}
    assert one.verifier not in repr(one)


@pytest.mark.parametrize(
    "path", ["/", "/services/portal/open?proposal=p1&app=pymca", "/hub/x#y", "/a//b", "/%2F%2Fx"]
)
def test_a_path_on_this_host_is_kept(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example",
        "/\\evil.example",
        "/a\\b",
        "/\t/evil.example",
        "/a\n",
        "/a b",
        "https://evil.example/",
        "javascript:alert(1)",
        "evil",
        "/" + "x" * 17000,
        "",
    ],
)
def test_what_a_browser_could_read_as_another_host_is_dropped(url: str) -> None:
    assert safe_path(url) == ""

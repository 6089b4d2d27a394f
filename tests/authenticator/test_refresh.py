"""A login that stands: renewed, kept through an outage, ended when the provider refuses it."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jupyterhub.spawner import SpawnException
from tornado.web import HTTPError

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.login_flow import LoginFlow
from daas_authenticator.providers import DEFAULT
from daas_model.errors import LoginFailed

from .conftest import CLIENT_ID, CLIENT_SECRET, LyingProvider

CALLBACK = "http://127.0.0.1/hub/oauth_callback"


@dataclass
class KeptUser:
    """What the hub keeps of somebody between two requests."""

    name: str
    auth_state: dict[str, Any] = field(default_factory=dict)
    groups: tuple[Any, ...] = ()
    roles: set[str] = field(default_factory=lambda: {"user"})

    def sync_groups(self, names: list[str]) -> None:
        assert names == []

    def sync_roles(self, roles: list[dict[str, Any]]) -> None:
        self.roles = {role["name"] for role in roles}

    async def get_auth_state(self) -> dict[str, Any]:
        return self.auth_state

    async def save_auth_state(self, auth_state: dict[str, Any] | None) -> None:
        self.auth_state = auth_state or {}


@pytest.fixture
def authenticator(provider: LyingProvider, tmp_path: Path) -> DaasAuthenticator:
    return DaasAuthenticator(
        people_database=f"sqlite:///{tmp_path}/people.sqlite",
        issuer=provider.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        oauth_callback_url=CALLBACK,
        enable_auth_state=True,
        manage_groups=True,
        allow_all=True,
        rights=[{"right": "admin", "provider": "default", "claim": "groups", "value": "staff"}],
        step_up={"default": {"rights_without_step_up": True}},
    )


async def sign_in(
    authenticator: DaasAuthenticator, provider: LyingProvider, way: str = DEFAULT
) -> KeptUser:
    flow = LoginFlow(provider=way)
    url = await authenticator.authorization_url(flow)
    query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
    answer = parse_qs(urlsplit(provider.authorize(query)).query)
    model = await authenticator.authenticate(None, {"code": answer["code"][0], "flow": flow})
    return KeptUser(model["name"], model["auth_state"])


def role_names(model: dict[str, Any]) -> set[str]:
    return {role["name"] for role in model["roles"]}


async def test_only_the_needed_is_kept(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    assert set(user.auth_state) == {
        "provider", "issuer", "sub", "nonce", "confirmed_at",
        "access_token", "refresh_token", "id_token", "scope", "sid",
    }  # fmt: skip


async def test_a_good_token_brings_the_groups_of_today(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.person["groups"] = ["staff"]
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert (model["groups"], role_names(model)) == (["staff"], {"user", "daas-administrator"})
    provider.person["groups"] = []
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert (model["groups"], role_names(model)) == ([], {"user"})
    assert model["admin"] is False


async def test_an_expired_access_token_is_renewed(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.expired = {user.auth_state["access_token"]}
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert model["auth_state"]["access_token"] not in provider.expired
    assert model["auth_state"]["refresh_token"] in provider.refresh_tokens


async def test_renewed_tokens_are_kept_when_the_provider_falls_silent_after_them(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.expired = {user.auth_state["access_token"]}
    provider.status = {"userinfo": 503}
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert model["groups"] is None
    assert model["auth_state"]["refresh_token"] in provider.refresh_tokens


async def test_renewed_tokens_of_somebody_else_end_the_login(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.expired = {user.auth_state["access_token"]}
    provider.token_claims = {"sub": "b2"}
    assert await authenticator.refresh_user(user) is False


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_provider_that_is_down_keeps_the_login(
    authenticator: DaasAuthenticator, provider: LyingProvider, status: int
) -> None:
    user = await sign_in(authenticator, provider)
    provider.status = {"userinfo": status}
    assert await authenticator.refresh_user(user) is True
    authenticator.pre_spawn_start(user, None)


async def test_the_grace_for_a_silent_provider_is_limited(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.status = {"userinfo": 503}
    user.auth_state["confirmed_at"] -= authenticator.grace_seconds + 1
    assert await authenticator.refresh_user(user) is False
    with pytest.raises(SpawnException):
        authenticator.pre_spawn_start(user, None)


async def test_a_login_whose_grace_was_over_stands_again_when_the_provider_confirms_it(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.status = {"userinfo": 503}
    user.auth_state["confirmed_at"] = 0
    await authenticator.refresh_user(user)
    provider.status = {}
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert model["auth_state"]["confirmed_at"] > 0
    authenticator.pre_spawn_start(user, None)


async def test_renewed_tokens_do_not_lengthen_the_grace(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.expired = {user.auth_state["access_token"]}
    provider.status = {"userinfo": 503}
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert model["auth_state"]["confirmed_at"] == user.auth_state["confirmed_at"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"userinfo": b"<html>Maintenance</html>"}, id="no JSON"),
        pytest.param({"userinfo": b"[]"}, id="no object"),
    ],
)
async def test_garbage_at_a_refresh_is_an_outage(
    authenticator: DaasAuthenticator, provider: LyingProvider, answer: dict[str, bytes | None]
) -> None:
    user = await sign_in(authenticator, provider)
    provider.raw = answer
    assert await authenticator.refresh_user(user) is True


async def test_an_ended_login_is_not_revived_and_its_name_stays_hers(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.status = {"userinfo": 401, "token": 400}
    assert await authenticator.refresh_user(user) is False
    provider.status = {}
    assert await authenticator.refresh_user(user) is False
    assert user.auth_state.pop("ended_at") == pytest.approx(time.time(), abs=60)
    assert user.auth_state == {"provider": "default", "issuer": provider.issuer, "sub": "a1"}


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"iss": "https://evil.example"}, id="another iss"),
        pytest.param({"aud": "another"}, id="another aud"),
        pytest.param({"azp": "another"}, id="another azp"),
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"iat": 4_000_000_000}, id="from the future"),
        pytest.param({"nonce": "of another login"}, id="another nonce"),
        pytest.param({"sub": "b2"}, id="another sub"),
    ],
)
async def test_a_renewed_token_is_checked_like_the_first(
    authenticator: DaasAuthenticator, provider: LyingProvider, lie: dict[str, Any]
) -> None:
    user = await sign_in(authenticator, provider)
    provider.expired = {user.auth_state["access_token"]}
    provider.token_claims = lie
    assert await authenticator.refresh_user(user) is False
    assert "access_token" not in user.auth_state


async def test_a_login_by_a_way_that_was_switched_off_ends(
    provider: LyingProvider, tmp_path: Path
) -> None:
    one = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    user = KeptUser("alice", {"provider": "one", "issuer": provider.issuer, "sub": "a1",
                              "access_token": "x"})  # fmt: skip
    off = DaasAuthenticator(
        providers={"one": {**one, "enabled": False}},
        people_database=f"sqlite:///{tmp_path}/people.sqlite",
        enable_auth_state=True,
        allow_all=True,
    )
    assert await off.refresh_user(user) is False
    assert provider.asked == []


async def test_claims_may_come_from_the_id_token_alone(
    provider: LyingProvider, tmp_path: Path
) -> None:
    values = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    authenticator = DaasAuthenticator(
        providers={"one": {**values, "claims_from": "id_token", "groups_claim": "groups"}},
        people_database=f"sqlite:///{tmp_path}/people.sqlite",
        oauth_callback_url=CALLBACK,
        enable_auth_state=True,
        manage_groups=True,
        allow_all=True,
    )
    provider.metadata = {"userinfo_endpoint": None}
    provider.token_claims = {"preferred_username": "alice", "groups": ["p1"]}
    user = await sign_in(authenticator, provider, "one")
    assert user.name == "alice"
    provider.token_claims["groups"] = ["p2"]
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert model["groups"] == ["p2"]
    assert "userinfo" not in provider.asked


async def test_a_refusal_ends_the_login_and_nothing_new_starts(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.status = {"userinfo": 401, "token": 400}
    assert await authenticator.refresh_user(user) is False
    with pytest.raises(SpawnException, match="login has ended"):
        authenticator.pre_spawn_start(user, None)
    provider.status = {}
    await sign_in(authenticator, provider)
    authenticator.pre_spawn_start(user, None)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sub": "b2"}, id="another sub"),
        pytest.param({"sub": "b2", "preferred_username": "bob"}, id="another person"),
    ],
)
async def test_an_answer_for_somebody_else_ends_the_login(
    authenticator: DaasAuthenticator, provider: LyingProvider, change: dict[str, str]
) -> None:
    user = await sign_in(authenticator, provider)
    provider.person.update(change)
    assert await authenticator.refresh_user(user) is False


async def test_an_old_answer_says_nothing_of_a_new_login(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.status = {"userinfo": 401, "token": 400}
    provider.asked.clear()
    slow = asyncio.ensure_future(authenticator.refresh_user(user))
    while not provider.asked:
        await asyncio.sleep(0)
    authenticator.renewals.stands_again("alice")  # as a login does
    assert await slow is True
    assert user.auth_state["access_token"]
    authenticator.pre_spawn_start(user, None)


async def test_who_unlinked_the_identity_that_was_used_last_signs_in_anew(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    authenticator.people.store.link("alice", provider.issuer, "a2", by="alice")
    authenticator.people.store.unlink("alice", provider.issuer, "a1")
    assert await authenticator.refresh_user(user) is False
    # Nobody has refused her: the sweep ends nothing.
    assert "ended_at" not in user.auth_state


async def test_a_new_name_at_the_provider_changes_nothing_here(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.person["preferred_username"] = "bob"
    model = await authenticator.refresh_user(user)
    assert isinstance(model, dict)
    assert model["name"] == "alice"
    assert (await sign_in(authenticator, provider)).name == "alice"


async def test_somebody_blocked_meanwhile_gets_no_answer(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    authenticator.blocked_users = {"alice"}
    with pytest.raises(HTTPError) as refusal:
        await authenticator.refresh_user(user)
    assert "your facility's user office" in refusal.value.jupyterhub_message  # type: ignore[attr-defined]


async def test_requests_at_the_same_time_refresh_once(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    user = await sign_in(authenticator, provider)
    provider.asked.clear()
    await asyncio.gather(*(authenticator.refresh_user(user) for _ in range(5)))
    assert provider.asked == ["userinfo"]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({}, id="nothing kept"),
        pytest.param(
            {"issuer": "https://other.example", "sub": "a1", "access_token": "x"}, id="other issuer"
        ),
    ],
)
async def test_a_login_that_was_not_kept_asks_to_sign_in(
    authenticator: DaasAuthenticator, state: dict[str, str]
) -> None:
    assert await authenticator.refresh_user(KeptUser("alice", state)) is False


@pytest.mark.parametrize("given", [None, "https://evil.example"])
async def test_an_answer_must_name_our_provider_when_it_promises_to(
    authenticator: DaasAuthenticator, provider: LyingProvider, given: str | None
) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    with pytest.raises(LoginFailed):
        await authenticator.check_answer(LoginFlow(), given)
    await authenticator.check_answer(LoginFlow(), provider.issuer)


async def test_an_old_provider_need_not_name_itself(
    authenticator: DaasAuthenticator, provider: LyingProvider
) -> None:
    await authenticator.check_answer(LoginFlow(), None)
    with pytest.raises(LoginFailed):
        await authenticator.check_answer(LoginFlow(), "https://evil.example")

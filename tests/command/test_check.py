"""`daas check`: what is wrong is named with what mends it, whatever a provider answers."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from daas_authenticator.database.engine import Database
from daas_authenticator.database.tables import VERSION_TABLE
from daas_authenticator.links.store import LinkStore
from tests.authenticator.conftest import CLIENT_ID, KEY, LyingProvider, serving
from tests.conftest import Demo, free_port, short_folder

from .checking import REPOSITORY, Checked, make_well

DISCOVERY = ".well-known/openid-configuration"
#: What a provider that is set up well publishes.
GOOD: dict[str, Any] = {
    "code_challenge_methods_supported": ["S256"],
    "backchannel_logout_supported": True,
    "end_session_endpoint": "https://sso.facility.example/logout",
    "scopes_supported": ["openid", "profile"],
}


@pytest.fixture
async def provider() -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(free_port(), metadata=dict(GOOD))) as lying:
        yield lying


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as place:
        yield place


@pytest.fixture
def daas(
    folder: Path,
    provider: LyingProvider,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Checked:
    make_well(folder, provider.issuer, monkeypatch)
    return Checked(folder, capsys)


def line_of(told: str, words: str) -> str:
    """Return the one line with *words*."""
    (found,) = [line for line in told.splitlines() if words in line]
    return found


async def test_a_facility_that_is_well_gets_no_wrong_and_exit_code_0(daas: Checked) -> None:
    told = await daas()
    assert "wrong  " not in told
    for words in ("discovery document", "keys", "client secret", "clock", "sandbox", "folders"):
        assert line_of(told, f"  {words}: ").startswith("  ok ")
    assert "http://127.0.0.1:8000/hub/oidc/staff/callback" in told
    assert "http://127.0.0.1:8000/hub/oidc/staff/backchannel" in told
    assert not (daas.folder / "people.sqlite").exists()


async def test_quiet_leaves_out_what_is_well(daas: Checked) -> None:
    told = await daas("--quiet")
    assert "  ok " not in told
    assert "Catalogue" not in told
    assert "0 wrong" in told


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"metadata": {"issuer": "https://x"}}, "document: its issuer is not"),
    "no JSON": ({"raw": {DISCOVERY: b"<html>"}}, "document: the answer is no JSON"),
    "brackets without end": ({"raw": {DISCOVERY: b"[" * 99_999}}, "document: the answer is no"),
    "huge": ({"raw": {DISCOVERY: b"x" * 600_000}}, "document: more than 512 KiB"),
    "nothing": ({"status": {DISCOVERY: 404}}, "document: there is nothing (HTTP 404)"),
    "a redirect": ({"redirects": {DISCOVERY: "https://x/"}}, "document: is a redirect (HTTP 302)"),
    "out of order": ({"status": {DISCOVERY: 503}}, "document: HTTP 503"),
    "plain http": (
        {"metadata": {"token_endpoint": "http://sso.facility.example/token"}},
        "document: its token_endpoint is missing or is not https",
    ),
    "only our own secret signs": (
        {"metadata": {"id_token_signing_alg_values_supported": ["HS256"]}},
        "document: it signs with no algorithm",
    ),
    "plain PKCE": (
        {"metadata": {"code_challenge_methods_supported": ["plain"]}},
        "document: it offers PKCE without S256",
    ),
    "no keys": ({"raw": {"jwks": b'{"keys": []}'}}, "keys: no keys"),
    "keys that are none": ({"raw": {"jwks": b'{"keys": {"a": 1}}'}}, "keys: no keys"),
    "a wrong secret": ({"status": {"token": 401}}, "client secret: is not accepted"),
    "anything is a code": (
        {"raw": {"token": b'{"access_token": "x", "token_type": "bearer"}'}},
        "client secret: a code that is none was accepted",
    ),
    "no such client": ({"status": {"authorize": 400}}, "redirect address: the provider does not"),
}


@pytest.mark.parametrize(("lie", "says"), LIES.values(), ids=LIES.keys())
async def test_what_is_wrong_with_a_provider_is_named_and_mended(
    daas: Checked, provider: LyingProvider, lie: dict[str, Any], says: str
) -> None:
    for name, value in lie.items():
        getattr(provider, name).update(value)
    found = line_of(await daas(code=1), says)
    assert found.startswith("  wrong ")
    assert " → " in found


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "no end of a login": ({"metadata": {"end_session_endpoint": None}}, "sign-out there"),
    "control signs": ({"metadata": {"end_session_endpoint": "\x1b[2J"}}, "sign-out there"),
    "no notice": ({"metadata": {"backchannel_logout_supported": "yes"}}, "notice of ended"),
    "no PKCE": ({"metadata": {"code_challenge_methods_supported": None}}, "PKCE: is not"),
    "fewer scopes": ({"metadata": {"scopes_supported": ["openid"]}}, "scopes: profile not"),
    "any address": ({}, "redirect address: the provider answers alike"),
    "an odd token answer": ({"raw": {"token": b"\x1b[2J"}}, "client secret: a code"),
    "login page broken": ({"status": {"authorize": 500}}, "redirect address: cannot be tried"),
    "a redirect to nowhere": ({"redirects": {"authorize": "http://[::/?code"}}, "redirect address"),
}


@pytest.mark.parametrize(("lie", "says"), ODD.values(), ids=ODD.keys())
async def test_what_is_odd_about_a_provider_is_a_sentence(
    daas: Checked, provider: LyingProvider, lie: dict[str, Any], says: str
) -> None:
    for name, value in lie.items():
        getattr(provider, name).update(value)
    code = 1 if "token" in lie.get("raw", {}) else 0
    assert " → " in line_of(await daas(code=code), says)


async def test_a_provider_that_is_away_or_silent_holds_nobody_up(daas: Checked) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        daas.spoil(
            f"""
c.DaasAuthenticator.providers = {{
    "silent": {{"issuer": "http://127.0.0.1:{silent.getsockname()[1]}", "client_id": "x",
        "client_secret": "x1"}},
    "away": {{"issuer": "http://127.0.0.1:{free_port()}", "client_id": "x", "client_secret": "x2"}},
    "off": {{"issuer": "http://127.0.0.1:1", "client_id": "x", "enabled": False}},
}}"""
        )
        told = await daas(code=1)
    assert "discovery document: no answer in time" in told
    assert "discovery document: nobody answers there" in told
    assert "provider: is switched off" in told
    assert "Provider staff" not in told


SPOILT = {
    "no address": ("c.JupyterHub.public_url = ''", "public address: is not set"),
    "plain http": ("c.JupyterHub.public_url = 'http://x.example/'", "x.example/ is not https"),
    "a typing error": (
        "c.DaasAuthenticator.isuer = 'https://x'",
        "isuer: there is no such setting. → Did you mean DaasAuthenticator.issuer",
    ),
    "no folder for the audit": (
        "c.DaasAuthenticator.audit_file = '/nowhere/audit.jsonl'",
        "audit_file: /nowhere/audit.jsonl cannot be written",
    ),
    "no folder for the database": (
        "c.DaasAuthenticator.people_database = 'sqlite:////nowhere/people.sqlite'",
        "people_database: its folder /nowhere is missing",
    ),
    "a database that is away": (
        "c.DaasAuthenticator.people_database = 'postgresql+psycopg://x:y@127.0.0.1:1/daas'",
        "people_database: The list of accounts cannot be read",
    ),
    "a database that nobody knows": (
        "c.DaasAuthenticator.people_database = 'oracular://x:hidden-word@127.0.0.1/daas'",
        "people_database: there is no driver for it",
    ),
    "no such connector": ("c.Facility.catalogue_name = 'x'", "no connector named 'x'"),
    "no apps": ("c.Facility.apps_folder = '/nowhere'", "There is no app in /nowhere"),
    "no proposals": ("c.FilesCatalogue.folder = '/nowhere'", "list of proposals cannot be read"),
    "no root": ("c.StorageLayout.roots = ['/nowhere']", "/nowhere is not a folder"),
    "a wrong brace": ("c.StorageLayout.raw = '/{visit}'", "cannot be filled in"),
    "no environment": ("c.DaasSpawner.session_environment = '/nowhere'", "has no python, daas-"),
    "no run folder": ("c.DaasSpawner.run_folder = ''", "run_folder: is not set"),
    "a short path": ("c.DaasSpawner.session_environment = '.'", "environment: is not set, or no"),
    "a long path": (f"c.DaasSpawner.run_folder = '/{'x' * 99}'", "too long, or not in small"),
    "no proxy": ("c.ConfigurableHTTPProxy.command = ['/nowhere']", "proxy: /nowhere is not there"),
    "no accounts": ("c.DaasAuthenticator.directory_folder = '/nowhere'", "directory files: The"),
}


@pytest.mark.parametrize(("line", "says"), SPOILT.values(), ids=SPOILT.keys())
async def test_what_is_wrong_with_a_setting_is_named_and_mended(
    daas: Checked, line: str, says: str
) -> None:
    daas.spoil(line)
    found = line_of(await daas(code=1), says)
    assert found.startswith("  wrong ")
    assert " → " in found


async def test_the_charts_own_run_folder_is_open_to_nobody_else(
    daas: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    (daas.folder / "run").chmod(0o777)
    assert "is open to others of this machine" in await daas()
    monkeypatch.setenv("DAAS_VALUES", "/etc/daas/values")
    assert "is open to others of this machine" not in await daas()


async def test_a_pod_has_no_users_for_nss_to_find(
    daas: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    daas.spoil("c.DaasAuthenticator.account_source = 'nss'")
    daas.spoil("c.DaasAuthenticator.min_uid = 2147483000  # nobody's here")
    assert "directory nss: answers" in await daas()
    monkeypatch.setenv("DAAS_VALUES", "/etc/daas/values")
    found = line_of(await daas(code=1), "nss asks the hub's own pod")
    assert "Set account_source" in found


@pytest.mark.parametrize("key", ["", "hidden-key", "x" * 43])
async def test_a_key_that_is_none_is_named_and_not_shown(
    daas: Checked, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    daas.hidden += [key] if key else []
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", key)
    assert "openssl rand -hex 32" in line_of(await daas(code=1), "JUPYTERHUB_CRYPT_KEY")


async def test_a_proposal_file_and_a_folder_that_are_missing_are_named(daas: Checked) -> None:
    (daas.folder / "proposals" / "bad.yaml").write_text("id: [")
    (daas.folder / "data" / "2026-0142").rmdir()
    told = await daas(code=1)
    assert line_of(told, "bad.yaml").startswith("  wrong ")
    assert line_of(told, "data/2026-0142").startswith("  warning ")


async def test_a_missing_program_is_named(daas: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "make packages" in line_of(await daas(code=1), "bwrap, setpriv, Xtigervnc")


async def test_the_peoples_database_is_looked_at_and_not_touched(daas: Checked) -> None:
    file = daas.folder / "people.sqlite"
    database = Database(f"sqlite:///{file}")
    database.migrate()
    LinkStore(database).take("pi", "https://sso.facility.example", "p1")
    LinkStore(database).block("co", int(time.time()), "left")
    before = file.read_bytes()
    assert "pi is known, with 1 linked" in await daas("--name", "pi")
    assert "daas people unblock co" in line_of(await daas("--name", "co", code=1), "co is blocked")
    assert file.read_bytes() == before
    with database.transaction() as connection:
        connection.exec_driver_sql(f"update {VERSION_TABLE} set version_num = '9999'")
    assert "newer version" in line_of(await daas(code=1), "people_database: was written")


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        pytest.param(("--name", "pi"), "account: pi, home /home/pi, groups pi, sci", 0, id="hers"),
        pytest.param(
            ("--name", "pi", "--proposal", "2026-0142"), "pi may open 2026-0142", 0, id="may open"
        ),
        pytest.param(
            ("--name", "pi", "--proposal", "2026-9"), "no such proposal", 1, id="may not open"
        ),
        pytest.param(("--name", "nemo"), "no account called nemo", 1, id="no account"),
        pytest.param(("--name", "root"), "root cannot be a name here", 1, id="reserved"),
        pytest.param(("--name", "a\x1bb"), "a?b cannot be a name here", 1, id="control sign"),
    ],
)
async def test_a_name_is_looked_up_as_at_a_start(
    daas: Checked, arguments: tuple[str, ...], says: str, code: int
) -> None:
    told = await daas(*arguments, code=code)
    assert says in told
    assert "20001" not in told


@pytest.mark.parametrize(
    ("line", "arguments", "says"),
    [
        pytest.param(
            "c.DaasAuthenticator.account_source = 'claims'; c.ClaimAccounts.issuer = 'https://x'",
            (),
            "https://x is no provider here",
            id="claims of nobody",
        ),
        pytest.param(
            "c.DaasAuthenticator.account_source = 'claims'; "
            "c.ClaimAccounts.issuer = c.DaasAuthenticator.providers['staff']['issuer']",
            ("--name", "pi"),
            "claims cannot be asked without her login",
            id="claims",
        ),
        pytest.param(
            "c.DaasAuthenticator.account_source = 'proposals'; "
            "c.ProposalAccounts.directory = 'files'",
            ("--name", "pi"),
            "Add --proposal ID",
            id="proposals",
        ),
    ],
)
async def test_sources_that_need_more_say_so(
    daas: Checked, line: str, arguments: tuple[str, ...], says: str
) -> None:
    daas.spoil(line)
    assert says in await daas(
        *arguments, code=1 if "nobody" in says or "no provider" in says else 0
    )


def token(
    provider: LyingProvider, key: RSAKey | OctKey = KEY, alg: str = "RS256", **more: Any
) -> str:
    now = int(time.time())
    claims = {"iss": provider.issuer, "aud": CLIENT_ID, "sub": "a1", "email": "alice@home.example"}
    claims |= {"iat": now, "exp": now + 300, "preferred_username": "alice", "groups": ["users"]}
    header = {"alg": alg, "kid": "first"}
    return jwt.encode(header, {**claims, **more}, key, algorithms=[alg])


async def test_a_sample_token_says_what_the_hub_would_make_of_it(
    daas: Checked, provider: LyingProvider
) -> None:
    made = int(time.time()) - 9000
    sample = token(provider, iat=made, exp=made + 300, acr="gold", auth_time=made)
    daas.hidden += [sample, sample.split(".")[2], "alice@home.example"]
    file = daas.folder / "sample"
    file.write_text(sample + "\n")
    told = await daas("--token", str(file))
    assert "she would come in as alice" in told
    assert "groups: users" in told
    assert "it has expired, which a sample may" in told
    assert f"acr gold, auth_time {made}" in told
    file.write_text(json.dumps({"access_token": "hidden-access", "id_token": sample}))
    daas.hidden.append("hidden-access")
    assert "she would come in as alice" in await daas("--token", str(file))


STRANGER = RSAKey.generate_key(2048, {"kid": "first"})
BAD_SAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "another client's": ({"aud": "other"}, "aud does not name us"),
    "another provider's": ({"iss": "https://x.example"}, "iss is not our provider"),
    "another key's": ({"key": STRANGER}, "no key fits"),
    "by our own secret": (
        {"key": OctKey.import_key(b"x" * 32), "alg": "HS256"},
        "its algorithm is not allowed",
    ),
    "a name that is none": ({"preferred_username": "Alice \x1b"}, "she|ID token names no account"),
    "from the future": ({"iat": 4e9, "exp": 5e9}, "from the future"),
    "no subject": ({"sub": 5}, "sub is missing"),
}


@pytest.mark.parametrize(("made", "says"), BAD_SAMPLES.values(), ids=BAD_SAMPLES.keys())
async def test_a_sample_that_the_hub_would_refuse_says_why(
    daas: Checked, provider: LyingProvider, made: dict[str, Any], says: str
) -> None:
    (daas.folder / "sample").write_text(token(provider, **made))
    code = 0 if "names no" in says else 1
    told = await daas("--token", str(daas.folder / "sample"), code=code)
    assert any(words in told for words in says.split("|"))


async def test_userinfo_is_taken_as_it_is(daas: Checked) -> None:
    claims = {"sub": "a1", "preferred_username": ["alice"], "email": "alice@home.example"}
    (daas.folder / "sample").write_text(json.dumps(claims))
    daas.hidden.append("alice@home.example")
    told = await daas("--token", str(daas.folder / "sample"))
    assert "userinfo has none" in told
    assert "she would come in as alice" in told
    (daas.folder / "sample").write_text('{"sub": "a1", "preferred_username": "root"}')
    assert "reserved" in await daas("--token", str(daas.folder / "sample"), code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("--provider", "nobody"), "There is no provider 'nobody'", id="no provider"),
        pytest.param(("--token", "/nowhere"), "cannot be read", id="no file"),
        pytest.param(("--token", "config.py"), "neither an ID token nor", id="no token"),
        pytest.param(("--tokens=x",), "unrecognized", id="no such option"),
    ],
)
async def test_a_command_line_that_cannot_be_understood_is_exit_code_2(
    daas: Checked, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(daas.folder)
    assert says in await daas(*arguments, code=2)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("import nowhere", "ModuleNotFoundError", id="fails"),
        pytest.param(
            "c.DaasAuthenticator.issuer = 'http://x.example'", "issuer must be", id="http"
        ),
        pytest.param(
            "c.JupyterHub.base_url = '/a/'; c.JupyterHub.public_url = 'https://x.example/b/'",
            "must include base_url",
            id="the hub's own",
        ),
        pytest.param("c.DaasAuthenticator.grace_seconds = 'x'", "grace_seconds", id="a type"),
        pytest.param("c.DaasAuthenticator.client_secret = 8675309", "client_secret", id="a secret"),
        pytest.param(
            "c.DaasAuthenticator.people_database = '8675309'", "no address of a", id="no address"
        ),
    ],
)
async def test_a_configuration_that_cannot_be_understood_is_exit_code_2(
    daas: Checked, line: str, says: str
) -> None:
    daas.spoil(line)
    daas.hidden.append("8675309")
    assert says in await daas(code=2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as another user")
async def test_root_examines_with_the_rights_of_the_hubs_user(daas: Checked) -> None:
    Database(f"sqlite:///{daas.folder}/people.sqlite").migrate()
    hub = 61234
    for place in (daas.folder, daas.folder / "people.sqlite", daas.folder / "run"):
        os.chown(place, hub, hub)
    (daas.folder / "audit.jsonl").touch(0o600)
    command = [sys.executable, "-m", "daas_command", "--config", str(daas.folder / "config.py")]
    done = await asyncio.to_thread(
        subprocess.run, [*command, "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "audit.jsonl cannot be written" in done.stdout
    assert "people_database: answers, is of this version and can be written" in done.stdout
    assert "DaasSpawner.run_folder: /tmp" in done.stdout


async def test_a_look_up_that_hangs_does_not_keep_the_command(daas: Checked) -> None:
    (daas.folder / "passwd").unlink()
    os.mkfifo(daas.folder / "passwd")
    daas.spoil("c.DaasAuthenticator.lookup_timeout_seconds = 0.2")
    command = [sys.executable, "-m", "daas_command", "--config", str(daas.folder / "config.py")]
    done = await asyncio.to_thread(
        subprocess.run, [*command, "check"], capture_output=True, text=True, timeout=15, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "directory files: The facility's directory of accounts does not answer" in done.stdout
    assert "sandbox: a program starts" in done.stdout


async def test_a_sample_of_a_provider_for_linking_only_says_so(daas: Checked) -> None:
    daas.spoil("c.DaasAuthenticator.providers['staff']['link_only'] = True")
    (daas.folder / "sample").write_text('{"sub": "a1"}')
    assert "signs nobody in" in await daas("--token", str(daas.folder / "sample"), code=1)


def test_a_running_demo_is_well(demo: Demo) -> None:
    launcher = demo.launchers[0].pid
    (hub,) = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    variables = Path(f"/proc/{hub}/environ").read_text().rstrip("\0").split("\0")
    environment = dict(variable.split("=", 1) for variable in variables)
    command = [sys.executable, "-m", "daas_command", "--config", "jupyterhub_config.py", "check"]
    done = subprocess.run(
        [*command, "--name", "pi", "--proposal", "2026-0142"],
        cwd=REPOSITORY,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "redirect address: is registered" in done.stdout
    assert "pi may open 2026-0142" in done.stdout
    assert environment["DAAS_DEMO_CLIENT_SECRET"] not in done.stdout

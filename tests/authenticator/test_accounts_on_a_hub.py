"""Accounts on a real hub with real sessions: the right numbers inside, and none of them kept."""

import asyncio
import ctypes.util
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import short_folder
from tests.visitor import Visitor

from .account_hub import (
    BEAMLINE,
    GID,
    PROPOSAL,
    PROPOSAL_GID,
    SESSION,
    UID,
    AccountHub,
    Inside,
    ready,
    saved,
)
from .conftest import LyingProvider
from .slapd import BASE, READER, Slapd, group, person

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.geteuid() != 0, reason="another user id needs root"),
]


@pytest.fixture
def hub(short_path: Path) -> Iterator[AccountHub]:
    hub = AccountHub(short_path)
    yield hub
    hub.end()


@pytest.fixture
def slapd() -> Iterator[Slapd]:
    with short_folder() as folder:
        server = Slapd(folder)
        yield server
        server.stop()


async def opened(hub: AccountHub, visitor: Visitor, app: str = "jupyterlab") -> Inside:
    """Open the proposal, and return the session's own server as a process."""
    session, program = f"{app}-{PROPOSAL}", "daas-"
    answer = await visitor.portal("open", app=app, proposal=PROPOSAL)
    assert answer.status == 200, answer.text
    await ready(visitor, session)
    # the first: what it starts has its name for a moment
    return min(hub.processes_of(visitor.who, session, program), key=lambda inside: inside.pid)


async def nothing_is_kept(hub: AccountHub) -> None:
    kept = await hub.what_is_kept()
    assert 'INSERT INTO "spawners"' in kept
    assert SESSION in kept
    assert '"access_token"' in kept  # so what was encrypted is read too
    for secret in (str(UID), str(GID), str(PROPOSAL_GID), "/homes/", "uidNumber"):
        assert secret not in kept, secret


async def test_from_the_system_directory_and_none_of_it_is_kept(hub: AccountHub) -> None:
    if ctypes.util.find_library("nss_wrapper") is None:
        pytest.skip("libnss-wrapper is not installed")
    passwd, groups = hub.folder / "passwd", hub.folder / "group"
    passwd.write_text(
        f"root:x:0:0:root:/root:/bin/sh\npi:x:{UID}:{GID}::{hub.folder}/homes/pi:/bin/sh\n"
    )
    groups.write_text(f"root:x:0:\nscientists:x:{GID}:\n{PROPOSAL}:x:{PROPOSAL_GID}:pi\n")
    hub.start(
        'c.DaasAuthenticator.account_source = "nss"\n',
        LD_PRELOAD="libnss_wrapper.so",
        NSS_WRAPPER_PASSWD=str(passwd),
        NSS_WRAPPER_GROUP=str(groups),
    )
    async with Visitor(hub.url) as pi:
        await pi.sign_in("pi")
        session = await opened(hub, pi)
    assert session.numbers == (UID, GID, {GID, PROPOSAL_GID})
    await nothing_is_kept(hub)


LDAP = """
c.DaasAuthenticator.account_source = "ldap"
c.LdapAccounts.servers = [{url!r}]
c.LdapAccounts.ca_file = {ca!r}
c.LdapAccounts.bind_dn = {reader!r}
c.LdapAccounts.password_file = {password!r}
c.LdapAccounts.people_base = "ou=people,{base}"
c.LdapAccounts.groups_base = "ou=groups,{base}"
"""


async def test_from_ldap_and_none_of_it_is_kept(hub: AccountHub, slapd: Slapd) -> None:
    slapd.start(
        person("pi", UID, GID, str(hub.folder / "homes" / "pi")),
        group("scientists", GID),
        group(PROPOSAL, PROPOSAL_GID, "pi"),
    )
    ldap = {"ca": str(slapd.ca_file), "password": str(slapd.password_file)}
    hub.start(LDAP.format(url=slapd.tls, reader=READER, base=BASE, **ldap))
    async with Visitor(hub.url) as pi:
        await pi.sign_in("pi")
        session = await opened(hub, pi)
        assert session.numbers == (UID, GID, {GID, PROPOSAL_GID})
        await nothing_is_kept(hub)
        await pi.portal("stop", session=SESSION)
        slapd.stop()
        refused = await pi.portal("open", app="jupyterlab", proposal=PROPOSAL)
        assert "directory of accounts does not answer" in refused.text
        assert "LDAP" not in refused.text
    assert "Traceback" not in hub.log


CLAIMS = """
c.DaasAuthenticator.issuer = {issuer!r}
c.DaasAuthenticator.client_id = "hub"
c.DaasAuthenticator.client_secret = "secret-of-the-hub"
c.DaasAuthenticator.account_source = "claims"
c.ClaimAccounts.issuer = {issuer!r}
c.ClaimAccounts.groups_claim = "posixGroups"
"""


async def test_from_claims_and_none_of_it_is_kept(hub: AccountHub, provider: LyingProvider) -> None:
    provider.person = {"sub": "p1", "preferred_username": "pi"}
    provider.userinfo = {
        "uidNumber": UID,
        "gidNumber": GID,
        "homeDirectory": str(hub.folder / "homes" / "pi"),
        "posixGroups": [f"{PROPOSAL}:{PROPOSAL_GID}"],
    }
    await asyncio.to_thread(hub.start, CLAIMS.format(issuer=provider.issuer))
    async with Visitor(hub.url) as pi:
        pi.who = "pi"
        assert "My account:" in (await pi.get("/services/portal/")).text
        session = await opened(hub, pi)
        assert session.numbers == (UID, GID, {PROPOSAL_GID})
        await nothing_is_kept(hub)
        await pi.portal("stop", session=SESSION)
        del provider.userinfo["uidNumber"]
        refused = await pi.portal("open", app="jupyterlab", proposal=PROPOSAL)
        assert "did not tell us your account&#39;s numbers" in refused.text


ACCOUNT = f"u{PROPOSAL}"
PROPOSALS = """
c.DaasAuthenticator.account_source = "proposals"
c.ProposalAccounts.directory = "files"
c.ProposalAccounts.pattern = "u{proposal}"
c.DaasAuthenticator.directory_folder = {folder!r}
"""


@pytest.fixture
def hub_of_proposals(hub: AccountHub) -> AccountHub:
    """A hub where the proposal has the account; its people have none."""
    folder, home = hub.folder / "accounts", hub.home(ACCOUNT)
    folder.mkdir()
    (folder / "passwd").write_text(f"{ACCOUNT}:x:{UID}:{GID}::{home}:/bin/sh\n")
    (folder / "group").write_text(f"pgroup:x:{GID}:\n{PROPOSAL}:x:{PROPOSAL_GID}:{ACCOUNT}\n")
    hub.start(PROPOSALS.replace("{folder!r}", repr(str(folder))))
    return hub


async def test_two_people_work_as_the_account_of_their_proposal(
    hub_of_proposals: AccountHub,
) -> None:
    hub = hub_of_proposals
    async with Visitor(hub.url) as pi, Visitor(hub.url) as coproposer:
        await pi.sign_in("pi")
        await coproposer.sign_in("coproposer")
        first, second = await opened(hub, pi), await opened(hub, coproposer)
        for session, name in ((first, "pi"), (second, "coproposer")):
            assert session.numbers == (UID, GID, {GID, PROPOSAL_GID})
            assert session.environment["USER"] == ACCOUNT
            assert session.environment["HOME"] == f"/home/{ACCOUNT}"
            assert session.environment["JUPYTERHUB_USER"] == name
            passwd = f"{ACCOUNT}:x:{UID}:{GID}::/home/{ACCOUNT}:/bin/bash"
            assert passwd in session.read("/etc/passwd").splitlines()
            assert f"{PROPOSAL}:x:{PROPOSAL_GID}:{ACCOUNT}" in session.read("/etc/group")
        await writes_are_the_accounts(hub, pi)
        await coproposer.get(f"/user/coproposer/{SESSION}/lab")
        seen = await coproposer.get(f"/user/coproposer/{SESSION}/api/contents/note.txt")
        assert "from pi" in seen.text
        # Each can use her own session only, though both work as one account.
        for who, other in ((pi, "coproposer"), (coproposer, "pi")):
            page = await who.get(f"/user/{other}/{SESSION}/lab")
            assert "jupyter-config-data" not in page.text
        await nothing_is_kept(hub)


async def writes_are_the_accounts(hub: AccountHub, pi: Visitor) -> None:
    """Save a file in the home and one in processed: both are the account's."""
    places = {"note.txt": hub.home(ACCOUNT) / "note.txt"}
    processed = hub.folder / "data" / BEAMLINE / PROPOSAL / "processed"
    places[f"Proposals/{PROPOSAL}/processed/fit.txt"] = processed / "fit.txt"
    for path, file in places.items():
        await saved(pi, path, "from pi")
        found = file.stat()
        group_of = PROPOSAL_GID if file.parent == processed else GID
        assert (found.st_uid, found.st_gid) == (UID, group_of)
        assert stat.S_IMODE(found.st_mode) & 0o007 == 0
    # Keys of a session must not lie in a home that others of the proposal see.
    assert not list(hub.home(ACCOUNT).glob(".local/share/jupyter/runtime/*"))


async def test_a_desktop_runs_as_the_account_of_its_proposal(
    hub_of_proposals: AccountHub,
) -> None:
    async with Visitor(hub_of_proposals.url) as pi:
        await pi.sign_in("pi")
        await opened(hub_of_proposals, pi, "pymca")
        page = await pi.get(f"/user/pi/pymca-{PROPOSAL}/")
        assert (page.status, "PyMca" in page.text) == (200, True)
        async with asyncio.timeout(40):
            while not (
                found := list(hub_of_proposals.processes_of("pi", f"pymca-{PROPOSAL}", "pymca"))
            ):
                await asyncio.sleep(0.1)
        program = found[0]
        assert program.numbers == (UID, GID, {GID, PROPOSAL_GID})
        assert program.environment["HOME"] == f"/home/{ACCOUNT}"


async def test_the_page_says_before_the_start_that_a_session_opens_one_proposal(
    hub_of_proposals: AccountHub,
) -> None:
    why = "Each proposal has an account of its own here, so a session opens exactly one proposal."
    async with Visitor(hub_of_proposals.url) as pi:
        await pi.sign_in("pi")
        home = await pi.get("/services/portal/")
        assert why in home.text
        assert "Try it with example data" not in home.text
        assert "Without a proposal" not in home.text
        both = f"app=jupyterlab&proposal={PROPOSAL}&proposal=2026-0231"
        for query in ("app=jupyterlab", both):
            page = await pi.get(f"/services/portal/open?{query}")
            assert (page.status, why in page.text) == (403, True)
        refused = await pi.portal("open", app="jupyterlab")
        assert (refused.status, why in refused.text) == (403, True)
        assert "refused" not in hub_of_proposals.log.lower()

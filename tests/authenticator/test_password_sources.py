"""Each source of passwords, asked for real: slapd, Linux-PAM, and a user office on loopback."""

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daas_authenticator.accounts.ldap_search import Entry
from daas_authenticator.passwords.identity import LocalIdentity, PasswordWay
from daas_authenticator.passwords.kept import KeptPasswordLogin
from daas_authenticator.passwords.ldap import is_locked
from daas_authenticator.passwords.settings import parse_password_ways
from daas_authenticator.passwords.typed import Typed
from daas_authenticator.passwords.ways import PasswordWays, make_way
from daas_model.errors import LoginFailed, ProviderUnavailable
from tests.conftest import short_folder

from .conftest import free_port
from .pam_here import pam_here
from .slapd import BASE, READER, Slapd, make_certificates, person
from .user_office import UserOffice, open_office

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def way(**values: Any) -> PasswordWay:
    return make_way(parse_password_ways({"staff": values})[0])


# -- LDAP -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with short_folder() as folder:
        server = Slapd(folder)
        try:
            yield server.start(
                person("alice", 20001, 30000, "/home/alice", userPassword="wonder land "),
                person("carol", 20002, 30000, "/home/carol", userPassword=COMPOSED),
                person("locked", 20003, 30000, "/home/locked", userPassword="locked-out"),
                person("gone", 20004, 30000, "/home/gone", userPassword="still-here"),
                person("without", 20005, 30000, "/home/without"),
                person("twin", 20006, 30000, "/home/twin", userPassword="one", mail="t@x.example"),
                person("twin2", 20007, 30000, "/home/twin", userPassword="two", mail="t@x.example"),
            )
        finally:
            server.stop()


def ldap(slapd: Slapd, **values: Any) -> PasswordWay:
    """The directory as an operator would set it up, with *values* that differ."""
    return way(
        **{
            "kind": "ldap",
            "servers": [slapd.tls],
            "ca_file": str(slapd.ca_file),
            "bind_dn": READER,
            "bind_password_file": str(slapd.password_file),
            "people_base": f"ou=people,{BASE}",
            "timeout_seconds": 3,
            **values,
        }
    )


SERVERS: dict[str, Callable[[Slapd], dict[str, Any]]] = {
    "TLS": lambda slapd: {"servers": [slapd.tls]},
    "STARTTLS": lambda slapd: {"servers": [slapd.plain]},
    "a socket of this machine": lambda slapd: {"servers": [slapd.local], "ca_file": ""},
    "plain on this machine": lambda slapd: {"servers": [slapd.plain], "starttls": False},
    "a second server": lambda slapd: {"servers": [f"ldaps://localhost:{free_port()}", slapd.tls]},
}


@pytest.mark.parametrize("how", SERVERS)
async def test_the_directory_says_who_it_is(slapd: Slapd, how: str) -> None:
    staff = ldap(slapd, **SERVERS[how](slapd))
    alice = await staff.check(Typed("alice", "wonder land "))
    assert alice.issuer == "ldap:staff"
    assert alice.claims == {"preferred_username": "alice", "groups": []}
    assert len(alice.subject) == 36  # its entryUUID
    assert await staff.confirm(alice.subject) == alice


async def test_who_it_is_does_not_depend_on_how_the_name_was_typed(slapd: Slapd) -> None:
    staff = ldap(slapd)
    typed = [await staff.check(Typed(name, "wonder land ")) for name in ("alice", "ALICE")]
    assert typed[0] == typed[1]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("alice", "wonder land", id="wrong password"),
        pytest.param("nobody", "wonder land ", id="unknown name"),
        pytest.param("without", "x", id="no password in the directory"),
        pytest.param("*", "wonder land ", id="a star"),
        pytest.param("ali*", "wonder land ", id="a part and a star"),
        pytest.param("alice)(uid=*", "wonder land ", id="more filter"),
        pytest.param("alice)(|(uid=*))", "wonder land ", id="yet more filter"),
        pytest.param("alice\\2a", "wonder land ", id="an escape of filters"),
        pytest.param(f"cn=alice,ou=people,{BASE}", "wonder land ", id="a DN"),
        pytest.param("alice,ou=people", "wonder land ", id="a part of a DN"),
        pytest.param("alice", "", id="empty, which LDAP takes for nobody"),
        pytest.param("alice", "wonder land \r\n", id="a line end more"),
        pytest.param("alice", "x" * 10_000, id="10 kB"),
        pytest.param("carol", DECOMPOSED, id="another spelling of the password"),
    ],
)
async def test_attack_30_a_directory_refuses_with_one_sentence(
    slapd: Slapd, name: str, password: str
) -> None:
    with pytest.raises(LoginFailed) as refusal:
        await ldap(slapd).check(Typed(name, password))
    assert str(refusal.value) == "Name or password is wrong. Try again. [DAAS-LOGIN]"


async def test_letters_beyond_ascii_are_sent_as_they_were_typed(slapd: Slapd) -> None:
    carol = await ldap(slapd).check(Typed("carol", COMPOSED))
    assert carol.claims["preferred_username"] == "carol"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"ca_file": ""}, id="a certificate that nobody trusts"),
        pytest.param({"servers": ["ldaps://127.0.0.1:{tls}"]}, id="a certificate of another name"),
        pytest.param({"servers": ["ldap://127.0.0.1:{port}"]}, id="the same, by STARTTLS"),
    ],
)
async def test_attack_30_no_password_goes_to_a_server_that_cannot_prove_its_name(
    slapd: Slapd, values: dict[str, Any]
) -> None:
    ports = {"tls": slapd.tls_port, "port": slapd.port}
    values = {k: [u.format(**ports) for u in v] if v else v for k, v in values.items()}
    with pytest.raises(ProviderUnavailable) as error:
        await ldap(slapd, **values).check(Typed("alice", "wonder land "))
    assert "its certificate is not trusted" in error.value.detail


async def test_who_is_not_unique_or_cannot_be_a_name_is_a_fault_and_no_login(slapd: Slapd) -> None:
    by_mail = ldap(slapd, people_filter="(mail={name})")
    with pytest.raises(ProviderUnavailable) as error:
        await by_mail.check(Typed("t@x.example", "one"))
    assert "two entries" in error.value.detail


async def test_an_entry_that_is_locked_for_good_does_not_come_in_and_ends_its_login(
    slapd: Slapd,
) -> None:
    staff = ldap(slapd)
    before = await staff.check(Typed("locked", "locked-out"))
    dn = f"dn: cn=locked,ou=people,{BASE}\nchangetype: modify\n"
    slapd.change(f"{dn}replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n")
    for again in (staff.check(Typed("locked", "locked-out")), staff.confirm(before.subject)):
        with pytest.raises(LoginFailed):
            await again


async def test_an_entry_that_is_gone_or_filtered_out_ends_its_login(slapd: Slapd) -> None:
    staff = ldap(slapd)
    before = await staff.check(Typed("gone", "still-here"))
    assert await staff.confirm(before.subject) == before
    narrower = ldap(slapd, people_filter="(&(uid={name})(employeeType=staff))")
    with pytest.raises(LoginFailed):
        await narrower.confirm(before.subject)
    slapd.change(f"dn: cn=gone,ou=people,{BASE}\nchangetype: delete\n")
    with pytest.raises(LoginFailed):
        await staff.confirm(before.subject)


@pytest.mark.parametrize(
    ("noted", "locked"),
    [
        ({}, False),
        ({"pwdAccountLockedTime": "20260101120000Z"}, False),
        ({"pwdAccountLockedTime": "000001010000Z"}, True),
        ({"nsAccountLock": "TRUE"}, True),
        ({"nsAccountLock": "false"}, False),
        ({"userAccountControl": "512"}, False),
        ({"userAccountControl": "514"}, True),
    ],
)
def test_locks_of_each_kind_of_directory_are_known(noted: dict[str, str], locked: bool) -> None:
    names = ("pwdAccountLockedTime", "nsAccountLock", "userAccountControl")
    values = {name: (noted[name],) if name in noted else () for name in names}
    assert is_locked(Entry("cn=x", values)) is locked


@contextmanager
def lying_ldap(answer_code: int) -> Iterator[str]:
    """A server that accepts the hub's own bind, finds alice, and answers hers with a number."""
    served: list[bytes] = []

    def answer(message: bytes) -> bytes:
        number = message[2 : 4 + message[3]]
        if message[4 + message[3]] == 0x60:  # bind
            served.append(message)
            code = 0 if len(served) == 1 else answer_code
            return _sequence(0x30, number + bytes([0x61, 7, 10, 1, code, 4, 0, 4, 0]))
        found = _sequence(0x64, _octets(b"cn=alice") + _sequence(0x30, _attributes()))
        done = bytes([0x65, 7, 10, 1, 0, 4, 0, 4, 0])
        return b"".join(_sequence(0x30, number + part) for part in (found, done))

    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                while (message := connection.recv(4096)) and b"\x42\x00" not in message:
                    connection.sendall(answer(message))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"ldap://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _octets(value: bytes) -> bytes:
    return bytes([4, len(value)]) + value


def _sequence(tag: int, value: bytes) -> bytes:
    return bytes([tag, len(value)]) + value


def _attributes() -> bytes:
    pairs = ((b"uid", b"alice"), (b"entryUUID", b"1"))
    return b"".join(
        _sequence(0x30, _octets(name) + _sequence(0x31, _octets(value))) for name, value in pairs
    )


async def test_a_server_that_binds_her_is_believed_which_the_next_test_needs() -> None:
    with lying_ldap(0) as url:
        alice = await way(
            kind="ldap",
            servers=[url],
            starttls=False,
            people_base="dc=x",
            people_filter="(a={name})",
        ).check(Typed("alice", "x"))
    assert alice.subject == "1"


@pytest.mark.parametrize("code", [1, 5, 6, 8, 10, 14, 19, 32, 48, 49, 50, 53, 80])
async def test_attack_30_only_a_plain_success_is_a_yes(code: int) -> None:
    """10 is a referral, 14 a bind that goes on: the library raises nothing for them."""
    with lying_ldap(code) as url:
        staff = way(
            kind="ldap",
            servers=[url],
            starttls=False,
            people_base="dc=x",
            people_filter="(a={name})",
        )
        with pytest.raises((LoginFailed, ProviderUnavailable)):
            await staff.check(Typed("alice", "x"))


async def test_garbage_is_no_yes() -> None:
    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(bytes([0x30, 12, 2, 1, 99, 0x61, 7, 10, 1, 0, 4, 0, 4, 0]))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve).start()
        url = f"ldap://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(ProviderUnavailable):
            await way(kind="ldap", servers=[url], starttls=False, people_base="dc=x").check(
                Typed("alice", "x")
            )


async def test_a_directory_that_is_silent_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ldap://127.0.0.1:{silent.getsockname()[1]}"
        staff = way(kind="ldap", servers=[url], people_base="dc=x", timeout_seconds=1)
        started = time.monotonic()
        with pytest.raises(ProviderUnavailable, match="cannot check passwords now"):
            await staff.check(Typed("alice", "x"))
        assert time.monotonic() - started < 3


# -- PAM ------------------------------------------------------------------------------------


@pytest.fixture
def pam_folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def pam(pam_folder: Path) -> Callable[..., PasswordWay]:
    people = ("alice:wonder land", f"carol:{COMPOSED}", "root:root-pw", "backup2:backup-pw")
    command = pam_here(pam_folder, *people)
    return lambda **values: way(kind="pam", command=command, **values)


async def test_pam_says_who_it_is(pam: Callable[..., PasswordWay]) -> None:
    here = pam()
    alice = await here.check(Typed("alice", "wonder land"))
    assert (alice.issuer, alice.subject) == ("pam:staff", "alice")
    assert alice.claims == {"preferred_username": "alice", "groups": []}
    assert await here.confirm("alice") == alice


async def test_pam_may_know_people_that_the_machine_does_not(
    pam: Callable[..., PasswordWay],
) -> None:
    assert (await pam().check(Typed("carol", COMPOSED))).subject == "carol"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("alice", "wonderland", id="wrong password"),
        pytest.param("nobody", "wonder land", id="unknown name"),
        pytest.param("carol", DECOMPOSED, id="another spelling of the password"),
        pytest.param("alice", "wonder land\r\n", id="a line end more"),
        pytest.param("alice", 'x", "name": "carol', id="words of the question"),
        pytest.param("root", "root-pw", id="root"),
        pytest.param("backup2", "backup-pw", id="an account of the system"),
        pytest.param("-rf", "x", id="an option"),
        pytest.param("../alice", "wonder land", id="a path"),
        pytest.param("alice:x", "wonder land", id="a field of passwd"),
    ],
)
async def test_attack_30_pam_refuses_with_one_sentence(
    pam: Callable[..., PasswordWay], name: str, password: str
) -> None:
    with pytest.raises(LoginFailed, match=r"^Name or password is wrong\. Try again\."):
        await pam().check(Typed(name, password))


async def test_an_account_that_pam_refuses_ends_its_login(
    pam: Callable[..., PasswordWay], pam_folder: Path
) -> None:
    (pam_folder / "passdb").write_text("")
    with pytest.raises(LoginFailed):
        await pam().confirm("alice")


async def test_a_module_that_hangs_is_not_waited_for(
    pam: Callable[..., PasswordWay], pam_folder: Path
) -> None:
    with pytest.raises(ProviderUnavailable) as error:
        await pam(service="slow", timeout_seconds=1).check(Typed("alice", "wonder land"))
    assert error.value.detail == "PAM: no answer in time"
    assert not any(f"{pam_folder}/launcher.py".encode() in line for line in command_lines())


async def test_attack_30_the_password_is_in_no_argument_and_no_environment(
    pam: Callable[..., PasswordWay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "a-key-of-the-hub")
    asked = asyncio.ensure_future(
        pam(service="slow", timeout_seconds=2).check(Typed("alice", "very-secret"))
    )
    async with asyncio.timeout(5):
        while not any(b"/bin/sleep\x003" in line for line in command_lines()):
            await asyncio.sleep(0.02)
    seen = b"".join([*command_lines(), *environments(os.getpid())])
    assert b"very-secret" not in seen
    assert b"a-key-of-the-hub" not in seen
    with pytest.raises(ProviderUnavailable):
        await asked


@pytest.mark.parametrize(
    "command", [["false"], ["echo", "nonsense"], ["echo", "[]"], ["echo", '{"user": 1}']]
)
async def test_a_helper_that_fails_lets_nobody_in(command: list[str]) -> None:
    with pytest.raises(ProviderUnavailable):
        await way(kind="pam", command=command).check(Typed("alice", "x"))


async def test_whom_pam_means_counts_and_not_what_was_typed() -> None:
    here = way(kind="pam", command=["echo", '{"user": "alice"}'])
    assert (await here.check(Typed("ALICE@FACILITY", "x"))).subject == "alice"


def command_lines() -> Iterator[bytes]:
    yield from _of_processes("cmdline")


def environments(but: int) -> Iterator[bytes]:
    yield from _of_processes("environ", but)


def _of_processes(file: str, but: int = 0) -> Iterator[bytes]:
    for path in Path("/proc").glob(f"[0-9]*/{file}"):
        if path.parent.name != str(but):
            try:
                yield path.read_bytes()
            except OSError:
                continue


# -- the user office ------------------------------------------------------------------------


@pytest.fixture
async def office() -> AsyncIterator[UserOffice]:
    async with open_office(free_port()) as opened:
        yield opened


def asks(office: UserOffice, **values: Any) -> PasswordWay:
    return way(kind="user-office", url=office.url, subject_field="id", **values)


async def test_the_office_says_who_it_is_and_not_the_typed_name(office: UserOffice) -> None:
    grace = await asks(office).check(Typed("grace@example.org", "correct horse"))
    assert (grace.issuer, grace.subject) == ("user-office:staff", "4711")
    assert grace.claims["preferred_username"] == "grace"
    assert office.asked == [{"username": "grace@example.org", "password": "correct horse"}]


@pytest.mark.parametrize("password", ["wrong", DECOMPOSED, 'x", "username": "root', "a\r\nb"])
async def test_attack_30_an_office_that_says_no_is_a_wrong_password(
    office: UserOffice, password: str
) -> None:
    with pytest.raises(LoginFailed, match="Name or password is wrong"):
        await asks(office).check(Typed("grace@example.org", password))
    assert office.asked[0]["password"] == password


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(400, None, id="400, a fault by the contract"),
        pytest.param(500, None, id="a fault of the office"),
        pytest.param(403, None, id="not in the contract"),
        pytest.param(204, b"", id="a yes that is none"),
        pytest.param(200, b"OK", id="a yes without JSON"),
        pytest.param(200, [], id="a yes without an object"),
        pytest.param(200, {}, id="a yes that does not say who"),
        pytest.param(200, {"username": "grace"}, id="a yes without an id"),
        pytest.param(200, {"username": "grace", "id": True}, id="a yes with half an id"),
        pytest.param(200, {"username": ["grace"], "id": 1}, id="a yes with many names"),
        pytest.param(200, b"[" * 100_000, id="a yes that is too deep"),
    ],
)
async def test_an_answer_that_is_neither_yes_nor_no_signs_nobody_in(
    office: UserOffice, status: int, body: Any
) -> None:
    office.status, office.body = status, body
    with pytest.raises(ProviderUnavailable, match="user office cannot check passwords now"):
        await asks(office).check(Typed("grace@example.org", "correct horse"))


async def test_attack_30_the_password_is_not_carried_on_to_another_address(
    office: UserOffice,
) -> None:
    async with open_office(free_port()) as other:
        office.redirect = other.url
        with pytest.raises(ProviderUnavailable):
            await asks(office).check(Typed("grace@example.org", "correct horse"))
    assert other.asked == []


async def test_attack_30_an_office_that_cannot_prove_its_name_gets_no_password(
    tmp_path: Path,
) -> None:
    make_certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    port = free_port()
    async with open_office(port, ssl_options=tls) as opened:
        url = f"https://localhost:{port}/login"
        grace = Typed("grace@example.org", "correct horse")
        with pytest.raises(ProviderUnavailable):
            await way(kind="user-office", url=url).check(grace)
        assert opened.asked == []
        trusting = way(kind="user-office", url=url, ca_bundle=str(tmp_path / "ca.pem"))
        assert (await trusting.check(grace)).subject == "grace"


async def test_an_office_that_is_closed_is_no_refusal() -> None:
    closed = way(kind="user-office", url=f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(ProviderUnavailable):
        await closed.check(Typed("grace@example.org", "correct horse"))


# -- what they have in common ---------------------------------------------------------------


@pytest.mark.parametrize(("hours", "over"), [(1, False), (3, True)])
async def test_a_login_whose_source_cannot_be_asked_ends_after_its_hours(
    office: UserOffice, hours: int, over: bool
) -> None:
    values = parse_password_ways({"staff": {"kind": "user-office", "url": office.url}})
    ways = PasswordWays(values, login_hours=2)
    signed_in = int(time.time()) - hours * 3600
    kept = KeptPasswordLogin("staff", "user-office:staff", "4711", signed_in)
    if over:
        with pytest.raises(LoginFailed):
            await ways.confirm(kept)
    else:
        assert await ways.confirm(kept) is None


@pytest.mark.parametrize("issuer", ["user-office:former", "ldap:staff"])
async def test_a_login_by_a_way_that_was_taken_away_is_over(
    office: UserOffice, issuer: str
) -> None:
    values = parse_password_ways({"staff": {"kind": "user-office", "url": office.url}})
    kept = KeptPasswordLogin(issuer.partition(":")[2], issuer, "4711", int(time.time()))
    with pytest.raises(LoginFailed):
        await PasswordWays(values).confirm(kept)


class SlowOrQuick:
    """A way that knows alice, and needs long to refuse her."""

    def __init__(self) -> None:
        (self.values,) = parse_password_ways({"staff": {"kind": "pam"}})

    async def check(self, typed: Typed) -> LocalIdentity:
        await asyncio.sleep(0.1 if typed.name == "alice" else 0)
        raise LoginFailed("Name or password is wrong.")

    async def confirm(self, subject: str) -> None: ...


async def test_attack_30_time_does_not_tell_which_names_exist() -> None:
    ways = PasswordWays((), refusal_seconds=0.3)
    ways._ways["staff"] = SlowOrQuick()
    took = {}
    for name in ("alice", "nobody"):
        started = time.monotonic()
        with pytest.raises(LoginFailed):
            await ways.check("staff", Typed(name, "x"), "10.0.0.1", lambda name: False)
        took[name] = time.monotonic() - started
    assert min(took.values()) >= 0.3
    assert max(took.values()) < 0.4

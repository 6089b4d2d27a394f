"""Who can reach an engine's socket and files with secrets; rights that count too easily."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daas_command.checks.reach import is_passable, socket_findings
from tests.conftest import short_folder

from .checking import Checked
from .test_check import daas, folder, line_of, provider  # noqa: F401  fixtures


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as top, socket.socket(socket.AF_UNIX) as engine:
        top.chmod(0o755)
        engine.bind(str(top / "engine.sock"))
        (top / "engine.sock").chmod(0o600)
        yield top / "engine.sock"


def said(place: Path) -> str:
    (finding,) = socket_findings(place)
    return f"{finding.state} {finding.what}: {finding.said} {finding.mend}"


def test_a_socket_of_the_hubs_user_alone_is_well(place: Path) -> None:
    assert said(place).startswith("ok who reaches it: ")


def test_one_that_everybody_can_write_is_wrong(place: Path) -> None:
    place.chmod(0o666)
    assert "wrong who reaches it: everybody on this machine" in said(place)
    assert f"chmod 0660 {place}" in said(place)


def test_below_a_closed_folder_it_is_well(place: Path) -> None:
    place.chmod(0o666)
    place.parent.chmod(0o700)
    assert not is_passable(place)
    assert said(place).startswith(("ok", "warning"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a file of another's group needs root")
def test_others_in_its_group_are_named(place: Path) -> None:
    place.chmod(0o660)
    # `bin` has this group for his first; nobody else is asked to exist.
    os.chown(place, 0, 2)
    assert "warning who reaches it: not the hub only: bin, root (group bin)" in said(place)


def test_what_is_no_socket_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "wrong socket: " in said(tmp_path / "file")
    assert "wrong socket: " in said(tmp_path / "nothing")


async def test_a_file_with_secrets_that_all_can_read_is_named(daas: Checked) -> None:  # noqa: F811
    daas.folder.chmod(0o755)
    secret = daas.folder / "password"
    secret.write_text("a-secret-of-ldap")
    secret.chmod(0o644)
    (daas.folder / "config.py").chmod(0o644)
    daas.spoil(f"c.LdapAccounts.password_file = {str(secret)!r}")
    told = await daas(code=1)
    assert line_of(told, "LdapAccounts.password_file").startswith("  wrong ")
    assert line_of(told, "the configuration").startswith("  wrong ")
    secret.chmod(0o640)
    (daas.folder / "config.py").chmod(0o640)
    assert "files with secrets: none of 2 can be read by everybody" in await daas()


RULE = """
c.DaasAuthenticator.rights = [
    {"right": "admin", "provider": "staff", "claim": "groups", "value": "daas"},
]"""


@pytest.mark.parametrize(
    ("step_up", "says"),
    [
        pytest.param("{}", "warning  right admin: of staff counts for nobody", id="none"),
        pytest.param(
            '{"staff": {"rights_without_step_up": True}}',
            "warning  right admin: of staff counts without a second factor",
            id="without",
        ),
        pytest.param(
            '{"staff": {"acr_values": ["mfa"]}}', "ok       rights: 1 rules", id="with one"
        ),
    ],
)
async def test_a_right_of_weight_asks_for_a_second_factor(
    daas: Checked,  # noqa: F811
    step_up: str,
    says: str,
) -> None:
    daas.spoil(RULE)
    daas.spoil(f"c.DaasAuthenticator.step_up = {step_up}")
    assert says in await daas()

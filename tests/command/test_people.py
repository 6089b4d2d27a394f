"""`daas people`, as an administrator types it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from daas_authenticator.database.engine import Database
from daas_authenticator.links.store import LinkStore
from daas_command.__main__ import main

ISSUER = "https://sso.facility.example"
CONFIG = """
c = get_config()
c.DaasAuthenticator.providers = {{
    "staff": {{"issuer": "{issuer}", "client_id": "x", "client_secret": "hidden-value"}},
}}
c.DaasAuthenticator.people_database = "sqlite:///{folder}/people.sqlite"
c.DaasAuthenticator.audit_file = "{folder}/audit.jsonl"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hub's configuration, and the database that the hub has made."""
    (tmp_path / "config.py").write_text(CONFIG.format(issuer=ISSUER, folder=tmp_path))
    Database(f"sqlite:///{tmp_path}/people.sqlite").migrate()
    return tmp_path


@dataclass(frozen=True)
class Command:
    """The command, with the configuration of *folder*."""

    folder: Path
    printed: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, says: str = "", code: int = 0) -> str:
        """Run it; it must end with *code* and say *says*."""
        try:
            ended = main(["--config", str(self.folder / "config.py"), *arguments])
        except SystemExit as end:
            ended = int(end.code or 0)
        told = "".join(self.printed.readouterr())
        assert ended == code, told
        assert says in told
        assert "hidden-value" not in told
        return told


@pytest.fixture
def daas(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(folder, capsys)


def audited(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "audit.jsonl").read_text().splitlines()
    return [(event["action"], event["name"]) for event in map(json.loads, lines)]


def test_who_is_who_is_shown_linked_and_unlinked(folder: Path, daas: Command) -> None:
    identity = ("--issuer", "staff", "--subject", "p1")
    daas("people", "show", "pi", says="Nobody here has the name", code=1)
    daas("people", "link", "pi", *identity, says=f"p1 at {ISSUER} signs in as pi")
    daas("people", "link", "co", *identity, says="linked to another account", code=1)
    told = daas("people", "show", "pi", says=f"p1 at {ISSUER}")
    assert "may sign in" in told
    daas("people", "unlink", "pi", *identity, says="The name stays reserved")
    daas("people", "unlink", "pi", *identity, says="not linked to pi", code=1)
    daas("people", "show", "pi", says="nobody can sign in with this name")
    assert audited(folder) == [("linked", "pi"), ("unlinked", "pi")]


def test_blocked_now_or_from_a_day_on_and_let_in_again(folder: Path, daas: Command) -> None:
    daas("people", "block", "pi", "--reason", "left", says="may not sign in")
    daas("people", "show", "pi", says="(left)")
    daas("people", "unblock", "pi", says="may sign in again")
    daas("people", "unblock", "pi", says="not blocked", code=1)
    daas("people", "block", "pi", "--from", "2096-01-31")
    daas("people", "show", "pi", says="blocked from 2096-01-31")
    daas("people", "block", "pi", "--from", "tomorrow", says="no day", code=2)
    assert audited(folder) == [("blocked", "pi"), ("unblocked", "pi"), ("blocked", "pi")]


def test_a_list_is_imported_once_and_tried_before(folder: Path, daas: Command) -> None:
    (folder / "list.csv").write_text("name,EAAHash\npi,0a1b\nco,2c3d\n")
    arguments = ("people", "import", str(folder / "list.csv"))
    daas(*arguments, "--dry-run", says="2 would be linked. Nothing was changed.")
    daas(*arguments, says="2 linked.")
    daas(*arguments, says="0 linked.")
    (folder / "list.csv").write_text("name,EAAHash\nnew,4e5f\nmallory,0a1b\n")
    daas(*arguments, says="Line 3 of the list: this identity is linked to pi", code=1)
    assert audited(folder) == [("linked", "pi"), ("linked", "co")]


def test_links_move_when_a_provider_was_installed_anew(folder: Path, daas: Command) -> None:
    store = LinkStore(Database(f"sqlite:///{folder}/people.sqlite"))
    for name in ("pi", "co"):
        store.take(name, ISSUER, f"old-{name}")
    (folder / "moves.csv").write_text("old_sub,new_sub\nold-pi,new-pi\n")
    arguments = ("people", "move", "--from", "staff", "--to", "staff", str(folder / "moves.csv"))
    daas(*arguments, "--dry-run", says="stays: co, old-co")
    daas(*arguments, says="1 moved.")
    found = [store.link_of(ISSUER, subject) for subject in ("old-pi", "new-pi", "old-co")]
    assert [link.name if link else None for link in found] == [None, "pi", "co"]


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        pytest.param(("people", "block", "root"), "cannot be an account", 1, id="reserved name"),
        pytest.param(("people", "block", "a\nb"), "control characters", 2, id="control sign"),
        pytest.param(("people", "block", "pi", "--reason", "\udcff"), "control", 2, id="no UTF-8"),
        pytest.param(("people", "block", "pi", "--reason", "a\x1b"), "control", 2, id="escape"),
        pytest.param(
            ("people", "link", "pi", "--issuer", "staff", "--subject", ""), "empty", 2, id="empty"
        ),
        pytest.param(
            ("people", "link", "pi", "--issuer", "stafff", "--subject", "p1"),
            "providers here: staff",
            1,
            id="unknown issuer",
        ),
        pytest.param(("people",), "required", 2, id="no action"),
        pytest.param(("people", "import", "/nowhere.csv"), "cannot be read", 1, id="no list"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    daas: Command, arguments: tuple[str, ...], says: str, code: int
) -> None:
    daas(*arguments, says=says, code=code)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        pytest.param("c = get_config(", "cannot be read: SyntaxError", id="no Python"),
        pytest.param("import nowhere", "cannot be read: ModuleNotFoundError", id="fails"),
        pytest.param(
            "c = get_config(); c.DaasAuthenticator.issuer = 'http://x.example'",
            "issuer must be an https address",
            id="refused by the hub",
        ),
        pytest.param(
            "c = get_config(); c.DaasAuthenticator.people_database = 'sqlite:////nowhere/p.sqlite'",
            "Start the hub once",
            id="no database yet",
        ),
    ],
)
def test_a_configuration_that_cannot_work_is_named(
    folder: Path, daas: Command, config: str, says: str
) -> None:
    (folder / "config.py").write_text(config)
    daas("people", "show", "pi", says=says, code=1)


def test_without_a_configuration_it_says_which_it_looked_for(daas: Command) -> None:
    daas("--config", "/nowhere/config.py", "people", "show", "pi", says="/nowhere", code=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as another user")
def test_what_root_writes_stays_the_hubs(folder: Path) -> None:
    hub = 61234
    for place in (folder, folder / "people.sqlite"):
        os.chown(place, hub, hub)
    for parent in folder.parents:
        if parent != Path("/tmp") and parent.is_relative_to("/tmp"):
            parent.chmod(0o755)
    command = [sys.executable, "-m", "daas_command", "people", "block", "pi"]
    subprocess.run(
        command, env={**os.environ, "DAAS_CONFIG": str(folder / "config.py")}, check=True
    )
    assert {(folder / name).stat().st_uid for name in ("people.sqlite", "audit.jsonl")} == {hub}


def test_the_command_leaves_making_the_tables_to_the_hub(folder: Path, daas: Command) -> None:
    (folder / "people.sqlite").write_bytes(b"")
    daas("people", "block", "pi", says="Start the hub once", code=1)
    assert (folder / "people.sqlite").read_bytes() == b""

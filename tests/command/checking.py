"""A configuration that is well, for `daas check`; each test spoils one thing of it."""

import asyncio
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daas_command.__main__ import main

REPOSITORY = Path(__file__).parents[2]
SECRET = "secret-of-the-hub"
CONFIG = """
c = get_config()
c.JupyterHub.public_url = "http://127.0.0.1:8000/"
c.ConfigurableHTTPProxy.command = ["true", {proxy!r}]
c.DaasAuthenticator.providers = {{
    "staff": {{
        "issuer": {issuer!r}, "client_id": "hub", "client_secret": "secret-of-the-hub",
        "groups_claim": "groups",
    }},
}}
c.DaasAuthenticator.provider_timeout_seconds = 2
c.DaasAuthenticator.people_database = "sqlite:///{folder}/people.sqlite"
c.DaasAuthenticator.audit_file = "{folder}/audit.jsonl"
c.DaasAuthenticator.account_source = "files"
c.DaasAuthenticator.directory_folder = {folder!r}
c.FilesCatalogue.folder = "{folder}/proposals"
c.StorageLayout.raw = c.StorageLayout.processed = "{folder}/data/{{proposal}}"
c.StorageLayout.roots = ["{folder}/data"]
c.Facility.apps_folder = {apps!r}
c.DaasSpawner.session_environment = {environment!r}
c.DaasSpawner.run_folder = "{folder}/run"
"""
PROPOSAL = """\
id: "2026-0142"
title: A title
beamline: B1
principal_investigator: pi
"""


@dataclass
class Checked:
    """The command on the configuration in *folder*, and what it printed."""

    folder: Path
    printed: pytest.CaptureFixture[str]
    more: str = ""
    #: What may never be printed, besides the client's secret.
    hidden: list[str] = field(default_factory=lambda: [SECRET])

    async def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run it; it must end soon with *code*. Returns what it said."""
        command = ["--config", str(self.folder / "config.py"), "check", *arguments]
        began = time.monotonic()
        ended = await asyncio.to_thread(run, command)
        assert time.monotonic() - began < 8
        out, err = self.printed.readouterr()
        assert ended == code, out + err
        assert "Traceback" not in out + err
        assert all(text not in out + err for text in self.hidden)
        assert all(c.isprintable() or c == "\n" for c in out)
        return out + err

    def spoil(self, line: str) -> None:
        """Add *line* to the configuration."""
        with (self.folder / "config.py").open("a") as file:
            file.write(line + "\n")


def run(command: list[str]) -> int:
    """Return the exit code of *command*, that of argparse too."""
    try:
        return main(command)
    except SystemExit as end:
        return int(end.code or 0)


def make_well(folder: Path, issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a facility in *folder* of which there is nothing to say but its warnings."""
    values = {
        "folder": str(folder),
        "issuer": issuer,
        "proxy": str(REPOSITORY / "tools" / "proxy.mjs"),
        "apps": str(REPOSITORY / "images"),
        "environment": str(REPOSITORY / ".session-env"),
    }
    (folder / "config.py").write_text(CONFIG.format(**values))
    (folder / "config.py").chmod(0o600)
    for name in ("proposals", "data/2026-0142", "run"):
        (folder / name).mkdir(parents=True, mode=0o700)
    (folder / "proposals" / "2026-0142.yaml").write_text(PROPOSAL)
    (folder / "passwd").write_text("pi:x:20001:20001::/home/pi:/bin/sh\n")
    (folder / "group").write_text("pi:x:20001:\nscientists:x:20002:pi\n")
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", secrets.token_hex(32))
    monkeypatch.setenv("DAAS_CONFIG", os.devnull)

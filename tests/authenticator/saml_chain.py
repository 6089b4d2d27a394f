"""Starts a SAML identity provider behind SATOSA, and goes through them as a browser does.

They run in `.satosa`, which `make` sets up from `saml/requirements.txt`; see `saml/chain.py`.
"""

import json
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    build_opener,
    urlopen,
)

import pytest

from tests.visitor import hidden_fields

from .conftest import CLIENT_SECRET, free_port

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[1] / ".satosa"

MFA = "https://refeds.org/profile/mfa"
SFA = "https://refeds.org/profile/sfa"
AUTHORITY = "perun.umbrella.example"
ADMINS = f"urn:geant:umbrella.example:group:daas:role=admin#{AUTHORITY}"
MEMBERS = f"urn:geant:umbrella.example:group:bl%C3%A4tter#{AUTHORITY}"


def _person(name: str, *accounts: str, **more: Any) -> dict[str, Any]:
    attributes: dict[str, list[str]] = {
        "uid": list(accounts),
        "displayName": [name.capitalize()],
        "eduPersonPrincipalName": [f"{name}@uni.example"],
        "eduPersonEntitlement": [ADMINS, MEMBERS],
    }
    attributes |= more.pop("attributes", {})
    return {"attributes": attributes, "class_ref": MFA, **more}


#: Whom the university knows. Not all of them can have an account here.
PEOPLE = {
    "wkluge": _person("wkluge", "wkluge"),
    "single": _person("single", "single", attributes={"eduPersonEntitlement": [MEMBERS]}),
    "password": _person("password", "password", class_ref=SFA),
    "hourago": _person("hourago", "hourago", seconds_ago=3600),
    "twins": _person("twins", "castor", "pollux"),
    "nameless": _person("nameless"),
}


@dataclass(frozen=True)
class Chain:
    """A running chain: the broker's *issuer*, and the authority that signed its certificate."""

    issuer: str
    ca_bundle: Path
    log: Path

    def answer(self, url: str, who: str) -> str:
        """Begin at *url* of the broker, choose *who*; return where she is sent back to."""
        tls = HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_bundle))
        browser = build_opener(HTTPCookieProcessor(), tls, _Stop())
        with browser.open(url) as choice:
            form = {"person": who, **hidden_fields(choice.read().decode())}
            university = choice.url
        with browser.open(university, urlencode(form).encode()) as assertion:
            page = assertion.read().decode()
        action = re.search(r'action="([^"]+)"', page)
        assert action, page
        with browser.open(unescape(action[1]), urlencode(hidden_fields(page)).encode()) as back:
            return str(back.headers["Location"])


class _Stop(HTTPRedirectHandler):
    """Nobody listens at the end of this way."""

    def http_error_303(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        if req.get_method() == "POST":
            return fp
        return super().http_error_303(req, fp, code, msg, headers)


@contextmanager
def saml_chain(folder: Path, port: int, *redirect_uris: str) -> Iterator[Chain]:
    """Run the chain, the broker at *port*, until the end of the block.

    In *folder* are the authority and the certificate of `localhost`; see `make_certificates`.
    """
    for name in ("idp", "broker"):
        command = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -out {name}.crt"
        command += f" -keyout {name}.key"
        subprocess.run(["openssl", *command.split()], cwd=folder, capture_output=True, check=True)
    settings = {
        "issuer": f"https://localhost:{port}",
        "identity_provider": f"http://localhost:{free_port()}",
        "redirect_uris": redirect_uris,
        "client_secret": CLIENT_SECRET,
        "people": PEOPLE,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    chain = Chain(settings["issuer"], folder / "ca.pem", folder / "chain.log")
    with chain.log.open("w") as out:
        process = subprocess.Popen(
            [str(ENVIRONMENT / "bin" / "python"), str(HERE / "saml" / "chain.py"), str(folder)],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(chain, process)
        yield chain
    finally:
        process.terminate()
        process.wait(10)


def _wait(chain: Chain, process: "subprocess.Popen[bytes]") -> None:
    tls = ssl.create_default_context(cafile=chain.ca_bundle)
    deadline = time.monotonic() + 40
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(f"{chain.issuer}/.well-known/openid-configuration", context=tls):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    pytest.fail(f"the chain did not come up:\n{chain.log.read_text()[-3000:]}")

"""A real Keycloak on loopback, and what its administrators do there.

The realms come from a file (`keycloak/realms.json`: people, groups, levels of authentication). The
hub's client is registered over Keycloak's REST interface, as docs/how-to/sign-in-keycloak.md says.
"""

import hmac
import json
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from .conftest import wait_for

START = Path(__file__).parent / "keycloak" / "start-keycloak.sh"
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "sign-in-keycloak.md"
CACHE = Path(
    os.environ.get("IDP_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "daas-test-keycloak"
)
SFA, MFA = "https://refeds.org/profile/sfa", "https://refeds.org/profile/mfa"
#: Of everybody in the realm file.
OTP_SECRET = b"daas-test-otp-secret"


def is_fetched() -> bool:
    """Tell whether `make keycloak` has been here."""
    return any(CACHE.glob("keycloak-*/.built"))


@dataclass(frozen=True)
class Keycloak:
    """One that is starting, or running."""

    url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def wait(self) -> None:
        """Return when it answers."""
        known = f"{self.url}/realms/daas-test/.well-known/openid-configuration"
        wait_for(known, self.process, self.log, seconds=180)

    def ask(self, path: str, body: object = None, method: str = "") -> Any:
        """Do something as its administrator."""
        form = {"grant_type": "password", "client_id": "admin-cli"}
        form |= {"username": "admin", "password": "admin"}
        token = self._send("realms/master/protocol/openid-connect/token", urlencode(form).encode())
        headers = {
            "Authorization": f"Bearer {token['access_token']}",
            "Content-Type": "application/json",
        }
        sent = None if body is None else json.dumps(body).encode()
        return self._send(f"admin/realms/{path}", sent, headers, method)

    def _send(
        self, path: str, body: bytes | None, headers: dict[str, str] | None = None, method: str = ""
    ) -> Any:
        request = Request(f"{self.url}/{path}", data=body, headers=headers or {})
        request.method = method or ("GET" if body is None else "POST")
        with urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def register(self, realm: str, hub: str, way: str) -> None:
        """Register the hub's client in *realm* with what the how-to page prints."""
        client = client_of_the_docs(hub, way) | {"secret": f"secret-of-{way}"}
        self.ask(f"{realm}/clients", client)

    def add_to_client(self, attributes: dict[str, str], mappers: list[dict[str, Any]]) -> None:
        """Add to the hub's client in the realm of the facility."""
        (client,) = self.ask("daas-test/clients?clientId=daas")
        client["attributes"] |= attributes
        path = f"daas-test/clients/{client['id']}"
        self.ask(path, client, "PUT")
        self.ask(f"{path}/protocol-mappers/add-models", mappers, "POST")

    def person(self, name: str) -> str:
        """Return the path of somebody in the realm of the facility."""
        (user,) = self.ask(f"daas-test/users?username={name}&exact=true")
        return f"daas-test/users/{user['id']}"

    def disable(self, name: str) -> None:
        """Do what an administrator does when somebody leaves."""
        self.ask(self.person(name), {"enabled": False}, "PUT")

    def sign_out(self, name: str) -> None:
        """End all that somebody is signed in to."""
        self.ask(f"{self.person(name)}/logout", {}, "POST")


#: A list of entitlements, and names for the two levels of authentication.
MAPPERS: list[dict[str, Any]] = [
    {
        "name": "entitlements",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-attribute-mapper",
        "config": {
            "user.attribute": "eduperson_entitlement",
            "claim.name": "eduperson_entitlement",
            "jsonType.label": "String",
            "multivalued": "true",
            "userinfo.token.claim": "true",
        },
    },
]
LEVELS = {"acr.loa.map": json.dumps({SFA: "1", MFA: "2"})}


def client_of_the_docs(hub: str, way: str) -> dict[str, Any]:
    """Return the client that the how-to page prints, for another hub."""
    text = HOW_TO.read_text("utf-8")
    printed = text[text.index('    {"clientId"') :].partition("\n\n")[0]
    mine = printed.replace("https://daas.facility.example", hub).replace("/staff/", f"/{way}/")
    client: dict[str, Any] = json.loads(mine)
    return client


@contextmanager
def starting_keycloak(port: int, log: Path) -> Iterator[Keycloak]:
    """Start Keycloak at *port*, and end it with the block. It takes ten seconds to answer."""
    # No variable named KC_…: Keycloak takes each for an option of its own.
    environment = {n: v for n, v in os.environ.items() if not n.startswith("KC_")}
    with log.open("w") as out:
        process = subprocess.Popen(
            ["bash", str(START), "run"],
            env={**environment, "IDP_PORT": str(port), "IDP_CACHE": str(CACHE)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Keycloak(f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        process.wait(60)


def one_time_code(secret: bytes, now: float) -> str:
    """Return what an authenticator app shows (RFC 6238: SHA-1, 30 s, six digits)."""
    digest = hmac.digest(secret, struct.pack(">Q", int(now) // 30), "sha1")
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"

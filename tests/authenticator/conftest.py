"""A provider that lies on demand, a browser that keeps cookies, and a real hub between them."""

import base64
import hashlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import urlopen

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

CLIENT_ID = "hub"
CLIENT_SECRET = "secret-of-the-hub"
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})

HUB_CONFIG = """
from jupyterhub.proxy import Proxy
from daas_authenticator import configure

class NoProxy(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data): pass
    async def delete_route(self, routespec): pass
    async def get_all_routes(self): return {{}}

configure(c)
c.JupyterHub.proxy_class = NoProxy
c.JupyterHub.bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.default_url = "/services/portal/"
c.JupyterHub.template_paths = [{templates!r}]
c.DaasAuthenticator.issuer = "http://127.0.0.1:{provider}"
c.DaasAuthenticator.client_id = "hub"
c.DaasAuthenticator.client_secret = "secret-of-the-hub"
c.DaasAuthenticator.oauth_callback_url = "http://127.0.0.1:{hub}/hub/oauth_callback"
c.DaasAuthenticator.auto_login = True
c.DaasAuthenticator.blocked_users = {{"mallory"}}
c.DaasAuthenticator.rights = [
    {{"right": "admin", "provider": "default", "claim": "groups", "value": "staff"}},
]
c.DaasAuthenticator.step_up = {{"default": {{"rights_without_step_up": True}}}}
c.DaasAuthenticator.support_contact = "the user office, user.office@facility.example"
"""


TEMPLATES = Path(__file__).parents[2] / "templates" / "hub"
#: `ATTACKED=stock` runs the attacks against what OAuthenticator offers; see tools/attack_table.py.
ATTACKED = os.environ.get("ATTACKED", "ours")
_RIGHTS = HUB_CONFIG[HUB_CONFIG.index("c.DaasAuthenticator.rights") :]
STOCK_CONFIG = (
    HUB_CONFIG.replace(
        _RIGHTS[: _RIGHTS.index("c.DaasAuthenticator.support")],
        'c.DaasAuthenticator.admin_groups = {{"staff"}}\n',
    )
    .replace("configure(c)", "")
    .replace("c.JupyterHub.template_paths = [{templates!r}]", "")
    .replace("from daas_authenticator import configure", "")
    .replace("c.DaasAuthenticator.issuer =", "issuer =")
    .replace("c.DaasAuthenticator.support_contact =", "support_contact =")
    + """
c.JupyterHub.authenticator_class = "generic-oauth"
c.GenericOAuthenticator.merge(c.DaasAuthenticator)
c.GenericOAuthenticator.authorize_url = issuer + "/authorize"
c.GenericOAuthenticator.token_url = issuer + "/token"
c.GenericOAuthenticator.userdata_url = issuer + "/userinfo"
c.GenericOAuthenticator.username_claim = "preferred_username"
c.GenericOAuthenticator.auth_state_groups_key = "oauth_user.groups"
c.GenericOAuthenticator.scope = ["openid", "profile"]
c.GenericOAuthenticator.enable_auth_state = True
c.GenericOAuthenticator.manage_groups = True
c.GenericOAuthenticator.allow_all = True
"""
)


@dataclass
class LyingProvider:
    """A provider whose answers a test changes. Without changes it tells the truth about alice."""

    port: int
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "a1", "preferred_username": "alice", "groups": ["users"]}
    )
    token_claims: dict[str, Any] = field(default_factory=dict)
    token_answer: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
        {"alg": "RS256", "kid": "first"}, claims, KEY, ["RS256"]
    )
    asked: list[str] = field(default_factory=list)
    flows: dict[str, dict[str, str]] = field(default_factory=dict)
    raw: dict[str, bytes | None] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    keys: list[RSAKey] = field(default_factory=lambda: [KEY])
    expired: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    #: What the hub asked for last.
    wanted: dict[str, str] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def document(self) -> dict[str, Any]:
        endpoints = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "userinfo_endpoint": "userinfo",
            "jwks_uri": "jwks",
        }
        return {
            "issuer": self.issuer,
            **{name: f"{self.issuer}/{path}" for name, path in endpoints.items()},
            **self.metadata,
        }

    def authorize(self, query: dict[str, str]) -> str:
        self.wanted = query
        code = secrets.token_urlsafe(12)
        self.flows[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def tokens(self, form: dict[str, str]) -> dict[str, Any] | None:
        nonce: str | None = None
        if form["grant_type"] == "authorization_code":
            flow = self.flows.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if flow is None or flow["code_challenge"] != challenge:
                return None
            nonce = flow.get("nonce")
        elif form.get("refresh_token") not in self.refresh_tokens:
            return None
        now = int(time.time())
        if form["grant_type"] == "refresh_token":
            self.token_claims.setdefault("nonce", None)
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": self.person["sub"],
            "nonce": nonce,
            "iat": now,
            "exp": now + 300,
            **self.token_claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        self.refresh_tokens = {f"refresh-{secrets.token_hex(8)}"}
        return {
            "access_token": f"access-{secrets.token_hex(8)}",
            "token_type": "Bearer",
            "refresh_token": next(iter(self.refresh_tokens)),
            "id_token": self.sign(claims),
            **self.token_answer,
        }


class Endpoints(RequestHandler):
    """Serves a `LyingProvider`."""

    def initialize(self, provider: LyingProvider) -> None:
        self.provider = provider

    def answer(self, path: str) -> None:
        provider = self.provider
        provider.asked.append(path)
        bearer = self.request.headers.get("Authorization", "").removeprefix("Bearer ")
        status = 401 if bearer in provider.expired else provider.status.get(path)
        if status:
            self.set_status(status)
            self.finish({"error": "refused", "error_description": "eyJ-not-to-be-shown"})
        elif path in provider.redirects:
            self.redirect(provider.redirects[path])
        elif path in provider.raw:
            self.finish(provider.raw[path])
        elif path == ".well-known/openid-configuration":
            self.finish(provider.document())
        elif path == "jwks":
            self.finish(KeySet(provider.keys).as_dict(private=False))
        elif path == "authorize":
            query = {k: v[0] for k, v in parse_qs(self.request.query).items()}
            self.redirect(provider.authorize(query))
        elif path == "token":
            form = {k: v[0] for k, v in parse_qs(self.request.body.decode()).items()}
            tokens = provider.tokens(form)
            if tokens is None:
                self.set_status(400)
            self.finish(tokens or {"error": "invalid_grant"})
        elif path == "userinfo":
            self.finish({**provider.person, **provider.userinfo})

    get = post = answer


@asynccontextmanager
async def serving(lying: LyingProvider, **tls: Any) -> AsyncIterator[LyingProvider]:
    """Let *lying* answer at its port."""
    server = HTTPServer(Application([(r"/(.*)", Endpoints, {"provider": lying})]), **tls)
    server.listen(lying.port, "127.0.0.1")
    try:
        yield lying
    finally:
        server.stop()
        await server.close_all_connections()


@pytest.fixture
async def provider(provider_port: int) -> AsyncIterator[LyingProvider]:
    async with serving(LyingProvider(provider_port)) as lying:
        yield lying


class Browser:
    """Follows redirects and keeps cookies, as a browser does with one host."""

    def __init__(self, hub_url: str) -> None:
        self.hub_url = hub_url
        self.cookies: dict[str, str] = {}

    async def get(self, url: str, follow: int = 10, **headers: str) -> HTTPResponse:
        return await self._go("GET", url, follow, headers)

    async def post(self, url: str, body: str = "", **headers: str) -> HTTPResponse:
        return await self._go("POST", url, 0, headers, body)

    async def _go(
        self, method: str, url: str, follow: int, headers: dict[str, str], body: str = ""
    ) -> HTTPResponse:
        url = urljoin(self.hub_url, url)
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = await AsyncHTTPClient().fetch(
            url,
            method=method,
            body=body if method == "POST" else None,
            headers={"Cookie": jar, "Sec-Fetch-Mode": "navigate", **headers},
            follow_redirects=False,
            raise_error=False,
        )
        self.keep(response)
        if follow and response.code in (301, 302):
            target = urljoin(url, response.headers["Location"])
            return await self._go("GET", target, follow - 1, headers)
        return response

    def keep(self, response: HTTPResponse) -> None:
        """Keep the answer's cookies."""
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if not morsel.value:
                    del self.cookies[name]

    def waiting(self) -> list[str]:
        return [name for name in self.cookies if "daas-login-" in name]


@dataclass(frozen=True)
class Hub:
    url: str
    log: Path

    def browser(self) -> Browser:
        return Browser(self.url)


@pytest.fixture(scope="module")
def provider_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def hub(
    request: pytest.FixtureRequest, provider_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    """A real hub whose provider is the lying one; a module may set more in `MORE_CONFIG`."""
    more = getattr(request.module, "MORE_CONFIG", "")
    config = STOCK_CONFIG if ATTACKED == "stock" else HUB_CONFIG
    with running_hub(
        tmp_path_factory.mktemp("hub"), config + more, provider=provider_port
    ) as running:
        yield running


@contextmanager
def running_hub(
    folder: Path, config: str, variables: Mapping[str, str] | None = None, **values: object
) -> Iterator[Hub]:
    """Run a hub until the end of the block. It answers directly, without its proxy."""
    port = free_port()
    file = folder / "jupyterhub_config.py"
    file.write_text(config.format(hub=port, templates=str(TEMPLATES), **values))
    environment = {
        **os.environ,
        "JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32),
        # The hub runs elsewhere; it must still be the one of this working tree.
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **(variables or {}),
    }
    log = folder / "hub.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(file), "--debug"],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/hub/health", process, log)
        yield Hub(f"http://127.0.0.1:{port}", log)
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path, seconds: float = 40) -> None:
    """Return when *url* answers 200; fail with the log when the process ended or time is up."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"{urlsplit(url).path} did not come up:\n{log.read_text()[-3000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unsigned(claims: dict[str, Any], alg: str = "none") -> str:
    """Return a token that says *alg* and has no signature."""
    parts = ({"alg": alg, "kid": "first"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*texts, ""])

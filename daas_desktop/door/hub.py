"""Speaks to the hub: where it is, one call, and the report of the session's last use.

Used by hub_login, notices and use. The hub may be behind a unix socket, because a session on the
hub's machine has no network at all.
"""

import datetime
import json
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPError
from tornado.netutil import Resolver

CALL_TIMEOUT_S = 10
HOST_COOKIES = "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"

# Bad request, unauthorised, forbidden: what the hub says of a code or a token that it does not
# know. Everything else may come from a proxy on the way, which knows nothing of either.
REFUSALS = (400, 401, 403)

log = logging.getLogger("daas_desktop")


class HubUnreachableError(Exception):
    """The hub gave no usable answer; says nothing about the person who asked.

    `status` is that of the answer, 0 if there was none.
    """

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class HubSettings:
    """What the spawner says about the hub, this session and who may see it."""

    api_url: str
    api_token: str
    client_id: str
    prefix: str
    callback_url: str
    authorize_url: str
    server_name: str
    access_scopes: frozenset[str]
    activity_url: str
    # Whose session this is; everybody else is a guest.
    owner: str = ""
    # `__Host-`: no other host can plant such a cookie. The hub says so where hosts are apart.
    cookie_prefix: str = ""

    @property
    def cookie_path(self) -> str:
        """The path for which this session's cookies are; a `__Host-` cookie has no other."""
        return "/" if self.cookie_prefix else self.prefix

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "HubSettings":
        """Read JUPYTERHUB_*; raise KeyError with the name of a variable that is missing."""
        prefix = "/" + env["JUPYTERHUB_SERVICE_PREFIX"].strip("/") + "/"
        base = env.get("JUPYTERHUB_BASE_URL", "/").rstrip("/")
        return cls(
            api_url=env["JUPYTERHUB_API_URL"].rstrip("/"),
            api_token=env["JUPYTERHUB_API_TOKEN"],
            client_id=env["JUPYTERHUB_CLIENT_ID"],
            prefix=prefix,
            callback_url=env.get("JUPYTERHUB_OAUTH_CALLBACK_URL") or prefix + "oauth_callback",
            authorize_url=f"{env.get('JUPYTERHUB_HOST', '')}{base}/hub/api/oauth2/authorize",
            server_name=env.get("JUPYTERHUB_SERVER_NAME", ""),
            access_scopes=frozenset(json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"])),
            activity_url=env.get("JUPYTERHUB_ACTIVITY_URL", ""),
            owner=env.get("JUPYTERHUB_USER", ""),
            cookie_prefix="__Host-" if env.get(HOST_COOKIES, "0") == "1" else "",
        )


class _OneSocket(Resolver):
    """Leads every name to one unix socket."""

    def initialize(self, path: str) -> None:
        self._path = path

    async def resolve(
        self,
        host: str,  # noqa: ARG002
        port: int,  # noqa: ARG002
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002
    ) -> list[tuple[int, Any]]:
        return [(socket.AF_UNIX, self._path)]


class Hub:
    """The hub's API, as this session or as the person with a given token."""

    def __init__(self, settings: HubSettings) -> None:
        self.settings = settings
        address = urlsplit(settings.api_url)
        resolver = None
        if address.scheme == "http+unix":
            # Not .hostname: that would put the path into lower case.
            resolver = _OneSocket(path=unquote(address.netloc))
        self._client = AsyncHTTPClient(force_instance=True, resolver=resolver)

    async def call(
        self,
        url: str,
        *,
        token: str | None = None,
        form: Mapping[str, str] | None = None,
        data: object = None,
        method: str = "",
    ) -> Any:
        """Give the hub's JSON answer, or None when it refuses.

        Raises HubUnreachableError when there is no answer, or none of the hub's.
        """
        headers = {"Authorization": f"token {token}"} if token else {}
        body = urlencode(form) if form else json.dumps(data) if data is not None else None
        if data is not None:
            headers["Content-Type"] = "application/json"
        address = urlsplit(url)
        if address.scheme == "http+unix":
            url = address._replace(scheme="http", netloc="hub").geturl()
        try:
            answer = await self._client.fetch(
                url,
                method=method or ("GET" if body is None else "POST"),
                headers=headers,
                body=body,
                request_timeout=CALL_TIMEOUT_S,
                follow_redirects=False,
            )
        except HTTPError as error:
            if error.code in REFUSALS:
                return None
            raise HubUnreachableError(f"the hub answered {error.code}", error.code) from None
        except OSError as error:
            raise HubUnreachableError(f"the hub cannot be reached: {error.strerror}") from None
        try:
            return json.loads(answer.body) if answer.body else {}
        except ValueError:
            raise HubUnreachableError("the hub's answer is no JSON") from None

    async def call_invitations(self, method: str, name: str = "") -> Any:
        """Ask for an invitation to this session, or take one guest's or all of them back.

        Gives None where the facility refuses an invitation. Raises HubUnreachableError, also when
        the hub does not take one back: that must not count as done.
        """
        url = f"{self.settings.api_url}/invitations" + (f"/{quote(name, safe='')}" if name else "")
        data: object = {} if method == "POST" else None
        answer = await self.call(url, token=self.settings.api_token, data=data, method=method)
        if answer is None and method == "DELETE":
            raise HubUnreachableError("the hub did not take an invitation back", REFUSALS[-1])
        return answer

    async def report_use(self, last: datetime.datetime, *, over: bool = False) -> None:
        """Tell the hub when somebody or something last used this session.

        *over* tells that its person ends it on its own page.
        """
        if not self.settings.activity_url:
            return
        at = last.isoformat()
        used = {"last_activity": at, **({"over": True} if over else {})}
        data = {"servers": {self.settings.server_name: used}, "last_activity": at}
        try:
            await self.call(self.settings.activity_url, token=self.settings.api_token, data=data)
        except HubUnreachableError as error:
            log.warning("use not reported: %s", error)

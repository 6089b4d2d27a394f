"""The hub as the portal sees it: the sessions of one person, by the hub's REST API.

API: https://jupyterhub.readthedocs.io/en/stable/reference/rest-api.html (hub 6.1). The token is
the portal's own; it can start, see and stop sessions and nothing else.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from jupyterhub.httpclient import fetch

from daas_model.errors import BadRequest, DaasError, HubUnavailable
from daas_model.launch import LaunchRequest

#: A start may take its time; everything else is quick or the hub is ill.
START_TIMEOUT = aiohttp.ClientTimeout(total=60)
TIMEOUT = aiohttp.ClientTimeout(total=10)

log = logging.getLogger("daas_portal")

#: How the spawner ends its sentences: with the error's code.
_CODE = re.compile(r"\s*\[(DAAS-[A-Z-]+)\]\s*\Z")


@dataclass(frozen=True, slots=True)
class HubSession:
    """One session in the hub's words, parsed. *pending* is `spawn`, `stop` or empty."""

    name: str
    title: str
    ready: bool
    pending: str
    url: str
    started: str
    request: LaunchRequest | None

    @classmethod
    def parse(cls, name: str, model: Mapping[str, Any]) -> "HubSession":
        """Read the hub's model of a named server."""
        try:
            request = LaunchRequest.parse(model.get("user_options"))
        except BadRequest:
            request = None
        return cls(
            name=name,
            title=str(model.get("display_name") or name),
            ready=bool(model.get("ready")),
            pending=str(model.get("pending") or ""),
            url=str(model.get("full_url") or model.get("url") or ""),
            started=str(model.get("started") or ""),
            request=request,
        )

    @property
    def is_ours(self) -> bool:
        """Return whether the portal started it, or it runs all the same.

        An administrator's refused start leaves a record in the hub that is no session.
        """
        asked = self.request is not None and self.request.server_name == self.name
        return asked or self.ready or bool(self.pending)


@dataclass(frozen=True, slots=True)
class HubStates:
    """What the spawner says beyond the hub's own states, in sentences for a page.

    *engines*: those that are away, by name, and why. *sessions*: how far a start is, or why a
    session does not run, by the session's name.
    """

    engines: Mapping[str, str]
    sessions: Mapping[str, str]

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "HubStates":
        """Read what `/api/states` says."""
        engines, sessions = answer.get("engines") or {}, answer.get("sessions") or {}
        return cls(engines=dict(engines), sessions=dict(sessions))


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a start. *failed* and *ready* end the stream."""

    message: str
    ready: bool
    failed: bool


class Refused(DaasError):
    """The hub or the spawner refused; the sentence is theirs."""

    code = "DAAS-REFUSED"
    status = 403
    default_action = ""

    def __str__(self) -> str:
        return self.message


class HubClient:
    """The calls that the portal makes. Raises `HubUnavailable` when the hub does not answer."""

    def __init__(self, api_url: str, token: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._headers = {"Authorization": f"token {token}"}

    async def sessions(self, person: str) -> dict[str, HubSession]:
        """Return the sessions of *person* by name, those that have ended included."""
        answer = await self._call("GET", f"users/{quote(person)}?include_stopped_servers=1")
        servers = answer.get("servers", {})
        sessions = [HubSession.parse(name, model) for name, model in servers.items()]
        return {session.name: session for session in sessions if session.is_ours}

    async def states(self, person: str) -> HubStates:
        """Return what there is to say of engines and of *person*'s sessions.

        A hub that does not answer has nothing to say: that hides no machine.
        """
        try:
            return HubStates.parse(await self._call("GET", f"states/{quote(person)}"))
        except DaasError as error:
            log.warning("%s: %s", error.code, error.detail or error.message)
            return HubStates({}, {})

    async def start(self, person: str, request: LaunchRequest, title: str) -> None:
        """Ask the hub to start a session. Raises `Refused` with the spawner's sentence.

        Returns when it runs or when the hub answers that it takes longer.
        """
        await self._call(
            "POST",
            self._server(person, request.server_name),
            {"display_name": title, "user_options": request.as_options()},
        )

    async def notices(self, token: str) -> tuple[str, ...]:
        """Return what the owner of *token* should read on every page just now."""
        answer = await self._call("GET", "notices", token=token)
        return tuple(str(sentence) for sentence in answer.get("notices", ()))

    async def stop(self, person: str, name: str) -> None:
        """End a session and forget it. One that is unknown or gone is no error."""
        await self._call(
            "DELETE", self._server(person, name), {"remove": True}, missing_is_fine=True
        )

    async def call_off(self, person: str, name: str) -> None:
        """End a start that is under way. Raises `Refused` if that takes longer."""
        await self._call("DELETE", f"starts/{quote(person)}/{quote(name)}")

    async def progress(self, person: str, name: str) -> AsyncIterator[Progress]:
        """Follow a start until it is ready or has failed."""
        try:
            answer = await fetch(
                f"{self._api_url}/{self._server(person, name)}/progress",
                headers={**self._headers, "Accept": "text/event-stream"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                raise_for_status=False,
            )
            async with answer:
                if answer.status != 200:
                    return
                async for line in answer.content:
                    if line.startswith(b"data:"):
                        event = json.loads(line[5:])
                        yield Progress(
                            message=str(event.get("message", "")),
                            ready=bool(event.get("ready")),
                            failed=bool(event.get("failed")),
                        )
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise _unavailable(error) from error

    @staticmethod
    def _server(person: str, name: str) -> str:
        return f"users/{quote(person)}/servers/{quote(name)}"

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        missing_is_fine: bool = False,
        token: str = "",
    ) -> dict[str, Any]:
        """Ask with the portal's own token, or with a person's *token*."""
        headers = {"Authorization": f"token {token}"} if token else self._headers
        try:
            answer = await fetch(
                f"{self._api_url}/{path}",
                method=method,
                headers=headers,
                json=body,
                timeout=START_TIMEOUT if method == "POST" else TIMEOUT,
                raise_for_status=False,
            )
            async with answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unavailable(error) from error
        if answer.status == 404 and missing_is_fine:
            return {}
        if answer.status >= 400:
            raise _refused(answer.status, text)
        return json.loads(text) if text else {}


def _unavailable(error: Exception) -> HubUnavailable:
    return HubUnavailable("The portal cannot reach the hub just now.", detail=repr(error))


def _refused(status: int, text: str) -> DaasError:
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = ""
    if not message:
        return HubUnavailable("The hub could not do this.", detail=f"status {status}: {text[:200]}")
    return refused(message, status)


def refused(message: str, status: int = Refused.status) -> Refused:
    """Return the hub's refusal, with the code that stands at the end of the spawner's sentence."""
    code = _CODE.search(message)
    error = Refused(message[: code.start()] if code else message)
    error.code = code[1] if code else Refused.code
    error.status = status
    return error

"""Lets in who the hub lets in: OAuth with PKCE, the verdict asked again while she stays.

Used by every handler of the server. Follows jupyterhub.services.auth.HubOAuth (6.1), written
anew because importing that costs 47 MB and half a second. Sources: RFC 6749, 7636.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tornado.web import RequestHandler

from daas_desktop.door.hub import Hub, HubUnreachableError
from daas_desktop.door.open_connections import ASK_EVERY_S, OpenConnections

FLOW_KEPT_S = 600
LONGEST_NEXT = 1500
_HEADER = re.compile(r"(?:token|bearer)\s+(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the hub says of a visitor: whether she is known, may come in, and owns the session."""

    known: bool
    welcome: bool
    name: str = ""
    owner: bool = False


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser at the door. The hub changes `login` at logout: a kept verdict ends at once."""

    token: str = field(repr=False)
    login: str = field(repr=False)


STRANGER = Verdict(known=False, welcome=False)


class LoginError(Exception):
    """A login that came back from the hub cannot be finished; the text is for the person."""


class HubLogin:
    """One session's door."""

    def __init__(self, hub: Hub, ask_every_s: float = ASK_EVERY_S) -> None:
        self._hub = hub
        self._kept_s = ask_every_s
        self._verdicts: dict[Visitor, tuple[float, Verdict]] = {}
        self._open = OpenConnections(self._may_stay, ask_every_s)
        # The name is the session's own: the cookies of /user/pi/ also reach /user/pi/pymca-x/.
        name = re.sub(r"[^\w-]", "-", hub.settings.client_id)
        self._cookie = hub.settings.cookie_prefix + name

    async def verdict(self, handler: RequestHandler) -> Verdict:
        """Say who is at the door. Raises HubUnreachableError when nobody can tell."""
        visitor = self._visitor(handler)
        if visitor is None:
            return STRANGER
        now = time.monotonic()
        self._verdicts = {who: kept for who, kept in self._verdicts.items() if kept[0] > now}
        if kept := self._verdicts.get(visitor):
            return kept[1]
        return await self._ask(visitor)

    def watch(self, handler: RequestHandler) -> None:
        """End this connection when the hub has forgotten its visitor, whatever her cookie says."""
        if visitor := self._visitor(handler):
            self._open.add(visitor, handler)

    async def _may_stay(self, visitor: Visitor) -> bool:
        return (await self._ask(visitor)).welcome

    async def _ask(self, visitor: Visitor) -> Verdict:
        person = await self._hub.call(f"{self._hub.settings.api_url}/user", token=visitor.token)
        verdict = self._judge(person)
        self._verdicts[visitor] = (time.monotonic() + self._kept_s, verdict)
        return verdict

    def _judge(self, person: object) -> Verdict:
        if person is None:
            return STRANGER
        if not isinstance(person, dict):
            raise HubUnreachableError("the hub's answer is no person")
        held = set(person.get("scopes", ()))
        needed = self._hub.settings.access_scopes
        name = str(person.get("name", ""))
        return Verdict(
            known=True,
            # A scope without a filter holds for everybody's sessions.
            welcome=any({s, s.partition("!")[0]} & held for s in needed),
            name=name,
            # A service may have a person's name.
            owner=person.get("kind") == "user" and bool(name) and name == self._hub.settings.owner,
        )

    def _visitor(self, handler: RequestHandler) -> Visitor | None:
        token = self._token(handler)
        login = handler.get_cookie("jupyterhub-session-id", "") or ""
        return None if token is None else Visitor(token, login)

    def _token(self, handler: RequestHandler) -> str | None:
        if match := _HEADER.fullmatch(handler.request.headers.get("Authorization", "")):
            return match[1]
        cookie = handler.get_signed_cookie(self._cookie, max_age_days=1)
        return cookie.decode() if cookie else None

    def send_to_hub(self, handler: RequestHandler) -> None:
        """Redirect a page to the hub's login, to come back to the same page."""
        state, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        settings = self._hub.settings
        # A cookie holds 4 kB, and nothing here reads a query: one that is too long is left out.
        wanted = handler.request.uri or settings.prefix
        wanted = wanted if len(wanted) <= LONGEST_NEXT else handler.request.path
        flow = json.dumps({"verifier": verifier, "next": wanted})
        self._set_cookie(handler, self._flow_cookie(state), flow, max_age=FLOW_KEPT_S)
        query = {
            "client_id": settings.client_id,
            "redirect_uri": settings.callback_url,
            "response_type": "code",
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        handler.redirect(f"{settings.authorize_url}?{urlencode(query)}")

    async def finish(self, handler: RequestHandler) -> None:
        """Turn the hub's code into a login and go on to the page asked for.

        Raises LoginError when this browser did not begin it, or the hub does not confirm it.
        """
        settings = self._hub.settings
        state = handler.get_query_argument("state", "")
        code = handler.get_query_argument("code", "")
        name = self._flow_cookie(state)
        flow = handler.get_signed_cookie(name, max_age_days=FLOW_KEPT_S / 86400)
        secure = bool(settings.cookie_prefix)
        handler.clear_cookie(name, path=settings.cookie_path, secure=secure)
        if not flow or not code:
            raise LoginError("This sign-in was begun elsewhere or took too long.")
        kept = json.loads(flow)
        answer = await self._hub.call(
            f"{settings.api_url}/oauth2/token",
            form={
                "client_id": settings.client_id,
                "client_secret": settings.api_token,
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": settings.callback_url,
                "code_verifier": kept["verifier"],
            },
        )
        if answer is None or "access_token" not in answer:
            raise LoginError("The sign-in was not confirmed.")
        self._set_cookie(handler, self._cookie, answer["access_token"])
        handler.redirect(inside(settings.prefix, kept["next"]))

    def _flow_cookie(self, state: str) -> str:
        # One cookie for each sign-in: two tabs do not disturb each other.
        return f"{self._cookie}-flow-{hashlib.sha256(state.encode()).hexdigest()[:12]}"

    def _set_cookie(
        self, handler: RequestHandler, name: str, value: str, max_age: int | None = None
    ) -> None:
        handler.set_signed_cookie(
            name,
            value,
            expires_days=None,
            max_age=max_age,
            path=self._hub.settings.cookie_path,
            httponly=True,
            samesite="Lax",
            secure=bool(self._hub.settings.cookie_prefix) or _browser_speaks_https(handler),
        )


def inside(prefix: str, address: str) -> str:
    """Give `address` if it lies below `prefix`, else `prefix`: a login leads nowhere else."""
    plain = address.isprintable() and not re.search(r"\\|//|/\.\.?(?:[/?]|$)", address)
    return address if plain and address.startswith(prefix) else prefix


def _browser_speaks_https(handler: RequestHandler) -> bool:
    headers = handler.request.headers
    said = headers.get("X-Scheme") or headers.get("X-Forwarded-Proto") or handler.request.protocol
    # Each proxy adds to the list; the browser's own is the first.
    return said.split(",")[0].strip() == "https"

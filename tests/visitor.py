"""A visitor without a browser: cookies, redirects and forms over HTTP, against a real demo."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from http.cookies import Morsel
from typing import Any
from urllib.parse import urljoin

import aiohttp
from yarl import URL


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the last address, its status and its text."""

    url: str
    status: int
    text: str


class Visitor:
    """One person's cookies. Use as `async with Visitor(url) as pi: await pi.sign_in("pi")`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.who = ""

    async def __aenter__(self) -> "Visitor":
        jar = aiohttp.CookieJar(unsafe=True)  # addresses without a name count as unsafe there
        self._http = aiohttp.ClientSession(cookie_jar=jar)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def sign_in(self, who: str, path: str = "/services/portal/") -> Answer:
        """Press the demo provider's button for *who*; return the page where it ends."""
        self.who = who
        page = await self.get(path)
        form = {"person": who, **hidden_fields(page.text)}
        return await self.post(page.url, form)

    async def get(self, path: str, **more: Any) -> Answer:
        """Ask for a page, following redirects as a browser does."""
        return await self._ask("GET", path, **more)

    async def post(self, path: str, form: Mapping[str, Any], **more: Any) -> Answer:
        """Send a form, following redirects as a browser does."""
        return await self._ask("POST", path, data=form, **more)

    async def api(self, method: str, path: str, token: str = "", body: Any = None) -> Answer:
        """Call the hub's API, with a token or (without one) with this visitor's cookies."""
        headers = {"Authorization": f"token {token}"} if token else {"X-XSRFToken": self.xsrf}
        headers["Content-Type"] = "application/json"  # the hub takes no cookie without it
        data = b"" if body is None else json.dumps(body).encode()
        return await self._ask(method, f"/hub/api{path}", headers=headers, data=data)

    async def portal(self, action: str, **fields: Any) -> Answer:
        """Send one of the portal's own forms, with the page's token."""
        page = await self.get("/services/portal/")
        form = {"_xsrf": hidden_fields(page.text)["_xsrf"], **fields}
        return await self.post(f"/services/portal/{action}", form)

    async def token(self) -> str:
        """Make an API token of one's own, as the hub's token page does."""
        await self.get("/hub/token")
        answer = await self.api("POST", f"/users/{self.who}/tokens", body={"note": "test"})
        assert answer.status == 201, answer
        found = re.search(r'"token": "([^"]+)"', answer.text)
        assert found
        return found[1]

    async def web_socket(self, path: str) -> int:
        """Try to open a web socket with this visitor's cookies; return the refusal's status."""
        try:
            async with self._http.ws_connect(urljoin(self.url, path)):
                return 101
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status

    @property
    def xsrf(self) -> str:
        """The hub's token for forms and scripts of this visitor."""
        return self.cookie("_xsrf")

    def cookie(self, name: str) -> str:
        """Return one of the hub's cookies, empty when there is none."""
        cookies = self._http.cookie_jar.filter_cookies(URL(urljoin(self.url, "/hub/")))
        return cookies[name].value if name in cookies else ""

    def cookies(self) -> list[Morsel[str]]:
        """Return all cookies with what they say of themselves."""
        return list(self._http.cookie_jar)

    async def _ask(self, method: str, path: str, **more: Any) -> Answer:
        address = URL(urljoin(self.url, path), encoded=True)
        async with self._http.request(method, address, **more) as answer:
            return Answer(str(answer.url), answer.status, await answer.text())


def hidden_fields(page: str) -> dict[str, str]:
    """Return the first form's hidden fields."""
    form = page.partition("<form")[2].partition("</form>")[0]
    fields = re.findall(r"<input[^>]*type=\"?hidden\"?[^>]*>", form)
    found = {}
    for field in fields:
        name = re.search(r"name=\"?([^\s\">]+)", field)
        value = re.search(r"value=\"([^\"]*)\"", field)
        if name:
            found[name[1]] = unescape(value[1]) if value else ""
    return found

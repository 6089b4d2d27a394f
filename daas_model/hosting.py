"""Where the portal and the sessions live, as browsers see them. Pure.

`jupyterhub_config.py` reads it once from the environment and hands it to each package: on
sub-domains, one for each person, so that a page of one person's session is a foreign page to the
hub and to everybody else's sessions; or, for a demo, all on one host.
"""

import hashlib
import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

SUBDOMAINS, PATHS = "subdomains", "paths"

#: The one service that is trusted like the hub itself, and shares its host.
PORTAL = "portal"

ONE_ADDRESS = (
    "Everybody's sessions share one web address, so a page that a session shows could act for "
    "whoever looks at it. In production each person has a sub-domain of her own."
)

_PATH = re.compile(r"(?:/[A-Za-z0-9_~][A-Za-z0-9._~-]*)*/?")
# A label for certificates and browsers alike; without `--`, which ours and those of IDNA have.
_LABEL = re.compile(r"(?!.*--)[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
# The longest host name is 253 characters; the longest label of ours has 52 and a dot.
_LONGEST_DOMAIN = 200


@dataclass(frozen=True, slots=True)
class Hosting:
    """The addresses. *public_url* is empty where nobody has set it; paths end with a slash.

    Sessions are on hosts below *sessions_url*, which is empty where they share the hub's.
    """

    public_url: str
    sessions_url: str
    base_path: str
    listen_url: str

    @classmethod
    def parse(
        cls, kind: str, public_url: str, listen_url: str, sessions_url: str = ""
    ) -> "Hosting":
        """Read `DAAS_HOSTING`, `DAAS_PUBLIC_URL`, `DAAS_URL` and `DAAS_SESSIONS_URL`.

        Raises ValueError with a sentence that says what to set.
        """
        if kind not in (SUBDOMAINS, PATHS):
            raise ValueError(f"DAAS_HOSTING must be {SUBDOMAINS} or {PATHS}")
        listen = urlsplit(listen_url)
        public = _address("DAAS_PUBLIC_URL", public_url) if public_url else None
        sessions = _address("DAAS_SESSIONS_URL", sessions_url) if sessions_url else public
        if kind == SUBDOMAINS:
            _require_subdomains_can_work(public, sessions)
        elif sessions_url:
            raise ValueError("DAAS_SESSIONS_URL is for DAAS_HOSTING=subdomains")
        base = (public or listen).path.rstrip("/") + "/"
        return cls(
            public_url=public._replace(path=base).geturl() if public else "",
            sessions_url=_origin(sessions) if sessions and kind == SUBDOMAINS else "",
            base_path=base,
            listen_url=listen._replace(path=base).geturl(),
        )

    @property
    def subdomains(self) -> bool:
        """Whether each person's sessions have a host of their own."""
        return bool(self.sessions_url)

    @property
    def https(self) -> bool:
        """Whether browsers come by https."""
        return self.public_url.startswith("https://")

    @property
    def portal_path(self) -> str:
        """Where the portal is on the hub's host."""
        return f"{self.base_path}services/{PORTAL}/"

    @property
    def portal_url(self) -> str:
        """Where the portal is, as a session must write it."""
        origin = _origin(urlsplit(self.public_url)) if self.subdomains else ""
        return origin + self.portal_path

    @property
    def session_origins(self) -> str:
        """All hosts of sessions, as a content security policy writes them; empty when ours."""
        return self.sessions_url.replace("://", "://*.", 1)

    def host_of(self, name: str, domain: str, kind: str) -> str:  # noqa: ARG002  the hub's own
        """Return the host of the person or service *name*: the hub's `subdomain_hook`.

        Two names never share one, and each is one label below the sessions' domain, so that one
        wildcard certificate serves all. The hub's own hook keeps 28 bits of a name with a dot.
        """
        if kind == "service" and name == PORTAL:
            return urlsplit(self.public_url).hostname or ""
        suffix = "" if kind == "user" else f"--{kind}"
        return f"{_label(name)}{suffix}.{urlsplit(self.sessions_url).hostname}"


def _label(name: str) -> str:
    if _LABEL.fullmatch(name):
        return name
    stub = re.sub(r"[^a-z0-9]", "", name.lower())[:8] or "x"
    return f"u-{stub}--{hashlib.sha256(name.encode()).hexdigest()[:40]}"


def _origin(address: SplitResult) -> str:
    return f"{address.scheme}://{address.netloc}"


def _address(variable: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        good = parts.port is None or parts.port > 0
    except ValueError:
        good = False
    if (
        not good
        or parts.scheme not in ("https", "http")
        or not re.fullmatch(r"[a-z0-9.:\[\]-]+", parts.netloc)
        or not _PATH.fullmatch(parts.path)
        or parts.query
        or parts.fragment
    ):
        raise ValueError(
            f"{variable} must be an address as browsers see it, in small letters, such as "
            "https://daas.facility.example/"
        )
    return parts


def _require_subdomains_can_work(public: SplitResult | None, sessions: SplitResult | None) -> None:
    if not (public and sessions and _has_subdomains(public) and _has_subdomains(sessions)):
        raise ValueError(
            "Each person's sessions have a sub-domain of their own: set DAAS_PUBLIC_URL to the "
            "portal's https address with a host name, such as https://daas.facility.example/ "
            "(docs/how-to/put-nginx-in-front.md). For a demo among people who trust each other, "
            "set DAAS_HOSTING=paths."
        )
    if (public.hostname or "").endswith(f".{sessions.hostname}"):
        raise ValueError(
            "DAAS_PUBLIC_URL must not be below DAAS_SESSIONS_URL: it could be a person"
        )
    if public.port != sessions.port:
        raise ValueError("DAAS_SESSIONS_URL and DAAS_PUBLIC_URL must have the same port")


def _has_subdomains(address: SplitResult) -> bool:
    if address.scheme != "https":
        return False
    host = address.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return "." in host.strip(".") and len(host) <= _LONGEST_DOMAIN
    return False

"""One browser that is signed in, and how it is named to a person.

Used by `register`, by the account page and by whatever ends logins.
"""

import hashlib
from dataclasses import dataclass

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Login:
    """A browser that is signed in. Times are seconds since 1970.

    *key* stands for the browser's session cookie. *sid* is the provider's name for its own end
    of the login, or empty (OpenID Connect Back-Channel Logout, 2.1).
    """

    key: str
    name: str
    provider: str
    issuer: str
    subject: str
    sid: str
    started_at: int
    ends_at: int
    public: bool
    browser: str


def key_of(session_id: str) -> str:
    """Return what stands for a browser's session cookie; it leads nowhere back."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def browser_words(user_agent: str) -> str:
    """Return a browser as a person knows it: `Firefox on Windows`."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A browser")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser

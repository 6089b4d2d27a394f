"""One login in one browser tab, from the click to the provider's answer.

The handlers keep it in a signed cookie of its own, so that two tabs do not disturb each other.
RFC 7636 (PKCE), OpenID Connect Core 3.1.2.1 (state, nonce).
"""

import base64
import hashlib
import json
import re
import secrets
import time
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from daas_authenticator.providers import DEFAULT

LIFETIME_SECONDS = 600
_STATE = re.compile(r"[A-Za-z0-9_-]{22}")
# A launch link may name many proposals; it is written once more into the sign-in page's links.
_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,16000}")


class Purpose(StrEnum):
    """What a trip to a provider is for."""

    SIGN_IN = "sign-in"
    PROVE = "prove"  # that it is still she who sits there
    LINK = "link"  # a further identity
    RAISE = "raise"  # to let rights count for some minutes


@dataclass(frozen=True, slots=True)
class LoginFlow:
    """What must come back unchanged, and where the person wanted to go.

    *name* is who began it, and *login* the key of her login, where only somebody who is signed in
    can. *public*: at a computer that others use too.
    """

    next_url: str = ""
    provider: str = DEFAULT
    purpose: Purpose = Purpose.SIGN_IN
    name: str = ""
    login: str = ""
    public: bool = False
    acr_values: str = ""
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    started: int = field(default_factory=lambda: int(time.time()))

    @property
    def challenge(self) -> str:
        """The S256 code challenge of the verifier (RFC 7636, 4.2)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    @property
    def wanted_from_provider(self) -> dict[str, str]:
        """What the provider is asked for besides: to have the person sign in there anew."""
        # OpenID Connect Core, 3.1.2.1: with `max_age` the answer must say when she did.
        if self.purpose is Purpose.SIGN_IN:
            # Who sat here before may still be signed in there.
            return {"prompt": "login"} if self.public else {}
        acr = {"acr_values": self.acr_values} if self.acr_values else {}
        return {"prompt": "login", "max_age": "0", **acr}

    def to_cookie(self) -> str:
        """Return the text that `from_cookie` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_cookie(cls, text: bytes | None) -> "LoginFlow | None":
        """Return the flow of a cookie whose signature was checked; None when it is too old."""
        if not text:
            return None
        try:
            kept = json.loads(text)
            flow = cls(**{**kept, "purpose": Purpose(kept["purpose"])})
        except (ValueError, TypeError, KeyError):  # a cookie of another version of ours
            return None
        return flow if time.time() - flow.started < LIFETIME_SECONDS else None


def is_state(text: str) -> bool:
    """Tell whether *text* may be a state of ours: it becomes a part of a cookie's name."""
    return _STATE.fullmatch(text) is not None


def safe_path(url: str) -> str:
    r"""Return *url* when it is a path on this origin, else nothing.

    Browsers read `//host`, `/\host` and paths with tabs or line ends as other hosts.
    """
    return url if _PATH.fullmatch(url) else ""

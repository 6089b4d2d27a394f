"""Whether a browser stands where others use it too: what its person has said, until she closes it.

Used by the sign-in pages. Kept in a cookie, so that a login that is over is not followed by an
ordinary one without anybody saying so.
"""

from typing import Any

_COOKIE = "daas-public-computer"


def is_public(handler: Any) -> bool:
    """Tell whether this is a public computer, by the address or by what was said before."""
    said = handler.get_query_argument("public", "")
    if said in ("yes", "no"):
        return bool(said == "yes")
    return bool(handler.get_cookie(_COOKIE, "") == "yes")


def say_public(handler: Any, public: bool) -> None:
    """Remember it in this browser, until it is closed."""
    path = handler.hub.base_url
    if public:
        handler._set_cookie(_COOKIE, "yes", encrypted=False, path=path)
    else:
        handler.clear_cookie(_COOKIE, path=path)

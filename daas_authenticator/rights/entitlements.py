"""Entitlements of the AARC guidelines, read into their parts. Called by `rules`.

Groups and roles are written as AARC-G069 (and G002 before it), capabilities as AARC-G027. The
authority is no part of a URN's identity (RFC 8141, 3), so texts must not be compared.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import unquote_to_bytes

#: Longer than any that is real; a claim may hold thousands of them.
MAX_LENGTH = 1024

# RFC 8141, 2: after `urn:` and the namespace identifier, only these characters, or %XX.
_URN = re.compile(
    r"(?i:urn:(?P<nid>[a-z0-9][a-z0-9-]{0,30}[a-z0-9]))"
    r":(?P<nss>(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})+)"
    r"(?:#(?P<authority>(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+))?",
    re.ASCII,
)
_KINDS = ("group", "res")
_ROLE = "role="


@dataclass(frozen=True, slots=True)
class Entitlement:
    """One membership (`group`) or one capability (`res`), every part decoded.

    *namespace* begins with the URN's namespace identifier. *path* is the group with its subgroups,
    or the resource with its children. *role* belongs to the last group of the path.
    """

    namespace: tuple[str, ...]
    kind: Literal["group", "res"]
    path: tuple[str, ...]
    role: str = ""
    actions: frozenset[str] = frozenset()
    authority: str = ""

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """Return what *text* says, or None when it is no entitlement: that gives no right."""
        if not isinstance(text, str) or len(text) > MAX_LENGTH:
            return None
        found = _URN.fullmatch(text)
        if found is None:
            return None
        try:
            # `urn` and the identifier are the same in any case, all else is exact (RFC 8141, 3.1).
            return cls._of(found["nid"].lower(), found["nss"].split(":"), found["authority"] or "")
        except ValueError:
            return None

    @classmethod
    def _of(cls, nid: str, parts: list[str], authority: str) -> Self:
        """Raises `ValueError`. Keywords are sought before decoding: no name becomes one by it."""
        at = next((i for i, part in enumerate(parts) if i > 0 and part in _KINDS), 0)
        if at == 0:
            raise ValueError("neither a group nor a resource, or no namespace")
        namespace = (nid, *map(_decoded, parts[:at]))
        path, role, actions = parts[at + 1 :], "", frozenset[str]()
        kind: Literal["group", "res"] = "group" if parts[at] == "group" else "res"
        if kind == "group" and path and path[-1].startswith(_ROLE):
            role = _decoded(path.pop()[len(_ROLE) :])
        elif kind == "res" and "act" in path[1:]:
            *path, act, listed = path
            if act != "act":
                raise ValueError("no actions, or something after them")
            actions = frozenset(map(_decoded, listed.split(",")))
        if not path or (kind == "group" and any(name.startswith(_ROLE) for name in path)):
            raise ValueError("no group, or a role that is not at the end")
        decoded = tuple(map(_decoded, path))
        return cls(namespace, kind, decoded, role, actions, authority and _decoded(authority))

    def meets(self, asked: "Entitlement", *, subgroups: bool = False) -> bool:
        """Tell whether who holds this one has what is *asked*.

        Whoever has a role in a group is in the group; a role is asked for exactly. Members of a
        subgroup count for its parent if *subgroups* says so. Actions: all that are asked, and with
        none asked only a capability that names none.
        """
        same = (self.namespace, self.kind, self.authority)
        if same != (asked.namespace, asked.kind, asked.authority):
            return False
        if asked.kind == "res":
            enough = self.actions >= asked.actions if asked.actions else not self.actions
            return self.path == asked.path and enough
        if asked.role or not subgroups:
            return self.path == asked.path and asked.role in ("", self.role)
        return self.path[: len(asked.path)] == asked.path


def _decoded(part: str) -> str:
    """Decode one part, so that a `:` or `#` in it stays a letter of a name."""
    text = unquote_to_bytes(part).decode("utf-8")  # a UnicodeDecodeError is a ValueError
    if not text or not text.isprintable():
        raise ValueError("a part that is empty or holds control characters")
    return text

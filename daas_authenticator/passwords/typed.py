"""What somebody typed into a sign-in form, parsed once. Made by `pages`.

Nothing of it appears in `repr`: people also type their password into the field for the name.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daas_model.errors import BadRequest, DaasError, LoginFailed

LONGEST_NAME = 128
_LONGEST_PASSWORD_BYTES = 1024


@dataclass(frozen=True, slots=True, repr=False)
class Typed:
    """A name and a password; the password exactly as it was typed."""

    name: str
    password: str

    @classmethod
    def from_form(cls, fields: Mapping[str, Sequence[bytes]]) -> "Typed":
        """Return what is in a form's body, which must be *fields* as they came.

        Tornado's own reader puts spaces in the place of control characters and looks into the
        address too. Raises `BadRequest` for a field that is empty, and `LoginFailed` for what
        cannot be right anywhere.
        """
        name, password = _text(fields, "username").strip(), _text(fields, "password")
        if not name or not password.strip():
            raise BadRequest("Type your name and your password.", "Then press Sign in.")
        long = len(name) > LONGEST_NAME or len(password.encode()) > _LONGEST_PASSWORD_BYTES
        # To a library in C a text ends at NUL: "right\0anything" would be right.
        if long or not name.isprintable() or "\0" in password:
            raise wrong("cannot be right: too long, or with characters that no name has")
        return cls(name, password)

    @property
    def key(self) -> str:
        """The name as attempts are counted: alike for all that a directory may take for equal."""
        letters = unicodedata.normalize("NFKD", self.name).casefold()
        return "".join(c for c in letters if not unicodedata.combining(c) and not c.isspace())


def typed_name(fields: Mapping[str, Sequence[bytes]]) -> str:
    """Return the name in a form's body to show it there once more; empty when it is none."""
    try:
        name = _text(fields, "username").strip()
    except DaasError:
        return ""
    return name if len(name) <= LONGEST_NAME and name.isprintable() else ""


def wrong(why: str = "wrong name or password") -> LoginFailed:
    """Return the one error for an unknown name and a wrong password; *why* is for the log."""
    return LoginFailed("Name or password is wrong.", "Try again.", detail=why)


def _text(fields: Mapping[str, Sequence[bytes]], name: str) -> str:
    values = fields.get(name, ())
    if len(values) > 1:
        raise BadRequest("The form came twice in one.", "Sign in again.")
    try:
        return values[0].decode("utf-8") if values else ""
    except UnicodeDecodeError:
        raise wrong("not UTF-8") from None

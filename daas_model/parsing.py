"""Reading outside data: one typed field at a time, each failure a sentence.

Used where YAML, JSON or form data becomes one of our frozen types; nowhere else.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar  # outside data is `Any` until it has passed through here

T = TypeVar("T")

#: What may stand in a URL, a label, a folder name and a server name.
IDENTIFIER = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class Malformed(ValueError):
    """The data is not of the shape it must have; the text says where."""


def text(data: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """Return the text under *key*. Raises `Malformed` when it is missing or something else.

    With a *default* it may be missing or empty.
    """
    value = data.get(key)
    value = default if value is None else value
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise Malformed(f"'{key}' must be a text")
    return value.strip()


def texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return the list of texts under *key*, empty when it is missing."""
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Malformed(f"'{key}' must be a list of texts")
    return tuple(value)


def number(data: Mapping[str, Any], key: str) -> float:
    """Return the positive number under *key*."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise Malformed(f"'{key}' must be a number above 0")
    return value


def whole_number(data: Mapping[str, Any], key: str) -> int:
    """Return the whole number, 0 or more, under *key*; 0 when it is missing."""
    value = data.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Malformed(f"'{key}' must be a whole number, 0 or more")
    return value


def table(data: Mapping[str, Any], key: str) -> Mapping[str, str]:
    """Return the table of texts under *key*, empty when it is missing."""
    value = data.get(key, {})
    if not isinstance(value, dict) or not all(
        isinstance(one, str) for pair in value.items() for one in pair
    ):
        raise Malformed(f"'{key}' must be a table of names and texts")
    return dict(value)


def yes(data: Mapping[str, Any], key: str) -> bool:
    """Return the true or false under *key*, false when it is missing."""
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise Malformed(f"'{key}' must be true or false")
    return value


def identifier(value: object, what: str) -> str:
    """Return *value* as an identifier of letters, digits, dot, dash and underscore."""
    if not isinstance(value, str) or not IDENTIFIER.match(value):
        raise Malformed(f"'{what}' must be 1–64 letters, digits, '.', '-' or '_'")
    return value


def only(data: object, allowed: frozenset[str]) -> Mapping[str, Any]:
    """Return *data* as a mapping that has no keys but *allowed*: a misspelt key is an error."""
    if not isinstance(data, dict):
        raise Malformed("it must be a mapping of names to values")
    unknown = sorted(str(key) for key in data if key not in allowed)
    if unknown:
        raise Malformed(f"unknown entry {', '.join(unknown)}")
    return data


def each(values: object, what: str, parse: Callable[[object], T]) -> tuple[T, ...]:
    """Parse a list item by item; a failure names the item's place."""
    if not isinstance(values, list):
        raise Malformed(f"'{what}' must be a list")
    result = []
    for place, value in enumerate(values, start=1):
        try:
            result.append(parse(value))
        except Malformed as error:
            raise Malformed(f"'{what}', entry {place}: {error}") from error
    return tuple(result)

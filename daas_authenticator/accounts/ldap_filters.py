"""The check of the LDAP filters in the settings. Needs no LDAP library; called by the traits."""

from string import Formatter

from traitlets import TraitError


def checked_filter(query: str, words: set[str], what: str) -> str:
    """Return *query* if it is in brackets and has some of *words* to fill in, and no others."""
    try:
        found = {field for _, field, _, _ in Formatter().parse(query) if field is not None}
    except ValueError:
        found = set()
    if not found or found - words or not (query.startswith("(") and query.endswith(")")):
        raise TraitError(f"{what} must be a filter in brackets with {{{'}, {'.join(words)}}}")
    return query

"""From a provider's claims to one local name and to group names.

Called by the authenticator at each login and refresh. Pure functions.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daas_model.errors import AccountProblem

# Two names that differ only in what a normaliser drops would be one account: nothing is
# lower-cased or stripped, what does not fit is refused.
NAME_PATTERN = r"[a-z][a-z0-9_.-]{0,31}"

_RESERVED = """
    root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats
    nobody systemd-network systemd-resolve messagebus sshd admin administrator hub jupyterhub
    service services portal daas system
"""
RESERVED_NAMES = frozenset(_RESERVED.split())


def is_local_name(name: str, pattern: str = NAME_PATTERN) -> bool:
    """Tell whether *name*, all of it, fits *pattern* and may be a local account's name."""
    return re.fullmatch(pattern, name, re.ASCII) is not None


def local_name(
    claims: Mapping[str, Any],
    claim: str | Callable[[Mapping[str, Any]], Any],
    reserved: Iterable[str] = RESERVED_NAMES,
    pattern: str = NAME_PATTERN,
) -> str:
    """Return the local name that *claims* give in *claim*: a text, or a list of exactly one.

    Brokers that speak SAML behind send single values as lists. Raises `AccountProblem` when
    the claim is missing, is no local name, or is one of the *reserved* names.
    """
    value = claim(claims) if callable(claim) else claims.get(claim)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value:
        raise AccountProblem(
            "Your identity provider did not tell us your account's name.",
            detail=f"claim {claim!r} is {type(value).__name__}; claims: {sorted(claims)}",
        )
    if not is_local_name(value, pattern):
        usual = (
            " A name has 1 to 32 small letters, digits, dots, dashes or underscores and starts "
            "with a letter."
        )
        raise AccountProblem(
            "The name that your identity provider sends cannot be an account here."
            + (usual if pattern == NAME_PATTERN else ""),
            detail=f"claim {claim!r} is not a local name ({len(value)} characters)",
        )
    if value in reserved:
        raise AccountProblem(
            "The name that your identity provider sends is reserved for this system.",
            detail=f"reserved name {value!r}",
        )
    return value


def group_names(value: object) -> frozenset[str]:
    """Return the groups in a claim: a list of texts, one text, or nothing at all.

    A single text is one group, not its letters. Anything else in the claim is left out: a
    group that we cannot read gives no right.
    """
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple | set | frozenset):
        return frozenset()
    # Control characters, direction marks and halves of letters are in no honest name.
    return frozenset(
        item
        for item in value
        if isinstance(item, str) and 0 < len(item) <= 255 and item.isprintable()
    )

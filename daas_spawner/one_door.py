"""Only the portal starts sessions: the rule and the roles that hold it.

Why: a stock hub starts a server on a mere GET, an administrator's GET starts another person's,
options can be smuggled by REST and are re-used from the database. Tried against hub 6.1.
"""

from typing import Any

from jupyterhub import orm
from jupyterhub.spawner import SpawnException

from daas_model.errors import DaasError, StartRefused

PORTAL = "portal"

#: What *using* a session needs, and nothing that starts or changes one. A person may make
#: tokens of her own; a token never holds more than its owner.
USER_SCOPES = [
    "read:users:name!user",
    "read:users:groups!user",
    "read:servers!user",
    "access:servers!user",
    f"access:services!service={PORTAL}",
    "users:activity!user",
    "tokens!user",
]

#: What the portal's own token may do. It reads no data, holds no `admin:` and no `access:`.
PORTAL_SCOPES = ["start:servers", "read:servers", "delete:servers"]


def roles() -> list[dict[str, Any]]:
    """Return the hub's `load_roles` for the one door."""
    return [
        {
            "name": "user",
            "description": "Use one's own sessions; starting them is the portal's.",
            "scopes": USER_SCOPES,
        },
        {
            "name": "portal-starts-sessions",
            "description": "Start, see and stop sessions for the person who asked.",
            "services": [PORTAL],
            "scopes": PORTAL_SCOPES,
        },
    ]


def asked_by_portal(handler: Any) -> bool:  # a tornado handler of the hub, or None
    """Tell whether the portal's service asks."""
    asker = getattr(handler, "current_user", None)
    return isinstance(asker, orm.Service) and asker.name == PORTAL


def require_portal(handler: Any) -> None:  # a tornado handler of the hub, or None
    """Pass if the portal's service asked for this start. Raises `StartRefused`."""
    if not asked_by_portal(handler):
        raise StartRefused("Sessions are started from the portal only. Nothing was started.")


def refusal(error: DaasError) -> SpawnException:
    """Return *error* as the hub's clean refusal: no traceback, not a spawn failure."""
    return SpawnException(
        str(error),
        reason=error.code,
        log_message=f"{error} {error.detail}".strip(),
        status_code=error.status,
    )

"""What a right is worth in the hub: a role of ours, instead of the hub's `admin` flag.

The hub's role `admin` can do everything and cannot be cut: it opens other people's sessions, makes
tokens for them and reads their providers' tokens. The authenticator gives this one instead. Staff,
local contacts and those who may start without a proposal need nothing of the hub: no role.
"""

from collections.abc import Collection
from typing import Any

from daas_authenticator.rights.rules import ADMIN

#: Each scope with what it is needed for. Not here, and why: `access:servers` opens another's
#: session, `start:servers` starts one as her, `tokens` acts as her, `admin:auth_state` reads her
#: provider's tokens, `users` and `admin:users` make administrators, `groups` and `admin:groups`
#: give rights, `shares` opens sessions, `read:tokens` tells who uses which service, `read:users`
#: would tell more than the four below, `shutdown` and `proxy` are for who runs the machine.
_ADMINISTRATOR_SCOPES = {
    "admin-ui": "open the administrators' page, and see its link in the portal",
    "list:users": "list people, with their names",
    "read:users:groups": "see in which groups somebody is",
    "read:users:activity": "see since when nobody used something",
    "read:roles:users": "see who else is an administrator",
    "read:servers": "list sessions and their state",
    "delete:servers": "stop a session, and remove one that is stuck",
    "list:groups": "list groups, with their names",
    "read:groups": "see who is in a group",
}

ADMINISTRATOR_ROLE: dict[str, Any] = {
    "name": "daas-administrator",
    "description": "See people, groups and sessions, and stop sessions; nothing as somebody else.",
    "scopes": list(_ADMINISTRATOR_SCOPES),
}


def hub_roles(rights: Collection[str]) -> list[dict[str, Any]]:
    """Return the `roles` of the hub's model of somebody whose *rights* count now.

    The hub strips all other roles that she has, so `user` is always among them; what is not said
    of that one here stays as configured. New mappings each time, because the hub writes into them.
    """
    roles: list[dict[str, Any]] = [{"name": "user"}]
    if ADMIN in rights:
        roles.append({**ADMINISTRATOR_ROLE, "scopes": [*_ADMINISTRATOR_SCOPES]})
    return roles

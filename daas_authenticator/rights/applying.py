"""Brings rights into the hub: a role for administrators, a group for each of the others.

Used by the authenticator when rights change while nobody signs in: raised, lowered, a login on a
public computer. What a login or a renewal brings goes the hub's own way.
"""

from collections.abc import Collection
from typing import Any

from jupyterhub import orm

from daas_authenticator.rights.role import hub_roles
from daas_authenticator.rights.rules import ADMIN
from daas_authenticator.rights.step_up import NEED_STEP_UP
from daas_model.people import RIGHT_GROUP


def right_groups(rights: Collection[str]) -> list[str]:
    """Return the hub's groups that stand for *rights*; portal and sessions read them there."""
    return sorted(RIGHT_GROUP + right for right in rights if right != ADMIN)


def apply_rights(user: Any, rights: Collection[str]) -> None:
    """Let the hub's *user* have *rights* from now on, and no others."""
    own = [group.name for group in user.groups if not group.name.startswith(RIGHT_GROUP)]
    user.sync_groups([*own, *right_groups(rights)])
    user.sync_roles(hub_roles(rights))


def lower_all(database: Any) -> None:
    """Take away what a hub that ended while somebody was raised has left."""
    for name in right_groups(NEED_STEP_UP):
        group = orm.Group.find(database, name)
        if group is not None:
            group.users = []
    database.commit()

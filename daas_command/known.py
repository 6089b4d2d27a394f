"""Which settings there are: ours, JupyterHub's, and those of what is installed beside them.

Whoever takes settings by name asks here first, because the hub itself ignores a name that it does
not know: `daas check`, the Helm chart's values, and the page of settings.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points

from jupyterhub.app import JupyterHub
from kubespawner import KubeSpawner
from traitlets import HasTraits, List, TraitError
from traitlets.config import Configurable

from daas_authenticator.accounts.claims import ClaimAccounts
from daas_authenticator.accounts.ldap import LdapAccounts
from daas_authenticator.accounts.proposals import ProposalAccounts
from daas_authenticator.authenticator import DaasAuthenticator
from daas_catalogue.facility import CATALOGUES, Facility
from daas_catalogue.files import FilesCatalogue
from daas_catalogue.layout import StorageLayout
from daas_portal.app import PortalApp
from daas_spawner.containers.images import ContainerImages
from daas_spawner.kubernetes.settings import ClusterSessions
from daas_spawner.spawner import DaasSpawner

#: Ours, in the order in which a facility sets them.
OURS: tuple[type[Configurable], ...] = (
    DaasAuthenticator,
    LdapAccounts,
    ClaimAccounts,
    ProposalAccounts,
    Facility,
    FilesCatalogue,
    StorageLayout,
    DaasSpawner,
    ContainerImages,
    ClusterSessions,
    PortalApp,
)

Classes = Mapping[str, type[Configurable]]


def known() -> Classes:
    """Return all classes that have settings, by their names."""
    connectors = [point.load() for point in entry_points(group=CATALOGUES)]
    found = [*JupyterHub().classes, KubeSpawner, *connectors, *OURS]
    return {
        parent.__name__: parent
        for made in found
        for parent in made.__mro__
        if issubclass(parent, Configurable)
    }


def refusals(values: Mapping[str, Mapping[str, object]], classes: Classes) -> Iterator[str]:
    """Yield a sentence for each setting in *values* that there is not, or that cannot be so."""
    for owner, settings in values.items():
        if owner not in classes:
            yield f"There are no settings of {owner}.{meant(owner, classes)}"
            continue
        traits = classes[owner].class_traits(config=True)
        for name, value in settings.items():
            if name not in traits:
                yield f"There is no setting {owner}.{name}.{meant(name, traits, f'{owner}.')}"
            elif type(traits[name]) is List and isinstance(value, str):
                # traitlets would make one item of it, of "/data, /more" too.
                yield f"{owner}.{name} must be a list, such as [{value}]."
            else:
                # On its own: the class would look at all its settings, and at what they name.
                probe = type(owner, (HasTraits,), {name: copy.copy(traits[name])})
                try:
                    probe(**{name: value})
                except (TraitError, ValueError, TypeError) as error:
                    yield f"{owner}.{name} cannot be so: {str(error).rstrip('.')}."


def meant(name: str, known: Iterable[str], before: str = "") -> str:
    """Return the question that helps whoever misspelt *name*; empty when nothing is near."""
    near = get_close_matches(name, known, 1)
    return f" Did you mean {before}{near[0]}?" if near else ""

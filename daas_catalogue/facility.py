"""What this facility offers: its catalogue, its apps and its machines.

The portal and the spawner each make one `Facility` from the same configuration, so that what a
page shows and what a start allows cannot drift apart.
"""

from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import yaml
from traitlets import Bool, Dict, Enum, Unicode, default
from traitlets.config import SingletonConfigurable

from daas_catalogue.layout import StorageLayout
from daas_model.apps import App, Apps, Machine, Machines
from daas_model.errors import CatalogueProblem, NeedsProposal, UnknownApp, UnknownMachine
from daas_model.launch import LaunchRequest, require_one_proposal
from daas_model.parsing import Malformed
from daas_model.people import Person
from daas_model.protocols import Catalogue

#: The entry-point group through which connectors are found; ours register the same way.
CATALOGUES = "daas.catalogues"


class Facility(SingletonConfigurable):
    """The configured offer. Making one reads the configuration and raises when it is wrong."""

    catalogue_name = Unicode(
        "files",
        help="""The connector that knows the proposals: a name in the group `daas.catalogues`.

        Example: `files`, a folder of YAML files.
        """,
    ).tag(config=True)
    apps_folder = Unicode(
        "images",
        help="""Folder with one folder per app, each with an `app.yaml`.

        Adding an app is adding a folder. Example: `/opt/daas/images`.
        """,
    ).tag(config=True)
    machines_offered = Dict(
        default_value={
            "small": {"title": "Small", "cpus": 2, "memory_gib": 4},
        },
        help="""The sizes that a session may have, by name; the first is the default.

        Example: `{"small": {"title": "Small", "cpus": 2, "memory_gib": 4}}`.
        """,
    ).tag(config=True)

    one_proposal_per_session = Bool(
        help="""Whether a session opens exactly one proposal: it must where each proposal has an
        account of its own. The pages say so before a start; the refusal is the authenticator's.

        Follows `DaasAuthenticator.account_source` unless it is set. Example: `True`.
        """,
    ).tag(config=True)

    without_proposal = Enum(
        ["everyone", "with-right", "nobody"],
        default_value="everyone",
        help="""Who may start a session without a proposal, for training and trials: "with-right"
        are those to whom `DaasAuthenticator.rights` gives "without-proposal" or "staff". Others
        do not see the choice, and are refused. Example: "with-right".""",
    ).tag(config=True)

    @default("one_proposal_per_session")
    def _as_the_accounts_are(self) -> bool:
        # The portal and the hub read one configuration; the authenticator is not imported here.
        source: object = self.config.DaasAuthenticator.get("account_source")
        return source == "proposals"

    @cached_property
    def layout(self) -> StorageLayout:
        """The rule from a proposal to its folders."""
        return StorageLayout(parent=self)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The connector. Raises `CatalogueProblem` when there is none of that name."""
        found = {point.name: point for point in entry_points(group=CATALOGUES)}
        if self.catalogue_name not in found:
            raise CatalogueProblem(
                f"There is no connector named '{self.catalogue_name}'.",
                f"Set Facility.catalogue_name to one of: {', '.join(sorted(found))}.",
            )
        connector: Catalogue = found[self.catalogue_name].load()(parent=self, layout=self.layout)
        return connector

    def __init__(self, **traits: Any) -> None:  # traitlets takes any trait by keyword
        super().__init__(**traits)
        self.apps: Apps = read_apps(Path(self.apps_folder))
        self.machines: Machines = self._parse_machines()

    @property
    def default_machine(self) -> Machine:
        """The machine of a person who did not choose: the first of the configuration."""
        return next(iter(self.machines.values()))

    def app(self, name: str) -> App:
        """Return the app *name*. Raises `UnknownApp`."""
        if name not in self.apps:
            raise UnknownApp(f"There is no app “{name}” here.")
        return self.apps[name]

    def starts_without_proposal(self, person: Person) -> bool:
        """Tell whether *person* may start a session without a proposal."""
        if self.one_proposal_per_session or self.without_proposal == "nobody":
            return False
        return self.without_proposal == "everyone" or person.starts_without_proposal

    def check_proposals(self, person: Person, request: LaunchRequest) -> None:
        """Raise `NeedsProposal` or `BadRequest` unless *person* may ask for these proposals."""
        if self.one_proposal_per_session:
            require_one_proposal(request.proposals)
        if request.proposals:
            return
        app = self.app(request.app)
        if not app.own_resources:
            raise NeedsProposal(f"{app.title} needs a proposal's data.")
        if not self.starts_without_proposal(person):
            raise NeedsProposal("You may not start a session without a proposal here.")

    def machine(self, name: str) -> Machine:
        """Return the machine *name*. Raises `UnknownMachine`."""
        if name not in self.machines:
            raise UnknownMachine(f"There is no machine “{name}” here.")
        return self.machines[name]

    def _parse_machines(self) -> Machines:
        try:
            machines = {
                name: Machine.parse(name, data) for name, data in self.machines_offered.items()
            }
        except Malformed as error:
            raise CatalogueProblem(
                f"Facility.machines_offered cannot be used: {error}.", "Mend the configuration."
            ) from error
        if not machines:
            raise CatalogueProblem("No machine is offered.", "Set Facility.machines_offered.")
        return machines


def read_apps(folder: Path) -> Apps:
    """Read every `app.yaml` below *folder*. Raises `CatalogueProblem` naming the file."""
    apps = {}
    for file in sorted(folder.glob("*/app.yaml")):
        try:
            app = App.parse(file.parent.name, yaml.safe_load(file.read_text("utf-8")))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise CatalogueProblem(
                f"The app in {file} cannot be read: {' '.join(str(error).split())}.",
                "Mend the file or remove its folder.",
            ) from error
        apps[app.name] = app
    if not apps:
        raise CatalogueProblem(
            f"There is no app in {folder}.", "Set Facility.apps_folder to the folder of images."
        )
    return apps

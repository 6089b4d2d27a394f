"""What this facility offers: its catalogue, its apps and its machines.

The portal and the spawner each make one `Facility` from the same configuration, so that what a
page shows and what a start allows cannot drift apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

import yaml
from traitlets import Bool, Dict, Enum, List, Unicode, default
from traitlets.config import SingletonConfigurable

from daas_catalogue.layout import StorageLayout
from daas_model.apps import App, Apps, Machine, Machines
from daas_model.engines import Engine, Engines
from daas_model.errors import (
    CatalogueProblem,
    NeedsProposal,
    ProposalNotFound,
    UnknownApp,
    UnknownMachine,
    WatchingRefused,
)
from daas_model.launch import LaunchRequest, require_one_proposal
from daas_model.parsing import Malformed
from daas_model.people import Person
from daas_model.protocols import Catalogue

T = TypeVar("T")

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
    apps_left_out = List(
        Unicode(),
        help="""Names of apps in that folder that are not offered here: nobody can open them.

        For those whose image was not built. Example: `["crystfel"]`.
        """,
    ).tag(config=True)
    machines_offered = Dict(
        default_value={
            "small": {"title": "Small", "cpus": 2, "memory_gib": 4},
        },
        help="""The sizes that a session may have, by name; the first is the default.

        `engine` names one of `engines_offered`; without it a machine is on the first of them.
        On a cluster a machine may have `gpus` (a number), and `node_labels` choose its nodes.
        Example: `{"small": {"title": "Small", "cpus": 2, "memory_gib": 4, "engine": "here"}}`.
        """,
    ).tag(config=True)
    engines_offered = Dict(
        default_value={"here": {"title": "here", "kind": "local"}},
        help="""Where sessions run, by name; the first is for machines that name none.

        `kind` is "local" (sandboxes of this machine) or "docker": Docker Engine, or Podman's
        compatible socket, at `address`. Sessions in containers have no network, unless `network`
        names one of the engine's; `daas check engine` tries whether it is closed. With
        "kubernetes" they are pods in `namespace`, which reach the hub at `hub_url`; `volumes`
        names its claims and the folder at which each begins, `address` a kubeconfig file if the
        hub is not in the cluster. The `title` stands on pages behind the machine's.
        Example: `{"here": {"title": "here", "kind": "local"}, "containers": {"title":
        "containers", "kind": "docker", "address": "unix:///run/docker.sock"}}`.
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

    watching = Enum(
        ["proposal", "anyone", "off"],
        default_value="proposal",
        help="""Whom the person of a running desktop may invite to look at it: with "proposal" those
        who may open all proposals of the session themselves, with "anyone" everybody who can sign
        in here, with "off" nobody: there is no button. Guests see the picture; what they type
        counts only while they are given control. Example: "off".""",
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
        self.apps: Apps = {
            name: app
            for name, app in read_apps(Path(self.apps_folder)).items()
            if name not in self.apps_left_out
        }
        self.engines: Engines = self._parse(self.engines_offered, Engine.parse, "engines_offered")
        self.machines: Machines = self._parse_machines()

    @property
    def default_machine(self) -> Machine:
        """The machine of a person who did not choose: the first of the configuration."""
        return next(iter(self.machines.values()))

    @property
    def apps_offered(self) -> Apps:
        """The apps that some machine here can run; there is no button for any other."""
        return {name: app for name, app in self.apps.items() if self.machines_for(app)}

    def app(self, name: str) -> App:
        """Return the app *name*. Raises `UnknownApp` when no machine here can run it, too."""
        if name not in self.apps_offered:
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

    def check_watching(self, request: LaunchRequest) -> None:
        """Raise `WatchingRefused` unless guests may be invited to such a session at all."""
        if self.watching == "off":
            raise WatchingRefused("Nobody can be invited to look at a session here.")
        app = self.app(request.app)
        if app.kind != "desktop":
            raise WatchingRefused(
                f"Whoever looks at {app.title} takes part in it, so nobody can be invited.",
                "Show it in a desktop app.",
            )

    async def check_guest(self, person: Person, request: LaunchRequest) -> None:
        """Raise `WatchingRefused` unless *person* may look at such a session when invited.

        Raises `CatalogueProblem` when the catalogue cannot tell.
        """
        self.check_watching(request)
        if self.watching == "anyone":
            return
        try:
            await self.catalogue.authorise(person, request.proposals)
        except ProposalNotFound:
            raise WatchingRefused(
                "Only people of its proposal may look at this session.",
                "Ask the principal investigator or the local contact to add you to it.",
            ) from None

    def machine(self, name: str) -> Machine:
        """Return the machine *name*. Raises `UnknownMachine`."""
        if name not in self.machines:
            raise UnknownMachine(f"There is no machine “{name}” here.")
        return self.machines[name]

    def engine_of(self, machine: Machine) -> Engine:
        """Return where *machine*'s sessions run."""
        return self.engines[machine.engine]

    def title_of(self, machine: Machine) -> str:
        """Return what pages call *machine*: `Large — containers`, or `Large` on the only engine."""
        several = len({other.engine for other in self.machines.values()}) > 1
        return f"{machine.title} — {self.engine_of(machine).title}" if several else machine.title

    def machines_for(self, app: App) -> Machines:
        """Return the machines that *app* can run on."""
        return {
            name: machine for name, machine in self.machines.items() if self._fits(app, machine)
        }

    def check_machine(self, app: App, machine: Machine) -> None:
        """Raise `UnknownMachine` unless *app* can run on *machine*."""
        if not self._fits(app, machine):
            raise UnknownMachine(
                f"{app.title} does not run on the machine “{self.title_of(machine)}”."
            )

    def _fits(self, app: App, machine: Machine) -> bool:
        return not (app.image_only and self.engine_of(machine).kind == "local")

    def _parse_machines(self) -> Machines:
        first = next(iter(self.engines))
        machines = {
            name: replace(machine, engine=machine.engine or first)
            for name, machine in self._parse(
                self.machines_offered, Machine.parse, "machines_offered"
            ).items()
        }
        for machine in machines.values():
            if machine.engine not in self.engines:
                raise CatalogueProblem(
                    f"The machine '{machine.name}' is on '{machine.engine}', which is no engine.",
                    f"Facility.engines_offered has: {', '.join(self.engines)}.",
                )
            in_a_cluster = self.engines[machine.engine].kind == "kubernetes"
            if (machine.gpus or machine.node_labels) and not in_a_cluster:
                raise CatalogueProblem(
                    f"The machine '{machine.name}' has 'gpus' or 'node_labels', and '"
                    f"{machine.engine}' is no cluster.",
                    "Take them out of Facility.machines_offered, or put it on a cluster.",
                )
        return machines

    @staticmethod
    def _parse(
        offered: Mapping[str, object], parse: Callable[[str, object], T], trait: str
    ) -> Mapping[str, T]:
        try:
            found = {name: parse(name, data) for name, data in offered.items()}
        except Malformed as error:
            raise CatalogueProblem(
                f"Facility.{trait} cannot be used: {error}.", "Mend the configuration."
            ) from error
        if not found:
            raise CatalogueProblem(f"Facility.{trait} is empty.", "Name at least one.")
        return found


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

"""The list of machines on pages: which one an app gets, and which cannot be used now. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from daas_catalogue.facility import Facility
from daas_model.apps import App, Machine
from daas_model.errors import EngineProblem


@dataclass(frozen=True, slots=True)
class MachineView:
    """One machine as pages show it. *problem* says why it cannot be used now; empty if it can."""

    machine: Machine
    title: str
    problem: str

    @property
    def name(self) -> str:
        """What forms call it."""
        return self.machine.name


def machine_views(facility: Facility, problems: Mapping[str, str]) -> tuple[MachineView, ...]:
    """Return all machines. *problems* are those of engines, by their names."""
    return tuple(
        MachineView(machine, facility.title_of(machine), problems.get(machine.engine, ""))
        for machine in facility.machines.values()
    )


def places(facility: Facility) -> dict[str, str]:
    """Return the titles of machines by name, for pages that say where something runs.

    Empty where there is one machine only: nobody needs to be told.
    """
    if len(facility.machines) == 1:
        return {}
    return {name: facility.title_of(machine) for name, machine in facility.machines.items()}


def fitting(views: Iterable[MachineView], facility: Facility, app: App) -> tuple[MachineView, ...]:
    """Return those of *views* that *app* can run on."""
    names = facility.machines_for(app)
    return tuple(view for view in views if view.name in names)


def chosen(views: Iterable[MachineView], wanted: str = "") -> MachineView:
    """Return the machine that is *wanted* if it can be used now, else the first that can.

    If none can: the one that is wanted, or the first. There must be one.
    """
    order = sorted(views, key=lambda view: view.name != wanted)
    return next((view for view in order if not view.problem), order[0])


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a page opens apps: all *machines*, the *chosen* one, and by its name each app's."""

    machines: tuple[MachineView, ...]
    chosen: MachineView
    of_app: Mapping[str, MachineView]


def choice(facility: Facility, problems: Mapping[str, str], wanted: str) -> Choice:
    """Return where a page opens apps when the machine *wanted* was asked for; empty for none."""
    views = machine_views(facility, problems)
    machine = chosen(views, wanted)
    of_app = {
        app.name: chosen(fitting(views, facility, app), machine.name)
        for app in facility.apps_offered.values()
    }
    return Choice(views, machine, of_app)


def require_working(view: MachineView) -> None:
    """Raise `EngineProblem` if nothing can be started on the machine now."""
    if view.problem:
        raise EngineProblem(
            f"The machine “{view.title}” cannot be used now. Nothing was started.",
            "Choose another machine, or try again in a few minutes. Your data is not affected.",
            detail=view.problem,
        )

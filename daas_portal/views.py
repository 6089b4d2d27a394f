"""What the pages show, made from what the hub and the catalogue say. Pure; tables test it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from daas_model.apps import App, Apps
from daas_model.launch import LaunchRequest
from daas_model.people import Person
from daas_model.proposals import Proposal, Visit
from daas_portal.hub import HubSession
from daas_portal.machines import Choice, MachineView

#: Words for a page, by the name of what they are about.
Said = Mapping[str, str]
NOTHING: Said = {}

STATES = {
    "Starting": "It will open as soon as it is ready.",
    "Running": "It keeps running when you close the page.",
    "Stopping": "It is being ended; your files are kept.",
    "Stopped": "It has ended. Your files are kept.",
}


@dataclass(frozen=True, slots=True)
class SessionView:
    """One card of the home page. *where* is empty where there is one machine only."""

    name: str
    title: str
    app: App | None
    where: str
    state: str
    meaning: str
    url: str
    started: datetime | None
    request: LaunchRequest | None


@dataclass(frozen=True, slots=True)
class OpenButton:
    """One way to open a proposal. *running* says that a session is there already.

    *elsewhere* says that the app cannot have the machine that was chosen on the page.
    """

    app: App
    primary: bool
    running: bool
    machine: MachineView
    elsewhere: bool

    @property
    def problem(self) -> str:
        """Why it cannot be pressed now; what runs already can always be gone to."""
        return "" if self.running else self.machine.problem


@dataclass(frozen=True, slots=True)
class ProposalView:
    """One proposal with the ways to open it."""

    proposal: Proposal
    role: str
    dates: str
    buttons: tuple[OpenButton, ...]


def state_of(session: HubSession) -> str:
    """Return one of the words of `STATES`."""
    if session.pending == "stop":
        return "Stopping"
    if session.pending:
        return "Starting"
    return "Running" if session.ready else "Stopped"


def session_view(
    session: HubSession, apps: Apps, said: Said = NOTHING, places: Said = NOTHING
) -> SessionView:
    """Return the card of *session*.

    *said* is what the hub says of sessions by their names, *places* the titles of machines.
    """
    state = state_of(session)
    app = apps.get(session.request.app) if session.request else None
    return SessionView(
        name=session.name,
        title=session.title,
        app=app,
        where=places.get(session.request.machine, "") if session.request else "",
        state=state,
        meaning=said.get(session.name) or STATES[state],
        url=session.url,
        started=_moment(session.started),
        request=session.request,
    )


def session_views(
    sessions: Mapping[str, HubSession], apps: Apps, said: Said = NOTHING, places: Said = NOTHING
) -> tuple[SessionView, ...]:
    """Return all cards, what runs first; see `session_view`."""
    order = list(STATES)
    views = [session_view(session, apps, said, places) for session in sessions.values()]
    views.sort(key=lambda view: (order.index(view.state) // 2, view.title))
    return tuple(views)


def in_order(apps: Apps) -> tuple[App, ...]:
    """Return the apps as buttons stand: by their order, programs with a window first, by title."""
    return tuple(
        sorted(apps.values(), key=lambda app: (app.order, app.kind != "desktop", app.title))
    )


def buttons(
    apps: Iterable[App], proposals: tuple[str, ...], choice: Choice, running: Iterable[str]
) -> tuple[OpenButton, ...]:
    """Return one button per app; the first that can be pressed is the primary one."""
    names = set(running)
    shown = [
        OpenButton(
            app=app,
            primary=False,
            running=LaunchRequest(app.name, "", proposals).server_name in names,
            machine=choice.of_app[app.name],
            elsewhere=choice.of_app[app.name] != choice.chosen,
        )
        for app in apps
    ]
    primary = next((button for button in shown if not button.problem), None)
    return tuple(replace(button, primary=button is primary) for button in shown)


def proposal_view(
    proposal: Proposal, person: Person, apps: Apps, choice: Choice, running: Iterable[str]
) -> ProposalView:
    """Return what the home page shows of *proposal* to *person*."""
    return ProposalView(
        proposal=proposal,
        role=proposal.role_of(person.name),
        dates=dates_of(proposal.visits),
        buttons=buttons(in_order(apps), (proposal.id,), choice, running),
    )


def dates_of(visits: tuple[Visit, ...]) -> str:
    """Return the days of the visits in words: `4–7 Nov 2026`; the latest first."""
    ordered = sorted(visits, key=lambda visit: visit.begins, reverse=True)
    return ", ".join(_span(visit.begins, visit.ends) for visit in ordered) or "no visit yet"


def _span(begins: date, ends: date) -> str:
    last = f"{ends.day} {ends:%b %Y}"
    if begins == ends:
        return last
    if (begins.year, begins.month) == (ends.year, ends.month):
        return f"{begins.day}–{last}"
    if begins.year == ends.year:
        return f"{begins.day} {begins:%b} – {last}"
    return f"{begins.day} {begins:%b %Y} – {last}"


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

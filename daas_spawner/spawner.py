"""The hub's spawner: ask again, plan, and hand the plan to a back end.

The hub makes one `DaasSpawner` per named server. What the portal checked is checked here once
more, because options are kept in the hub's database and re-used by the hub.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from jupyterhub import __version__ as hub_version
from jupyterhub.spawner import Spawner
from traitlets import default

from daas_catalogue.facility import Facility
from daas_model.engines import Engine
from daas_model.errors import (
    DaasError,
    NeedsProposal,
    ProposalNotFound,
    WatchingRefused,
)
from daas_model.launch import LaunchRequest
from daas_model.people import Person
from daas_model.proposals import Proposal
from daas_spawner import guests, states
from daas_spawner.backend import Backend, State
from daas_spawner.backends import Place, make_backend
from daas_spawner.idle import Idle, after_the_end, warning
from daas_spawner.one_door import refusal, require_portal
from daas_spawner.plan import (
    HUB_INSIDE,
    IMAGE_PROGRAMS,
    Mount,
    SessionPlan,
    Surroundings,
    plan_session,
)
from daas_spawner.settings import SpawnerSettings
from daas_spawner.start import Start

#: The parts of the hub's environment that a session needs; the rest is the plan's.
HUB_VARIABLES = "JUPYTERHUB_"
#: What a start that took too long has begun is ended within this time, before the hub gives up.
ENDING_SECONDS = 15


class DaasSpawner(SpawnerSettings, Spawner):
    """Starts sessions that the portal asked for, each in its own sandbox."""

    _backend: Backend | None = None
    _engine: Engine | None = None
    _idle: Idle
    _starting: Start
    _wished = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._idle = Idle()
        self._starting = Start()

    @default("start_timeout")
    def _time_for_an_image(self) -> int:
        # A back end gives up on an app by itself; an image may take longer to come.
        return 900

    @default("hub_connect_url")
    def _hub_connect_url(self) -> str:
        return HUB_INSIDE

    @cached_property
    def facility(self) -> Facility:
        """What may be opened here: one for all the hub's sessions."""
        facility: Facility = Facility.instance(config=self.config)
        return facility

    @property
    def backend(self) -> Backend:
        """The engine's end of this session: chosen by its machine, kept while it lives."""
        if self._backend is None:
            request = LaunchRequest.parse(self.user_options)
            machine = self.facility.machine(request.machine)
            self._choose_backend(self.facility.engine_of(machine))
        assert self._backend is not None
        return self._backend

    def _choose_backend(self, engine: Engine) -> None:
        place = Place(
            person=self.user.name,
            session=self.name,
            run_folder=Path(self.run_folder),
            log_folder=Path(self.log_folder),
            base_url=self.server.base_url if self.server else "",
        )
        self._engine = engine
        self._backend = make_backend(engine, place, self.config, self.log)

    async def start(self) -> str:
        """Start the session that the portal asked for; return its address.

        Raises `SpawnException` with a sentence for the person: nothing is left half-started.
        """
        try:
            require_portal(self.handler)
        except DaasError as error:
            raise refusal(error) from None
        self._say("")
        try:
            self._idle, self._wished = Idle(), False
            self._backend = None  # the options may name another machine than last time
            self._starting = Start()
            url = await self._starting.run(
                self._begin(), max(1, self.start_timeout - ENDING_SECONDS)
            )
        except DaasError as error:
            self._say(str(error))
            raise refusal(error) from None
        self.backend.watch(self._ended)
        return url

    async def _begin(self) -> str:
        return await self.backend.start(await self.plan())

    def call_off(self) -> None:
        """Give up a start that is under way, and all that it has begun."""
        self._starting.call_off()

    async def progress(self) -> AsyncIterator[dict[str, object]]:
        """Yield how far the start is whenever there is something new to say; until it ends."""
        told = ""
        while True:
            if self.progress_words not in ("", told):
                told = self.progress_words
                yield {"message": told}
            await asyncio.sleep(1)

    @property
    def progress_words(self) -> str:
        """What the start waits for, in words for a page; empty when there is nothing to say."""
        return self._backend.progress() if self._backend else ""

    def notice_of_end(self) -> str:
        """Return a sentence while this session is going to end by itself; empty while it is not."""
        if self._backend is None:
            return ""
        title = self.orm_spawner.display_name or self.name
        ends_at = self.idle_ends_at()
        idle = warning(title, ends_at, time.time()) if ends_at is not None else ""
        return self._backend.notice(title) or idle

    def note_use(self, at: float) -> None:
        """Note when the session was last in use, in seconds since 1970, as it says itself."""
        self._idle.note_use(at, time.time())

    def note_wish(self) -> None:
        """Note that its person ends it on its own page; it says so just before it ends."""
        self._wished = True

    def idle_ends_at(self) -> float | None:
        """Return when this session ends because nobody uses it; None while it is not warned."""
        if not self.idle_minutes or self.pending or self._backend is None:
            return None
        known = filter(None, (self.orm_spawner.last_activity, self.orm_spawner.started))
        since = [moment.replace(tzinfo=UTC).timestamp() for moment in known]  # the hub's are naive
        now = time.time()
        return self._idle.ends_at(60 * self.idle_minutes, max(since, default=now), now)

    def say_idle(self) -> None:
        """Note that it is ended because nobody used it."""
        self._say(after_the_end(60 * self.idle_minutes))

    def _say(self, why: str) -> None:
        states.note(self.user.name, self.name, why)

    async def plan(self) -> SessionPlan:
        """Return the plan for the options as they are now. Raises `DaasError`."""
        request = LaunchRequest.parse(self.user_options)
        machine = self.facility.machine(request.machine)
        self.facility.check_machine(self.facility.app(request.app), machine)
        person = self._person()
        self.facility.check_proposals(person, request)
        proposals = await self.facility.catalogue.authorise(person, request.proposals)
        account = await self.authenticator.resolve_account(person, proposals)
        storage = await asyncio.to_thread(self._checked, proposals)
        return plan_session(
            request, self.facility.apps, machine, storage, account, self._surroundings()
        )

    async def still_allowed(self) -> bool:
        """Tell whether the person may still have what this session has mounted (D3, I8).

        Asked by the authenticator's sweep while the session runs. Raises `DaasError` when the
        catalogue cannot tell.
        """
        try:
            request = LaunchRequest.parse(self.user_options)
            self.facility.check_proposals(self._person(), request)
            await self.facility.catalogue.authorise(self._person(), request.proposals)
        except (ProposalNotFound, NeedsProposal):
            return False
        return True

    async def still_watched_by(self, guest: Any) -> bool:
        """Tell whether the hub's user *guest* may still look at this session.

        Asked by the authenticator's sweep. Raises `DaasError` when the catalogue cannot tell.
        """
        try:
            request = LaunchRequest.parse(self.user_options)
            await self.facility.check_guest(guests.person_of(guest), request)
        except WatchingRefused:
            return False
        return True

    def _person(self) -> Person:
        return guests.person_of(self.user)

    def _checked(self, proposals: tuple[Proposal, ...]) -> dict[str, Any]:
        return {proposal.id: self.facility.layout.check(proposal) for proposal in proposals}

    def _surroundings(self) -> Surroundings:
        assert self._engine is not None
        # A session in a cluster reaches the hub by the network, all others by their own socket.
        self.hub_connect_url = self._engine.hub_url or HUB_INSIDE
        hub = {
            name: value for name, value in self.get_env().items() if name.startswith(HUB_VARIABLES)
        }
        hub["DAAS_HUB_VERSION"] = hub_version
        hub["DAAS_BUSY_CORES"] = str(self.busy_cores)
        hub["DAAS_PORTAL_URL"] = self.portal_url
        hub["DAAS_DEMO_NOTICE"] = self.notice
        hub["DAAS_FILES"] = self.files
        hub["DAAS_WATCHING"] = self.facility.watching
        hub["DAAS_CLIPBOARD"] = self.clipboard
        folder = self.backend.hub_folder
        here = self._engine.kind == "local"
        environment = Path(self.session_environment)
        return Surroundings(
            environment_folder=PurePosixPath(environment) if here else IMAGE_PROGRAMS,
            programs=program_mounts(environment) if here else (),
            hub_folder=PurePosixPath(folder) if folder else None,
            apps_folder=PurePosixPath(Path(self.facility.apps_folder).resolve()),
            examples=PurePosixPath(self.examples_folder) if self.examples_folder else None,
            hub=hub,
        )

    async def stop(self, now: bool = False) -> None:  # noqa: ARG002  the hub's signature
        """End the session; one that is gone already is no error."""
        if self._backend is not None:
            await self._backend.stop()

    async def poll(self) -> int | None:
        """Return None while the session runs, else 0."""
        return None if self._backend is not None and self._backend.is_running() else 0

    def _ended(self) -> None:
        if not self._stop_pending:
            why = self.backend.ending()
            how = "on its own page" if self._wished else "by itself or from outside"
            self.log.info("Session %s ended %s. %s", self._log_name, how, why)
            by_whom = states.ENDED_BY_PERSON if self._wished else states.ENDED
            self._say(f"It ended. {why} Your files are kept." if why else by_whom)
            self._telling = asyncio.ensure_future(self._tell_hub())

    async def _tell_hub(self) -> None:
        # The hub listens for the end only once the start is finished in all its parts.
        while self.pending == "spawn":  # noqa: ASYNC110  the hub has no event for it
            await asyncio.sleep(0.1)
        await self.poll_and_notify()

    def get_state(self) -> State:
        """Return what a restarted hub needs to find this session again."""
        state: State = super().get_state()
        if self._backend is None or self._engine is None:
            return state
        return {**state, "engine": self._engine.name, "session": self._backend.state()}

    def load_state(self, state: State) -> None:
        """Find a session again after the hub was restarted."""
        super().load_state(state)
        # An engine that was taken out of the configuration has no sessions any more.
        engine = self.facility.engines.get(state.get("engine", ""))
        if engine is not None and state.get("session"):
            self._choose_backend(engine)
            self.backend.restore(state["session"])
            if self.backend.is_running():
                self.backend.watch(self._ended)
            else:
                self._say(states.ENDED)

    def clear_state(self) -> None:
        """Forget the session."""
        super().clear_state()
        self._backend = self._engine = None
        # The hub calls this before each start and after each end.
        guests.send_all_out(self.orm_spawner)


def program_mounts(environment: Path) -> tuple[Mount, ...]:
    """Return what must be mounted for the programs of a virtual environment.

    An interpreter below somebody's private home is not reachable for other UIDs unless it is
    bound in; a virtual environment names it in `pyvenv.cfg`.
    """
    own = PurePosixPath(environment)
    mounts = (Mount(own, own, read_only=True),)
    real = (environment / "bin" / "python").resolve()
    if real.is_relative_to("/usr") or real.is_relative_to(environment):
        return mounts
    prefix = PurePosixPath(real.parent.parent)
    return (*mounts, Mount(prefix, prefix, read_only=True))

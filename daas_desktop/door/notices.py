"""What the hub wants the person to read just now, such as when her sessions end, and why.

Used by the desktop's server and by JupyterLab's door. The hub is asked with the session's own
token, once a minute however many pages are open, and not at all while none is.
"""

import asyncio
from collections.abc import Callable, Mapping

from daas_desktop.door.hub import Hub, HubUnreachableError
from daas_desktop.door.open_connections import seconds_between_questions

MOST_SENTENCES = 5
MOST_CHARACTERS = 500
# A visitor is asked about four times as often.
VISITORS_TURNS = 4
# For a hub that has no such address: another hour, if the turn is a minute.
SELDOM = 60
NOT_THERE = 404


def seconds_between_notices(env: Mapping[str, str]) -> float:
    """Give how long an answer is kept: a minute, unless DAAS_ASK_EVERY_S says otherwise."""
    return VISITORS_TURNS * seconds_between_questions(env)


def parse_notices(answer: object) -> tuple[str, ...]:
    """Read the hub's {"notices": [sentence, …]}: plain text, short, and not too much of it.

    Raises HubUnreachableError for anything else, as for a hub that is away.
    """
    notices = answer.get("notices") if isinstance(answer, dict) else None
    if not isinstance(notices, list):
        raise HubUnreachableError("the hub's answer holds no notices")
    sentences = (" ".join(notice.split()) for notice in notices if isinstance(notice, str))
    return tuple(short(sentence) for sentence in sentences if sentence)[:MOST_SENTENCES]


def short(sentence: str) -> str:
    """Give a sentence that is not too long, its end as dots."""
    if len(sentence) <= MOST_CHARACTERS:
        return sentence
    return sentence[: MOST_CHARACTERS - 1] + "…"


class Notices:
    """The last answer of a hub; who looks at it keeps it fresh.

    *look_again* is called when there is something new, and when it is time to look again.
    """

    def __init__(
        self, hub: Hub, every_s: float, look_again: Callable[[], None] = lambda: None
    ) -> None:
        self._hub = hub
        self._every_s = every_s
        self._look_again = look_again
        self._sentences: tuple[str, ...] = ()
        self._answered = False
        self._asking: asyncio.Task[None] | None = None
        self._next: asyncio.TimerHandle | None = None

    def look(self) -> tuple[str, ...]:
        """Give what is known, and ask the hub anew if that is old."""
        if self._next is None:
            self._rest(self._every_s)
            self._asking = asyncio.create_task(self._ask())
        return self._sentences

    async def fresh(self) -> tuple[str, ...]:
        """Give the sentences when the hub has answered, if it is being asked."""
        self.look()
        if self._asking is not None:
            await asyncio.wait({self._asking})
        return self._sentences

    async def _ask(self) -> None:
        settings = self._hub.settings
        try:
            answer = await self._hub.call(f"{settings.api_url}/notices", token=settings.api_token)
            sentences = parse_notices(answer)
        except HubUnreachableError as error:
            # What was said stays. A hub that is older than its session's program says so once.
            if error.status == NOT_THERE and not self._answered:
                self._rest(SELDOM * self._every_s)
            return
        self._answered = True
        if sentences != self._sentences:
            self._sentences = sentences
            self._look_again()

    def _rest(self, seconds: float) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_later(seconds, self._rested)

    def _rested(self) -> None:
        self._next = None
        self._look_again()

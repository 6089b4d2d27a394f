"""What a check found, in one line, and the frame in which a subject's checks run.

Made by the subjects, printed by `check`. Everything passes through `shown`, because providers
and files send what they like.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, TypeVarTuple

from daas_model.errors import DaasError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: For all of one subject. What takes longer is itself a finding.
PATIENCE_SECONDS = 25.0
_LONGEST = 600


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """*what* was examined, what was *said* of it, and how to *mend* it."""

    state: State
    what: str
    said: str
    mend: str = ""


Findings = AsyncIterator[Finding]


def ok(what: str, said: str) -> Finding:
    """Return that *what* is as it should be."""
    return Finding(State.OK, what, said)


def warning(what: str, said: str, mend: str) -> Finding:
    """Return that *what* works, or may work, and should be looked at."""
    return Finding(State.WARNING, what, said, mend)


def wrong(what: str, said: str, mend: str) -> Finding:
    """Return that *what* does not work."""
    return Finding(State.WRONG, what, said, mend)


def refused(what: str, error: DaasError, mend: str) -> Finding:
    """Return what *error* says of *what*; its detail is for whoever runs the command."""
    detail = f" ({error.detail})" if error.detail else ""
    return wrong(what, error.message + detail, mend)


def shown(text: object, longest: int = _LONGEST) -> str:
    """Return *text* on one line, without what could move a terminal's cursor."""
    plain = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


async def examined(findings: Findings, seconds: float = PATIENCE_SECONDS) -> list[Finding]:
    """Return all *findings* that came in time, and one more if something went wrong."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(seconds):
            async for finding in findings:
                found.append(finding)
    except TimeoutError:
        said = f"the next check did not end within {seconds:g} s"
        mend = "Look what does not answer: a file server, a directory, a provider."
        found.append(wrong("time", said, mend))
    except Exception as error:  # whatever was sent, the administrator gets a sentence
        said = f"could not be examined: {type(error).__name__}"
        found.append(wrong("the rest", said, "This is a mistake of ours: please report it."))
    return found


async def aside(call: Callable[[*Ts], T], *values: *Ts) -> T:
    """Return what *call* returns, from a thread that holds up no exit when it hangs."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        # Nobody waits any more when the time was over, and then the loop may be gone too.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if result.done() else tell())

    def work() -> None:
        try:
            value = call(*values)
        except Exception as error:
            failure = error
            settle(lambda: result.set_exception(failure))
        else:
            settle(lambda: result.set_result(value))

    threading.Thread(target=work, daemon=True).start()
    return await result

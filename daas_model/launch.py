"""What somebody asks to open, parsed once at the door.

The portal makes a `LaunchRequest` of a form or a link, sends it to the hub as `user_options`
(references only), and the spawner parses it again: options are kept in the hub's database and
could have been written by anybody.
"""

import hashlib
import re
from collections.abc import Sized
from dataclasses import dataclass
from typing import Any

from daas_model import parsing
from daas_model.errors import AccountProblem, BadRequest
from daas_model.parsing import Malformed

#: The hub's rule for the names of servers: a slug of at most 30 characters.
LONGEST_NAME = 30

#: Why a facility with an account per proposal opens one at a time; for pages and refusals.
ONE_PROPOSAL = (
    "Each proposal has an account of its own here, so a session opens exactly one proposal."
)


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """One app on one machine with the data of some proposals; none is "own resources"."""

    app: str
    machine: str
    proposals: tuple[str, ...]

    @classmethod
    def parse(cls, options: object) -> "LaunchRequest":
        """Read the options of a start. Raises `BadRequest`: nothing is guessed or ignored."""
        try:
            fields = parsing.only(options, frozenset({"app", "machine", "proposals"}))
            proposals = parsing.each(
                fields.get("proposals"),
                "proposals",
                lambda value: parsing.identifier(value, "proposal"),
            )
            if len(set(proposals)) != len(proposals):
                raise Malformed("'proposals' names one twice")
            return cls(
                app=parsing.identifier(fields.get("app"), "app"),
                machine=parsing.identifier(fields.get("machine"), "machine"),
                proposals=proposals,
            )
        except Malformed as error:
            raise BadRequest(f"This is not something the portal can open: {error}.") from error

    def as_options(self) -> dict[str, Any]:
        """Return the `user_options` that the hub keeps."""
        return {"app": self.app, "machine": self.machine, "proposals": list(self.proposals)}

    @property
    def server_name(self) -> str:
        """The name of the hub's server: the same request finds the same session.

        Readable for administrators (`pymca-hg-142`) wherever that is possible without loss; a
        name that had to be cut or changed carries a short digest, so that two never meet.
        """
        parts = (self.app, *self.proposals)
        readable = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
        lossless = len(self.proposals) <= 1 and "-" not in self.app
        lossless = lossless and readable == "-".join(parts) and readable[0].isalpha()
        if lossless and len(readable) <= LONGEST_NAME:
            return readable
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:6]
        head = readable if readable[:1].isalpha() else f"s-{readable}"
        return f"{head[: LONGEST_NAME - 7].rstrip('-')}-{digest}"


def display_name(app_title: str, proposals: tuple[str, ...]) -> str:
    """Return how a session is called on the hub's pages: `PyMca · HG-142`."""
    return " · ".join((app_title, *proposals))[:255]


def require_one_proposal(proposals: Sized) -> None:
    """Pass if *proposals* is one, where each has its own account. Raises `AccountProblem`."""
    if len(proposals) != 1:
        raise AccountProblem(
            f"{ONE_PROPOSAL} Nothing was started.", "Open one of the proposals on your home page."
        )

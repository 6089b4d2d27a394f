"""Whether a session's network is closed, proved by trying from inside a container.

Called by `containers`; `pod_network` judges in the same words. What can be reached from this
machine and not from inside is closed; what nobody can reach proves nothing, and that is said.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError

from daas_command.checks import host
from daas_command.checks.finding import Finding, Findings, ok, warning, wrong
from daas_command.checks.inside import CONNECT_SECONDS
from daas_command.checks.trial import Trial, TrialFailed, Trials
from daas_model.engines import NO_NETWORK
from daas_model.errors import BadRequest, EngineProblem

HOW_TO = "docs/how-to/give-sessions-a-network.md"
_RULES = f"Look at the rules: {HOW_TO}."
#: Where a cloud tells every program of a machine the machine's secrets.
METADATA = ("169.254.169.254", 80)
#: A name of everybody's, and an address that a facility's sessions have no business with.
OUTSIDE = ("example.com", 443)
_NEIGHBOUR = 47807

Target = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Ways:
    """What the facility says of its network: HOST:PORT that sessions must and may not reach."""

    allowed: tuple[Target, ...] = ()
    forbidden: tuple[Target, ...] = ()

    @classmethod
    def parse(cls, allowed: Sequence[str], forbidden: Sequence[str]) -> "Ways":
        """Read them from a command line. Raises `BadRequest`."""
        return cls(tuple(map(_target, allowed)), tuple(map(_target, forbidden)))


def _target(text: str) -> Target:
    address, _, port = text.rpartition(":")
    if not address or not port.isdigit() or not 0 < int(port) < 2**16:
        raise BadRequest(f"{text!r} is no HOST:PORT.", "Write it as data.facility.example:443.")
    return address.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class Group:
    """Targets of one kind. *certain* when something listens there, whoever else reaches it."""

    what: str
    targets: tuple[Target, ...]
    mend: str
    certain: bool = False


async def network_findings(trying: Trials, trial: Trial, hub_port: int, ways: Ways) -> Findings:
    """Try from inside what must not be reached; *hub_port* is 0 when the hub has none."""
    what = f"network {trial.network}"
    if trial.network == "host":
        mend = f"Make a network for sessions: {HOW_TO}; or take 'network' out: then there is none."
        yield wrong(what, "is the machine's own: sessions reach what the machine reaches", mend)
        return
    try:
        with host.listener() as server:
            port = server.getsockname()[1]
            groups, reached, knows = await _tried(trying, trial, (port, hub_port), ways)
    except (TrialFailed, EngineProblem, APIError) as error:
        said = error.message if isinstance(error, EngineProblem) else str(error)
        mend = f"Make it (docker network create), or mend 'network' of the engine; see {HOW_TO}."
        yield wrong(what, f"could not be tried: {said}", mend)
        return
    if trial.network == NO_NETWORK and not reached and not knows:
        many = sum(len(group.targets) for group in groups)
        yield ok(what, f"nothing was reached: not one of {many} addresses, and no name service")
    else:
        controls = await from_here([t for group in groups for t in group.targets])
        for group in groups:
            yield judged(group, reached, controls)
        yield names(knows)
    for target in ways.allowed:
        yield allowed_way(target, reached)


async def _tried(
    trying: Trials, trial: Trial, own_ports: tuple[int, int], ways: Ways
) -> tuple[list[Group], set[Target], bool]:
    async with trying.served(trial, _NEIGHBOUR) as neighbour:
        told = await trying.first_words(neighbour)
        found = await trying.engine.call("inspect_container", neighbour.object_id)
        addresses, gateways = _addresses(found)
        outside = await resolved(OUTSIDE)
        groups = _groups(addresses + told["addresses"], gateways, own_ports, ways, outside)
        targets = [t for group in groups for t in group.targets] + list(ways.allowed)
        answer = await trying.ask(trial, "connect", targets=targets, name=OUTSIDE[0])
    reached = {(str(address), int(port)) for address, port in answer.get("reached", ())}
    return groups, reached, bool(answer.get("name_known"))


def _addresses(found: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return a container's addresses, and those of the machine that it was given as its way."""
    own, gateways = [], []
    for network in ((found.get("NetworkSettings") or {}).get("Networks") or {}).values():
        own += [network.get("IPAddress"), network.get("GlobalIPv6Address")]
        gateways += [network.get("Gateway"), network.get("IPv6Gateway")]
    return [a for a in own if a], [a for a in gateways if a]


def _groups(
    neighbour: list[str],
    gateways: list[str],
    own_ports: tuple[int, int],
    ways: Ways,
    outside: list[Target],
) -> list[Group]:
    ports = [port for port in dict.fromkeys((*own_ports, *host.ports())) if port]
    machine = [
        (address, port)
        for address in dict.fromkeys([*host.addresses(), *gateways])
        for port in ports
        if (address, port) not in ways.allowed
    ]
    rules = f"Set the rules of {HOW_TO}"
    return [
        Group(
            "another session",
            tuple((address, _NEIGHBOUR) for address in (*neighbour, "127.0.0.1")),
            f"Make the network so that containers do not see each other: {HOW_TO}.",
            certain=True,
        ),
        Group("this machine", tuple(machine), f"{rules}, those of INPUT.", certain=True),
        Group("metadata of a cloud", (METADATA,), f"{rules}, those of DOCKER-USER."),
        Group("beyond", (*outside, *ways.forbidden), f"{rules}, those of DOCKER-USER."),
    ]


async def resolved(target: Target) -> list[Target]:
    """Return *target* by its addresses: inside, its name may not be known."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await loop.getaddrinfo(*target, proto=6)
        return list(dict.fromkeys((str(answer[4][0]), target[1]) for answer in found))
    return []


async def from_here(targets: list[Target]) -> set[Target]:
    """Return which of *targets* this machine reaches."""

    async def answers(target: Target) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                _, writer = await asyncio.open_connection(*target)
            writer.close()
            return True
        return False

    found = await asyncio.gather(*map(answers, targets))
    return {target for target, yes in zip(targets, found, strict=True) if yes}


def judged(group: Group, reached: set[Target], controls: set[Target]) -> Finding:
    """Say whether *group* is closed, and how sure that is."""
    open_ = [target for target in group.targets if target in reached]
    if open_:
        return wrong(group.what, f"can be reached at {_shown(open_)}", group.mend)
    if group.certain:
        return ok(group.what, f"cannot be reached ({len(group.targets)} addresses tried)")
    known = [target for target in group.targets if target in controls]
    if known:
        return ok(group.what, f"cannot be reached, though this machine does ({_shown(known)})")
    said = "was not reached; but this machine does not reach it either, so nothing is proved"
    if group.targets == (METADATA,):
        return ok(group.what, said)
    mend = "Name something beyond that this machine reaches and sessions must not: --forbidden."
    return warning(group.what, said, mend)


def names(known: bool) -> Finding:
    """Say what it means that sessions can, or cannot, ask for names."""
    if not known:
        return ok("name service", "names of the world are not known inside")
    said = "names of the world are looked up, and in questions for names data can be carried out"
    mend = f"Set a name server that knows the allowed hosts only: {HOW_TO}."
    return warning("name service", said, mend)


def allowed_way(target: Target, reached: set[Target], mend: str = _RULES) -> Finding:
    """Say whether sessions reach what the facility says that they must."""
    what = f"allowed {_shown([target])}"
    if target in reached:
        return ok(what, "is reached")
    return wrong(what, "is not reached from inside", mend)


def _shown(targets: list[Target], most: int = 6) -> str:
    words = [f"[{a}]:{p}" if ":" in a else f"{a}:{p}" for a, p in targets[:most]]
    return ", ".join(words) + (f" and {len(targets) - most} more" if len(targets) > most else "")

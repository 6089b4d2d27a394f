"""`daas check`: examines a configuration before the hub runs with it, and says how to mend it.

Exit codes: 0 all is well (warnings allowed), 1 something is wrong, 2 the command line or the
configuration cannot be understood.
"""

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyterhub.app import JupyterHub
from traitlets import TraitError
from traitlets.config import Config

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.providers import Provider
from daas_catalogue.facility import Facility
from daas_command import check_parts
from daas_command.check_parts import engine_subjects
from daas_command.checks.accounts import directory_findings, name_findings
from daas_command.checks.engine import engine_findings
from daas_command.checks.finding import Findings, refused, shown
from daas_command.checks.hub import hub_findings
from daas_command.checks.network import Ways
from daas_command.checks.passwords import password_findings
from daas_command.checks.private_files import private_findings
from daas_command.checks.providers import provider_findings
from daas_command.checks.rights import right_findings
from daas_command.checks.sample import Sample, parse_sample, sample_findings
from daas_command.checks.storage import storage_findings
from daas_command.configuration import authenticator, become_hub, hubs_settings, load, secrets_in
from daas_command.report import Printer, Subject, examine, on_a_loop
from daas_model.errors import BadRequest, DaasError

_LARGEST_SAMPLE = 256 * 1024


def add_to(commands: Any) -> None:
    """Add `check` to the parser's *commands*."""
    words = "examine the configuration, and say how to mend it"
    parser = commands.add_parser("check", help=words, description=words)
    parser.add_argument("--name", help="also: may NAME come in, and which account has she")
    parser.add_argument("--proposal", default="", help="with --name: the proposal to open")
    parser.add_argument("--token", help="also: a FILE (or - ) with an ID token or userinfo's JSON")
    parser.add_argument("--provider", help="ask only this provider; whose the --token is")
    parser.add_argument("--quiet", action="store_true", help="do not print what is well")
    parser.set_defaults(run=check)
    check_parts.add_to(parser)


def check(wanted: argparse.Namespace) -> int:
    """Examine, print and return the exit code."""
    # What libraries and the hub's own code would log is said by the findings.
    logging.getLogger().addHandler(logging.NullHandler())
    printer = Printer(wanted.quiet)
    try:
        config = load(wanted.config)
        printer.hide(secrets_in(config))
        hub = authenticator(config)
        app = hubs_settings(config)
        hub.know_public_url(app.public_url)
        providers = chosen(hub.all_providers(), wanted.provider)
        printer.hide(provider.client_secret for provider in providers)
        sample = _sample(wanted.token, providers)
        become_hub(hub.people_database)
    except DaasError as error:
        print(printer.safe(f"{error.message} {error.action}"), file=sys.stderr)
        return 2
    return on_a_loop(examine(_subjects(wanted, config, app, hub, providers, sample), printer))


def chosen(providers: Iterable[Provider], wanted: str | None) -> list[Provider]:
    """Return the providers to ask. Raises `BadRequest` when there is none of that id."""
    found = [provider for provider in providers if wanted in (None, provider.id)]
    if wanted is not None and not found:
        raise BadRequest(
            f"There is no provider {wanted!r}.", "Look at DaasAuthenticator.providers."
        )
    return found


def _sample(place: str | None, providers: list[Provider]) -> Sample | None:
    if place is None:
        return None
    if len(providers) != 1:
        raise BadRequest("Whose token is it?", "Say it: --provider ID.")
    try:
        with sys.stdin.buffer if place == "-" else Path(place).open("rb") as file:
            text = file.read(_LARGEST_SAMPLE).decode("utf-8")
        return parse_sample(text)
    except UnicodeDecodeError:
        why = "is no text"
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
    except ValueError as error:
        why = str(error)
    raise BadRequest(f"--token {shown(place)} {why}.", "Give an ID token, or userinfo's JSON.")


def _subjects(
    wanted: argparse.Namespace,
    config: Config,
    app: JupyterHub,
    hub: DaasAuthenticator,
    providers: list[Provider],
    sample: Sample | None,
) -> Iterator[Subject]:
    yield Subject("The hub", hub_findings(config, app, hub))
    yield Subject("Secrets and rights", _both(config, wanted.config, hub))
    for provider in providers:
        yield Subject(f"Provider {provider.id}", provider_findings(hub, provider))
    if sample is not None:
        yield Subject(f"Sample of {providers[0].id}", sample_findings(hub, providers[0], sample))
    if hub.password_ways:
        yield Subject("Passwords", password_findings(hub))
    yield Subject("Accounts", directory_findings(hub))
    facility, problem = None, None
    try:
        facility = Facility(config=config)
    except (DaasError, TraitError) as error:
        problem = error
    if wanted.name is not None:
        yield Subject(wanted.name, name_findings(hub, facility, wanted.name, wanted.proposal))
    if facility is not None:
        yield Subject("Catalogue and storage", storage_findings(facility))
    if problem is not None:
        yield Subject("Catalogue and storage", _one(problem))
    local = facility is None or any(
        facility.engine_of(machine).kind == "local" for machine in facility.machines.values()
    )
    yield Subject("Engine", engine_findings(config, local))
    if facility is not None:
        yield from engine_subjects(facility, config, app, Ways())


async def _both(config: Config, file: Path, hub: DaasAuthenticator) -> Findings:
    async for finding in private_findings(config, file):
        yield finding
    async for finding in right_findings(hub):
        yield finding


async def _one(problem: DaasError | TraitError) -> Findings:
    error = problem if isinstance(problem, DaasError) else BadRequest(f"{problem}.", "Mend it.")
    yield refused("Facility", error, error.action)

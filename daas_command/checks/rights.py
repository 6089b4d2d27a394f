"""Rights that nobody gets, or that count with a password only. Called by `check`."""

from collections.abc import Iterator

from traitlets import TraitError

from daas_authenticator.authenticator import DaasAuthenticator
from daas_authenticator.rights.step_up import NEED_STEP_UP
from daas_command.checks.finding import Finding, Findings, ok, warning, wrong

HOW_TO = "docs/how-to/give-rights.md"


async def right_findings(hub: DaasAuthenticator) -> Findings:
    """Examine what `rights` gives and what `step_up` asks for it."""
    if not hub.rights:
        return
    try:
        rules = hub.right_rules({provider.id for provider in hub.all_providers()})
    except TraitError as error:
        yield wrong("rights", str(error), f"Mend it; see {HOW_TO}.")
        return
    found = list(_weak(hub, {(rule.provider, rule.right) for rule in rules}))
    for finding in found or [
        ok("rights", f"{len(rules)} rules; those of weight need a second factor")
    ]:
        yield finding


def _weak(hub: DaasAuthenticator, given: set[tuple[str, str]]) -> Iterator[Finding]:
    heavy = [one for one in given if one[1] in NEED_STEP_UP]
    for provider, right in sorted(heavy):
        step_up, what = hub.step_up_of(provider), f"right {right}"
        if step_up.rights_without_step_up:
            said = f"of {provider} counts without a second factor: a stolen password is enough"
            yield warning(what, said, f"Set DaasAuthenticator.step_up's acr_values; see {HOW_TO}.")
        elif not step_up.acr_values:
            said = f"of {provider} counts for nobody: step_up does not say what to ask for"
            yield warning(
                what, said, f"Name {provider} in DaasAuthenticator.step_up; see {HOW_TO}."
            )

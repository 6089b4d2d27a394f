"""The one small hierarchy of errors that a person may see.

Every package raises these; pages and logs show them. `code` is stable and documented in
`docs/reference/errors.md` (a test says so when it is not).
"""


class DaasError(Exception):
    """Something a person should know: what happened, and what to do about it.

    *message* says what happened and what it means for the data, *action* what to do next.
    Both are plain text, safe to show to whoever asked. *detail* is for the log only.
    """

    code = "DAAS-ERROR"
    status = 500
    default_action = "Try again. If it happens again, tell your facility's support the code."

    def __init__(self, message: str, action: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.action = action or self.default_action
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message} {self.action} [{self.code}]"


class BadRequest(DaasError):
    """The browser, a script or a link sent something we do not understand."""

    code = "DAAS-REQUEST"
    status = 400
    default_action = "Go to your home page and choose from there."


class UnknownApp(DaasError):
    """No app of that name is installed here."""

    code = "DAAS-APP"
    status = 404
    default_action = "Choose one of the apps on your home page."


class UnknownMachine(DaasError):
    """No machine of that name is offered here."""

    code = "DAAS-MACHINE"
    status = 404
    default_action = "Choose one of the machines on your home page."


class ProposalNotFound(DaasError):
    """Unknown and foreign proposals look the same to whoever asks."""

    code = "DAAS-PROPOSAL"
    status = 404
    default_action = (
        "Check the number. If it is right, ask the principal investigator "
        "or the local contact to add you to the proposal."
    )


class CatalogueProblem(DaasError):
    """The catalogue cannot be read, or what it says makes no sense."""

    code = "DAAS-CATALOGUE"
    status = 503
    default_action = "Your data is not affected. Tell your facility's support the code."


class StorageProblem(DaasError):
    """The folders of a proposal or a home are not as they must be."""

    code = "DAAS-STORAGE"
    status = 503
    default_action = "Nothing was started or changed. Tell your local contact the code."


class NeedsProposal(DaasError):
    """This app, or this person, may not start without a proposal."""

    code = "DAAS-NEEDS-PROPOSAL"
    status = 403
    default_action = "Open one of your proposals on your home page."


class AccountProblem(DaasError):
    """No usable local account belongs to this person."""

    code = "DAAS-ACCOUNT"
    status = 403
    default_action = "Tell your facility's user office the code."


class NotLinked(DaasError):
    """Somebody signed in well, but by an identity that is linked to no account here."""

    code = "DAAS-NOT-LINKED"
    status = 403
    default_action = "Sign in with your facility's own account, and link this identity there."


class PeopleUnavailable(DaasError):
    """The authenticator's own database cannot be read or written."""

    code = "DAAS-PEOPLE"
    status = 503
    default_action = "Try again in a few minutes. Sessions that run are not affected."


class Blocked(DaasError):
    """This person may not use the portal for now."""

    code = "DAAS-BLOCKED"
    status = 403
    default_action = "Ask your facility's user office."


class LoginFailed(DaasError):
    """The identity provider's answer could not be trusted or understood."""

    code = "DAAS-LOGIN"
    status = 403
    default_action = "Sign in again. If it happens again, tell your facility's support the code."


class TooManyAttempts(DaasError):
    """Somebody has tried passwords too often; *retry_seconds* is when she may try again."""

    code = "DAAS-TOO-MANY"
    status = 429

    def __init__(self, message: str, action: str = "", *, retry_seconds: int) -> None:
        super().__init__(message, action)
        self.retry_seconds = retry_seconds


class ProviderUnavailable(DaasError):
    """The identity provider does not answer."""

    code = "DAAS-PROVIDER"
    status = 503
    default_action = "Try again in a few minutes. Sessions that run are not affected."


class StartRefused(DaasError):
    """A start that the portal did not ask for."""

    code = "DAAS-ONE-DOOR"
    status = 403
    default_action = "Open the portal and start the session there."


class WatchingRefused(DaasError):
    """A session that may not be looked at by others, or not by this person."""

    code = "DAAS-WATCHING"
    status = 403
    default_action = "Look at it together on one screen."


class InvitationGone(DaasError):
    """An invitation that is over, was taken back, or never was one."""

    code = "DAAS-INVITATION"
    status = 404
    default_action = "Ask the person who sent it to invite you again."


class EngineProblem(DaasError):
    """The machine cannot run a session: a program or a right is missing, a disk is full."""

    code = "DAAS-ENGINE"
    status = 503
    default_action = "Your data is not affected. Tell your facility's support the code."


class ImageProblem(DaasError):
    """An app's image cannot be had, or is not made for this portal."""

    code = "DAAS-IMAGE"
    status = 503
    default_action = "Your data is not affected. Tell your facility's support the code."


class HubUnavailable(DaasError):
    """The hub does not answer the portal."""

    code = "DAAS-HUB"
    status = 503
    default_action = "Your sessions keep running. Try again in a minute."

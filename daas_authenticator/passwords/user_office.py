"""Passwords by a facility's user office, in the contract of CALIPSOplus. Made by `ways`.

`BACKEND_UO_LOGIN` of calipsoplus-backend: a POST of `{"username", "password"}` as JSON; 200 yes,
401 no, 400 a fault. There the typed name became the identity; here the office must return it.
"""

import json

from daas_authenticator.fetch import Fetch
from daas_authenticator.names import group_names
from daas_authenticator.passwords.identity import GROUPS_CLAIM, NAME_CLAIM, LocalIdentity
from daas_authenticator.passwords.settings import UserOfficeValues
from daas_authenticator.passwords.typed import Typed, wrong
from daas_model.errors import ProviderUnavailable


class UserOfficeWay:
    """One user office. A `PasswordWay`."""

    def __init__(self, values: UserOfficeValues) -> None:
        self.values = values
        self._fetch = Fetch(values.timeout_seconds, values.ca_bundle, values.proxy)

    async def check(self, typed: Typed) -> LocalIdentity:
        """Return who the office says this is."""
        try:
            answer = await self._fetch(
                self.values.url,
                method="POST",
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                body=json.dumps({"username": typed.name, "password": typed.password}),
            )
        except ProviderUnavailable as error:
            raise _silent(error.detail) from None
        if answer.code == 401:
            raise wrong("the user office says no")
        if answer.code != 200:
            raise _silent(f"HTTP {answer.code}")
        return self._identity(answer.body)

    async def confirm(self, subject: str) -> None:
        """Return nothing: the contract has no question that needs no password."""

    def _identity(self, body: bytes) -> LocalIdentity:
        of = self.values
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            raise _silent("200 without JSON") from None
        if not isinstance(said, dict):
            raise _silent("200 without a JSON object")
        name = said.get(of.name_field)
        subject = said.get(of.subject_field or of.name_field)
        if type(subject) is int:
            subject = str(subject)
        if not all(isinstance(text, str) and text for text in (name, subject)):
            raise _silent("200 that does not say who")
        groups = group_names(said.get(of.groups_field)) if of.groups_field else ()
        return LocalIdentity(of, str(subject), {NAME_CLAIM: name, GROUPS_CLAIM: sorted(groups)})


def _silent(why: str) -> ProviderUnavailable:
    return ProviderUnavailable("The user office cannot check passwords now.", detail=why)

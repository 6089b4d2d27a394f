"""Passwords by PAM, asked in a helper process of its own. Made by `ways`.

Stock JupyterHub asks PAM in the hub, which must then be root; see decision 0044.
"""

import asyncio
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from daas_authenticator.passwords.identity import GROUPS_CLAIM, NAME_CLAIM, LocalIdentity
from daas_authenticator.passwords.settings import PamValues
from daas_authenticator.passwords.typed import Typed, wrong
from daas_model.errors import ProviderUnavailable

#: What the helper gets of the hub's environment, which holds keys and secrets.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "PYTHONPATH")
_MOST_HELPERS = 8
# What modules and their configuration files could read as more than a name stays out.
_NAME = re.compile(r"[\w][\w.@+\\-]*")


class PamWay:
    """One PAM service. A `PasswordWay`."""

    def __init__(self, values: PamValues) -> None:
        self.values = values
        self._places = asyncio.Semaphore(_MOST_HELPERS)

    async def check(self, typed: Typed) -> LocalIdentity:
        """Return whose name and password these are."""
        if not _NAME.fullmatch(typed.name):
            raise wrong("no name that PAM is asked for")
        return await self._identity(typed.name, typed.password)

    async def confirm(self, subject: str) -> LocalIdentity:
        """Return the account of *subject*, which must be there and not expired."""
        return await self._identity(subject, None)

    async def _identity(self, name: str, password: str | None) -> LocalIdentity:
        of = self.values
        question = {
            "name": name,
            "password": password,
            "service": of.service,
            "min_uid": of.min_uid,
            "seconds": of.timeout_seconds + 1,
        }
        try:
            async with asyncio.timeout(of.timeout_seconds), self._places:
                answer = await self._ask(json.dumps(question).encode())
        except TimeoutError:
            raise _silent("no answer in time") from None
        if "no" in answer:
            raise wrong(f"PAM says no: {answer['no']}")
        user = answer.get("user")
        if not isinstance(user, str):
            raise _silent(f"fault {answer.get('fault')}")
        return LocalIdentity(of, user, {NAME_CLAIM: user, GROUPS_CLAIM: []})

    async def _ask(self, question: bytes) -> Mapping[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *self.values.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # What modules write there is not for a log: some write what they were given.
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        try:
            said, _ = await process.communicate(question)
        finally:
            if process.returncode is None:
                # Of sudo's it may not be ours to end: then the helper ends itself by its alarm.
                with suppress(ProcessLookupError, PermissionError):
                    process.kill()
                    await process.wait()
        try:
            answer = json.loads(said)
        except ValueError:
            raise _silent(f"the helper ended with {process.returncode}") from None
        return answer if isinstance(answer, dict) else {}


def _silent(why: str) -> ProviderUnavailable:
    return ProviderUnavailable("This machine cannot check passwords now.", detail=f"PAM: {why}")

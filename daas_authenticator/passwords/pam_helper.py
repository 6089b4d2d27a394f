"""Asks PAM one question and ends: `python -m daas_authenticator.passwords.pam_helper`.

Run by `pam.PamWay`, by sudo where the hub is not root. PAM may block, load anything and never
come back, which is no business of the hub's process. The question, a JSON object with name and
password, comes by standard input: arguments and environment can be read by others.
"""

import json
import pwd
import resource
import signal
import sys
from collections.abc import Mapping
from typing import Any

import pamela

# Linux-PAM's numbers for "no": all that is said of this person, not of PAM or its modules.
_NO = frozenset({6, 7, 8, 10, 11, 12, 13, 16, 17, 27})


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"user": name}` for yes, `{"no": code}`, or `{"fault": code}`.

    Without a password only the account is looked at: whether it is there, and not expired.
    """
    name, password, service = (question[key] for key in ("name", "password", "service"))
    try:
        if password is None:
            pamela.check_account(name, service=service)
            user = name
        else:
            handle = pamela.authenticate(
                name, password, service=service, resetcred=0, close=False, check=True
            )
            # Modules may change the name; whom they mean is what counts.
            user = handle.get_item(pamela.PAM_USER)
    except pamela.PAMError as error:
        return {"no" if error.errno in _NO else "fault": error.errno}
    return {"user": user} if is_a_person(user, question["min_uid"]) else {"no": 0}


def is_a_person(name: str, min_uid: int) -> bool:
    """Tell whether the machine does not count *name* among its system accounts."""
    try:
        return bool(name) and name != "root" and pwd.getpwnam(name).pw_uid >= min_uid
    except KeyError:
        return True  # PAM may know more people than the machine; an account is looked up later


def main() -> None:
    """Read the question, write the answer."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    question = json.load(sys.stdin)
    signal.alarm(question["seconds"])  # a hub that is not root could not end us
    json.dump(answer(question), sys.stdout)


if __name__ == "__main__":
    main()

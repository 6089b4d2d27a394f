"""Run by `test_ordinary_user.py` as somebody who is not root: one session, tried from inside.

Prints JSON: what each command of standard input answered.
"""

import asyncio
import dataclasses
import json
import os
import sys
from pathlib import Path

from jupyterhub.httpclient import JupyterHubHTTPClient, fetch

from daas_spawner.local.backend import LocalBackend
from tests.engines.world import make_world


async def main(top: Path, commands: list[str]) -> list[tuple[int, str]]:
    """Start a session and return what each command answered in it."""
    plan = make_world(top).plan("pi", "ours")
    # In `files` or a directory an ordinary user is whoever runs the portal.
    account = dataclasses.replace(plan.account, uid=os.getuid(), gid=os.getgid())
    backend = LocalBackend("pi/probe-ours", top / "run", top / "logs", "/")
    url = await backend.start(dataclasses.replace(plan, account=account))
    answers = []
    for command in commands:
        answer = await fetch(url, method="POST", data=command.encode())
        status, _, output = (await answer.text()).partition("\n")
        answers.append((int(status), output))
    await backend.stop()
    await JupyterHubHTTPClient.loop_instance().close()
    return answers


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), json.load(sys.stdin)))))

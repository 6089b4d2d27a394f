"""The engine of this machine: programs, a trial of the sandbox, folders, the proxy, limits.

Called by `check`. What it starts is `true` in an empty sandbox.
"""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

from traitlets.config import Config

from daas_command.checks.finding import Finding, Findings, ok, warning, wrong
from daas_command.checks.hub import may_write
from daas_spawner import weaknesses

#: Of the engine itself, and of every desktop.
PROGRAMS = ("bwrap", "setpriv", "Xtigervnc", "matchbox-window-manager", "xprop")
IN_SESSIONS = ("python", "daas-desktop", "daas-notebook")
#: A socket's path may have 107 characters; ours stand this many below the run folder.
LONGEST_RUN_FOLDER = 107 - len("/sessions/0123456789ab/hub/hub.sock")
_TRIAL_SECONDS = 10


async def engine_findings(config: Config, local: bool = True) -> Findings:
    """Examine what sessions on this machine need; *local* if some run in its own sandboxes."""
    settings = config.DaasSpawner
    if local:
        async for finding in _sandboxes(settings):
            yield finding
    yield run_folder(Path(str(settings.get("run_folder", ""))))
    if config.ConfigurableHTTPProxy.get("should_start", True):
        yield proxy(config.ConfigurableHTTPProxy.get("command"))


async def _sandboxes(settings: Config) -> Findings:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        mend = "Install them: make packages."
        yield wrong("programs", f"{', '.join(missing)} not found on PATH", mend)
    else:
        yield ok("programs", ", ".join(PROGRAMS))
    if "bwrap" not in missing:
        yield await _sandbox()
    yield session_environment(Path(str(settings.get("session_environment", ""))))
    for weakness in weaknesses():
        yield warning("this machine", weakness, "See docs/tutorials/install-on-one-machine.md.")


async def _sandbox() -> Finding:
    what = "sandbox"
    apart = ["--unshare-pid", "--unshare-ipc", "--unshare-net"]
    apart += [] if os.geteuid() == 0 else ["--unshare-user"]
    process = await asyncio.create_subprocess_exec(
        "bwrap", *apart, "--ro-bind", "/", "/", "true", stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_TRIAL_SECONDS):
            _, said = await process.communicate()
    except TimeoutError:
        process.kill()
        said = b"no end within 10 s"
    if process.returncode == 0:
        return ok(what, "a program starts in it, without a network")
    mend = (
        "As an ordinary user the kernel must allow user namespaces (sysctl "
        "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns); in a "
        "container it needs their rights from outside."
    )
    return wrong(what, said.decode("utf-8", "replace"), mend)


def session_environment(folder: Path) -> Finding:
    """Say whether *folder* has what sessions run."""
    what = "DaasSpawner.session_environment"
    if not folder.is_absolute():
        return wrong(what, "is not set, or no whole path", "Set DAAS_ENVIRONMENT.")
    missing = [name for name in IN_SESSIONS if not (folder / "bin" / name).exists()]
    if not missing:
        return ok(what, f"{folder}")
    mend = "Make it: make .session-env/ready; or set DAAS_ENVIRONMENT."
    return wrong(what, f"{folder} has no {', '.join(missing)}", mend)


def run_folder(folder: Path) -> Finding:
    """Say whether sockets can be in *folder*."""
    what = "DaasSpawner.run_folder"
    if not folder.is_absolute():
        return wrong(what, "is not set, or no whole path", "Set DAAS_RUN, such as /run/daas.")
    if len(str(folder).encode()) > LONGEST_RUN_FOLDER or str(folder) != str(folder).lower():
        mend = "Set DAAS_RUN to a short path in small letters, such as /run/daas."
        return wrong(what, f"{folder} is too long, or not in small letters", mend)
    if not folder.is_dir() or not may_write(folder):
        mend = "Make it for the hub's user, mode 0700; or set DAAS_RUN."
        return wrong(what, f"{folder} is not a folder that can be written", mend)
    # The Helm chart's own is open, and nobody else is in the hub's container.
    if folder.stat().st_mode & 0o077 and "DAAS_VALUES" not in os.environ:
        mend = f"chmod 0700 {folder}"
        return warning(what, f"{folder} is open to others of this machine", mend)
    return ok(what, f"{folder}")


def proxy(command: Any) -> Finding:
    """Say whether the hub can start its proxy by *command*, a list of texts, if it is set."""
    what, set_it = "proxy", "Set DAAS_PROXY to: /opt/daas/.node/node /opt/daas/.node/proxy.mjs"
    words = [str(word) for word in command or ["configurable-http-proxy"]]
    if shutil.which(words[0]) is None:
        return wrong(what, f"{words[0]} is not there", set_it)
    script = next((word for word in words[1:] if word.endswith((".js", ".mjs"))), "")
    if script and not Path(script).is_file():
        return wrong(what, f"{script} is not there", set_it)
    if Path(script).name != "proxy.mjs":
        said = "is not tools/proxy.mjs: now and then an answer of a session is lost"
        return warning(what, said, set_it)
    return ok(what, " ".join(words))

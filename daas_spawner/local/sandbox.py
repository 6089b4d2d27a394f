"""A `SessionPlan` as a bubblewrap command line. Pure: nothing is started or read here.

As root the session gets the person's real UID, GID and groups by setpriv, never by a user
namespace: there the process would stay the machine's root underneath. As an ordinary user all
sessions keep the caller's UID and a user namespace is the only way in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from daas_spawner.plan import PROPOSALS, SessionPlan
from daas_spawner.session.etc import people_files
from daas_spawner.session.graphics import Device, groups_of

#: What programs look for in /etc and what says nothing about the machine's people.
ETC = (
    "alternatives",
    "bash.bashrc",
    "drirc",
    "fonts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "matchbox",
    "mime.types",
    "OpenCL",
    "profile",
    "profile.d",
    "ssl/certs",
    "terminfo",
    "X11",
    "xdg",
)

#: The step between bubblewrap and the program, already as the person (root without its
#: capabilities may not enter her home): links in her home, unless something of hers is there,
#: group-writable files for the proposal's folder, and a run-time folder that belongs to the
#: session's UID. `daas_desktop.enter` does the same in containers.
ENTER = """
for link in $DAAS_LINKS; do
  rmdir "$HOME/${link%%=*}" 2>/dev/null
  test -L "$HOME/${link%%=*}" || ln -sT "${link#*=}" "$HOME/${link%%=*}" 2>/dev/null
done
umask 0007; mkdir -m 0700 "$XDG_RUNTIME_DIR" && cd "$1" || exit 71; shift; exec "$@"
"""

_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")  # setpriv's, which then drops them


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the supervisor starts. *files* are small texts that appear inside, by path."""

    argv: tuple[str, ...]
    files: Mapping[str, str]


def render(
    plan: SessionPlan,
    hostname: str,
    as_root: bool,
    descriptors: int,
    devices: tuple[Device, ...] = (),
) -> Sandbox:
    """Return the sandbox of *plan*.

    *descriptors* is the first file descriptor at which the supervisor will offer `files`, in
    their order. *devices* are the graphics cards that it may use.
    """
    files = people_files(plan.account, plan.mounts[0].target, with_root=as_root)
    argv = ["bwrap", *_namespaces(hostname, as_root), *_system()]
    for place, path in enumerate(files):
        argv += ["--perms", "0644", "--ro-bind-data", str(descriptors + place), path]
    argv += _graphics(devices)
    home, *others = plan.mounts
    argv += _mount(home.source, home.target, home.read_only)
    argv += ["--perms", "0755", "--tmpfs", str(PROPOSALS)]
    for mount in others:
        argv += _mount(mount.source, mount.target, mount.read_only)
    argv += ["--remount-ro", str(PROPOSALS)]
    argv += ["--chdir", "/", "--", *_become(plan, as_root, groups_of(devices))]
    argv += ["/bin/sh", "-c", ENTER, "session", str(plan.folder), *plan.argv]
    return Sandbox(tuple(argv), files)


def _namespaces(hostname: str, as_root: bool) -> list[str]:
    argv = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    argv += ["--unshare-cgroup", "--hostname", hostname, "--die-with-parent", "--new-session"]
    if not as_root:
        return [*argv, "--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    argv += ["--cap-drop", "ALL"]
    for capability in _CAPABILITIES:
        argv += ["--cap-add", capability]
    return argv


def _system() -> list[str]:
    argv = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        argv += ["--symlink", f"usr/{name}", f"/{name}"]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    for made in ("/etc", "/etc/ssl", "/home", "/run", "/var"):
        argv += ["--perms", "0755", "--dir", made]
    for shared in ("/dev/shm", "/tmp", "/var/tmp"):  # noqa: S108  the sandbox's own
        argv += ["--perms", "1777", "--tmpfs", shared]
    for name in ETC:
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return argv


def _mount(source: PurePosixPath, target: PurePosixPath, read_only: bool) -> list[str]:
    argv: list[str] = []
    for parent in reversed(target.parents[:-1]):
        # bubblewrap makes implied parents 0700, which nobody but root could pass
        argv += ["--perms", "0755", "--dir", str(parent)]
    return [*argv, "--ro-bind" if read_only else "--bind", str(source), str(target)]


def _graphics(devices: tuple[Device, ...]) -> list[str]:
    if not devices:
        return []
    # Mesa looks up there which driver a card has.
    argv = ["--perms", "0755", "--dir", "/dev/dri", "--perms", "0755", "--dir", "/sys"]
    for folder in ("/sys/dev/char", "/sys/devices"):
        argv += ["--ro-bind-try", folder, folder]
    for device in devices:
        argv += ["--dev-bind", device.path, device.path]
    return argv


def _become(plan: SessionPlan, as_root: bool, more_groups: set[int]) -> list[str]:
    drop = ["--no-new-privs", "--inh-caps=-all"]
    if not as_root:
        return ["setpriv", *drop]
    account = plan.account
    groups = ",".join(str(gid) for gid in sorted({*account.groups.values(), *more_groups}))
    member = ["--groups", groups] if groups else ["--clear-groups"]
    return [
        "setpriv",
        f"--reuid={account.uid}",
        f"--regid={account.gid}",
        *member,
        "--bounding-set=-all",
        *drop,
    ]

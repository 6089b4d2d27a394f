"""Programs that tests start in the background, and the certainty that nothing of them is left.

Used by `docker_here`, `podman_here`, `registry_here` and `kubernetes_here`.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Where engines keep their images between runs; a path of another one makes a run alone.
CACHE = Path(
    os.environ.get("DAAS_TEST_ENGINES")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "daas-test-engines"
)
#: Emptied when the machine boots, as the engines expect of it; short enough for sockets.
RUN = Path("/run/daas-test-engines")


class NotHere(Exception):
    """This machine cannot run the program; the message says why."""


def require(*programs: str) -> None:
    """Raise `NotHere` unless this is root and all *programs* are installed."""
    if os.geteuid() != 0:
        raise NotHere("it must be started by root")
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            raise NotHere(f"{program} is not installed")


#: Debian's own programs go first: another client of the same name may know less.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"


@dataclass(slots=True)
class Daemon:
    """A program in the background that ends with the tests, even when those are killed."""

    argv: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    #: What it is sent when the tests are killed.
    at_death: str = "TERM"
    _process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 60) -> None:
        """Start it and return once it is ready. Raises `NotHere` with its last words."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", f"--pdeathsig={self.at_death}", "--", *self.argv],
                # conmon leaves a file where it was started when the memory was not enough.
                cwd=self.log.parent,
                env={"PATH": PATH, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + seconds
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise NotHere(f"{self.log.stem} did not start: {self.last_words()}")
            time.sleep(0.05)

    def stop(self, seconds: float = 30) -> None:
        """End it; return when it is gone."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """The process that `start` has started."""
        assert self._process is not None
        return self._process.pid

    def last_words(self) -> str:
        """Return the end of its log, for whoever reads a failed test."""
        return self.log.read_text("utf-8", "replace")[-1500:]


@contextlib.contextmanager
def own_folders(name: str) -> Iterator[tuple[Path, Path]]:
    """Give the engine *name* its data folder, which is kept, and its run folder, which is not.

    One run at a time uses them. Raises `NotHere` when another one does. Whatever is still
    mounted below them at the end is unmounted.
    """
    data = CACHE / name
    data.mkdir(parents=True, exist_ok=True)
    run = RUN / f"{name}-{data.stat().st_ino}"
    with (CACHE / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotHere(f"another run of the tests uses {data}") from None
        run.mkdir(parents=True, exist_ok=True)
        try:
            yield data, run
        finally:
            unmount_below(data)
            unmount_below(run)
            shutil.rmtree(run, ignore_errors=True)
            with contextlib.suppress(OSError):
                RUN.rmdir()


def unmount_below(folder: Path) -> None:
    """Unmount everything below *folder*, the innermost first."""
    for target in reversed(mounts_below(folder)):
        subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)


def mounts_below(folder: Path) -> list[str]:
    """Return what is mounted below *folder*, in the order of mounting."""
    lines = Path("/proc/self/mounts").read_text("utf-8").splitlines()
    targets = (line.split()[1].encode().decode("unicode_escape") for line in lines)
    return [target for target in targets if Path(target).is_relative_to(folder)]


def remove_groups(name: str) -> None:
    """Remove the control groups that engines make below *name* and leave behind."""
    places = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
    for top in (place / name for place in places):
        for folder in (*sorted(top.rglob("*"), reverse=True), top):
            if folder.is_dir():
                with contextlib.suppress(OSError):
                    folder.rmdir()

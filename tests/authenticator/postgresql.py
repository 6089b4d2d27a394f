"""A real PostgreSQL in a folder of its own, reached by a socket there; None without Debian's."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgresql() -> Iterator[str | None]:
    """Run it until the end of the block; gives its SQLAlchemy address."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="daas-pg-", dir="/tmp"))
    # It refuses to run as root; Debian's package brings this user along.
    who = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if who:
        shutil.chown(folder, "postgres")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    data = str(folder / "data")
    initdb = [*who, str(programs[-1] / "initdb"), "-D", data, "-U", "daas", "-A", "trust"]
    _run([*initdb, "--no-sync", "--encoding=UTF8"], folder)
    control = [*who, str(programs[-1] / "pg_ctl"), "-D", data, "-w"]
    log = str(folder / "log")
    # Its output must not be our pipe: the server keeps it open.
    _run([*control, "-l", log, "-o", options, "start"], folder)
    try:
        yield f"postgresql+psycopg://daas@/postgres?host={folder}"
    finally:
        _run([*control, "-m", "immediate", "stop"], folder)
        shutil.rmtree(folder)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)

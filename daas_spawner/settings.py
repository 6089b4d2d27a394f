"""What a facility sets for all its sessions; a base of `DaasSpawner`."""

from traitlets import Enum, Float, Unicode
from traitlets.config import Configurable


class SpawnerSettings(Configurable):
    """The settings; set them as `c.DaasSpawner.<name>`."""

    session_environment = Unicode(
        help="""Folder of the virtual environment that holds the programs of the sessions.

        Bound read-only at the same path into every session. Made from `images/*/requirements.txt`.
        Example: `/opt/daas/session-env`.
        """,
    ).tag(config=True)
    examples_folder = Unicode(
        "",
        help="""Folder with example data, where sessions without a proposal begin; empty for none.

        Mounted read-only at `/examples`, with a link in the home. Example: `/opt/daas/examples`.
        """,
    ).tag(config=True)
    run_folder = Unicode(
        help="""Folder for sockets and process records, private to the hub's user.

        Its path must be short (sockets allow 107 characters) and in lower case (the hub lowers
        it). Lost at reboot is fine. Example: `/run/daas`.
        """,
    ).tag(config=True)
    log_folder = Unicode(
        help="""Folder for the last output of each session, for administrators.

        One file per person and session, at most 1 MiB each. Example: `/var/log/daas/sessions`.
        """,
    ).tag(config=True)
    portal_url = Unicode(
        "/services/portal/",
        help="""Where the portal's home page is, for links out of a session.

        Follows `DAAS_PUBLIC_URL`; a whole address where sessions have hosts of their own.
        Example: `https://daas.facility.example/services/portal/`.
        """,
    ).tag(config=True)
    notice = Unicode(
        "",
        help="""A short sentence that every desktop shows, such as the demo's notice.

        Example: `Demo: nothing here is real.`
        """,
    ).tag(config=True)
    idle_minutes = Float(
        0.0,
        min=0,
        help="""After how many minutes a session ends that nobody uses; 0 for never.

        In use is a session while somebody has keyboard or pointer in it, and while its programs
        compute (`busy_cores`); looking on is no use. JupyterLab counts as used while it is open.
        Its person is warned 15 minutes before and again 5 minutes before, in the session too.
        What was not saved is lost then. Example: `480`.
        """,
    ).tag(config=True)
    busy_cores = Float(
        0.2,
        min=0,
        help="""How many cores must be busy in a session, on average over a minute, for its
        programs to count as computing: then nobody needs to touch it. What shows the picture is
        not counted. With 0 no session is ever idle. Example: `0.5`.
        """,
    ).tag(config=True)
    clipboard = Enum(
        ["both", "in", "out", "off"],
        default_value="both",
        help="""Which way text may be copied between desktops and people's own computers.

        "in" is into the program only, "out" is out of it only. The session's X server keeps to
        it; it is no wall against its owner, who sees the picture. Example: `in`.
        """,
    ).tag(config=True)
    files = Enum(
        ["both", "upload", "download", "off"],
        "both",
        help="""What a desktop's button "Files" does: upload, download, both, or nothing (`off`).

        Uploads go into the proposal's `processed` folder, downloads come from there and from
        `raw`; without a proposal it is the home. For desktops' pages only: what a program does
        with a network, and JupyterLab with its own files, is not limited by it.
        Example: `upload`.
        """,
    ).tag(config=True)

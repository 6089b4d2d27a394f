"""A facility's few choices for sessions in a cluster, beside the stock spawner's own."""

from traitlets import Float, Integer
from traitlets.config import Configurable


class ClusterSessions(Configurable):
    """How long sessions in a cluster wait, and how they are told that they end."""

    patience_seconds = Integer(
        300,
        min=1,
        help="""A start is given up when the cluster has had no room for it for so many seconds.

        Meanwhile the page says what it waits for. Longer where the cluster has to add nodes.
        Example: `900`.
        """,
    ).tag(config=True)
    notice_seconds = Integer(
        120,
        min=0,
        help="""So long a session goes on after its node was drained or its pod was deleted.

        In this time the person is told to save her work; she reads it within a minute. Whoever
        drains a node waits for it. 0: it ends at once. Example: `300`.
        """,
    ).tag(config=True)
    scratch_gib = Float(
        10,
        min=0.1,
        help="""What a session may write to `/tmp` and `/var/tmp`, in GiB each.

        On the node's disk, gone with the session; a session that writes more is ended by the
        cluster. Example: `50` for nodes with large disks.
        """,
    ).tag(config=True)

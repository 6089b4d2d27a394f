"""The namespace of a test's sessions: Pod Security, the machine's folders, network policies."""

import json

from tests.engines.kubernetes_here import ClusterHere

NAMESPACE = "sessions"
#: The claim that has this machine's folders, and so those of every test.
MACHINE = "machine"


def prepare_sessions(cluster: ClusterHere) -> None:
    """Make the namespace that sessions of the suite run in, as the chart makes it."""
    cluster.kubectl("apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, _objects())))


def _objects() -> list[dict[str, object]]:
    modes, size = ["ReadWriteMany"], {"storage": "1Gi"}
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    claim = {"name": MACHINE, "namespace": NAMESPACE}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": restricted},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{NAMESPACE}-{MACHINE}"},
            "spec": {
                "capacity": size,
                "accessModes": modes,
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "hostPath": {"path": "/"},
                "claimRef": claim,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": claim,
            "spec": {
                "storageClassName": "",
                "volumeName": f"{NAMESPACE}-{MACHINE}",
                "accessModes": modes,
                "resources": {"requests": size},
            },
        },
    ]

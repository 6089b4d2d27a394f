"""The namespace of a test's sessions: Pod Security, the machine's folders, network policies."""

import json

from daas_spawner.kubernetes.rendering import PORT
from daas_spawner.kubernetes.seen import SESSION
from tests.engines.kubernetes_here import KubernetesHere

NAMESPACE = "sessions"
#: The claim that has this machine's folders, and so those of every test.
MACHINE = "machine"


def prepare_sessions(cluster: KubernetesHere) -> None:
    """Make the namespace that sessions of the suite run in, as the chart makes it."""
    cluster.kubectl(
        "apply", "-f", "-", stdin="\n---\n".join(map(json.dumps, _objects(cluster.host)))
    )
    bound = "--for=jsonpath={.status.phase}=Bound"
    cluster.kubectl("wait", f"--namespace={NAMESPACE}", bound, f"pvc/{MACHINE}", "--timeout=30s")


def _objects(host: str) -> list[dict[str, object]]:
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
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "sessions", "namespace": NAMESPACE},
            "spec": {
                "podSelector": {"matchExpressions": [{"key": SESSION, "operator": "Exists"}]},
                "policyTypes": ["Ingress", "Egress"],
                # The hub of the suite is this machine.
                "ingress": [
                    {"from": [{"ipBlock": {"cidr": f"{host}/32"}}], "ports": [{"port": PORT}]}
                ],
            },
        },
    ]

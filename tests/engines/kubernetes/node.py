"""The cluster's one node: the kubelet, the proxy of services, and who enforces the policies."""

import contextlib
import json
import sys
from pathlib import Path

from tests.engines.daemons import Daemon
from tests.engines.kubernetes import enforce
from tests.engines.kubernetes.images import Images
from tests.engines.kubernetes.machine import ADDRESS, PODS, Machine
from tests.engines.kubernetes.programs import REPOSITORY
from tests.engines.kubernetes.servers import ADMIN, KUBELET, NODE, Servers

#: The control group of all pods.
GROUP = "daas-test-kubernetes"
DNS = "198.18.1.10"
MOST_PODS = 500


def node_programs(machine: Machine, servers: Servers, images: Images, folder: Path) -> list[Daemon]:
    """Return what runs on the node."""
    kubelet, proxy = folder / "kubelet.yaml", folder / "proxy.yaml"
    kubelet.write_text(json.dumps(_kubelet(servers, images, folder)))
    proxy.write_text(json.dumps(_proxy(servers)))
    flags = {
        "config": kubelet,
        "hostname-override": NODE,
        "kubeconfig": servers.kubeconfig(KUBELET),
        "node-ip": ADDRESS,
    }
    return [
        machine.program_of_cluster("kubelet", flags),
        machine.program_of_cluster("kube-proxy", {"config": proxy}),
        machine.daemon(
            "policies",
            *(sys.executable, "-m", enforce.__name__, str(servers.kubeconfig(ADMIN))),
            environment={"PYTHONPATH": str(REPOSITORY)},
        ),
    ]


def make_groups() -> None:
    """Make the control group of all pods, in each hierarchy: the kubelet wants it to be there."""
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        with contextlib.suppress(OSError):
            (top / "cgroup.subtree_control").write_text("+cpu +cpuset +io +memory +pids")
        (top / GROUP).mkdir(exist_ok=True)
        return
    for place in top.iterdir():
        if (place / "cgroup.procs").exists():
            (place / GROUP).mkdir(exist_ok=True)


def _kubelet(servers: Servers, images: Images, folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(servers.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{GROUP}",
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{images.socket}",
        "enableServer": True,
        "evictionHard": {
            "imagefs.available": "1%",
            "memory.available": "100Mi",
            "nodefs.available": "1%",
        },
        # Containers of Debian 12 stand on the first version of control groups.
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "kubeAPIBurst": 400,
        "kubeAPIQPS": 200,
        "maxPods": MOST_PODS,
        # An administrator without CAP_SYS_RESOURCE may not make it less.
        "oomScoreAdj": 0,
        "readOnlyPort": 0,
        "resolvConf": "",
        "volumePluginDir": str(folder / "plugins"),
    }


def _proxy(servers: Servers) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": ADDRESS,
        "clientConnection": {"kubeconfig": str(servers.kubeconfig("system:kube-proxy"))},
        "clusterCIDR": PODS,
        # It is the kernel's, for all machines in this one.
        "conntrack": {"maxPerCore": 0},
        "hostnameOverride": NODE,
        "mode": "nftables",
        "nftables": {"minSyncPeriod": "0.1s"},
        "oomScoreAdj": 0,
    }

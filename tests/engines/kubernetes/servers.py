"""The servers of the cluster: etcd, the API server, what schedules and controls; and who may ask.

Everyone has a token; one certificate, which signs itself, lets the API server ask the kubelet.
"""

import json
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests
import urllib3

from tests.engines.daemons import PATH, Daemon
from tests.engines.kubernetes.machine import ADDRESS, SERVICES, Machine

PORT = 6443
URL = f"https://{ADDRESS}:{PORT}"
NODE = "daas-node"
ETCD = "http://127.0.0.1:2379"
ETCD_PEERS = "http://127.0.0.1:2380"
#: Who asks, and in which groups she is.
ADMIN = "admin"
KUBELET = f"system:node:{NODE}"
USERS = {
    ADMIN: "system:masters",
    KUBELET: "system:nodes",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "system:kube-proxy": "",
}


@dataclass(slots=True)
class Servers:
    """The servers, with their keys and data in *folder*."""

    machine: Machine
    folder: Path
    api: Daemon = field(init=False)

    def start(self) -> None:
        """Start them; return once the API server answers. Raises `NotHere`."""
        tokens = {user: secrets.token_hex(16) for user in USERS}
        lines = (f'{tokens[user]},{user},{user},"{groups}"\n' for user, groups in USERS.items())
        (self.folder / "tokens.csv").write_text("".join(lines))
        self._make_key()
        self._etcd().start()
        self.api = self._api()
        self.api.start()
        for user, token in tokens.items():
            self.kubeconfig(user).write_text(json.dumps(self._kubeconfig(user, token)))
        self._controllers().start()
        self._scheduler().start()

    def kubeconfig(self, user: str) -> Path:
        """Return the file with which *user* asks the API server."""
        return self.folder / f"{user.rpartition(':')[2]}.kubeconfig"

    @property
    def key(self) -> Path:
        """The key with which the API server signs tokens and asks the kubelet."""
        return self.folder / "key.pem"

    @property
    def certificate(self) -> Path:
        """The certificate that the kubelet knows the API server by."""
        return self.folder / "certificate.pem"

    @property
    def authority(self) -> Path:
        """What the API server is known by; it makes that itself."""
        return self.folder / "api" / "apiserver.crt"

    def _make_key(self) -> None:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-nodes", "-days", "30"),
                *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
                *("-subj", f"/O=system:masters/CN={ADMIN}"),
                *("-addext", "extendedKeyUsage=clientAuth"),
                *("-keyout", str(self.key), "-out", str(self.certificate)),
            ],
            env={"PATH": PATH},
            capture_output=True,
            check=True,
        )

    def _kubeconfig(self, user: str, token: str) -> dict[str, object]:
        cluster = {"server": URL, "certificate-authority": str(self.authority)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "current-context": "tests",
        }

    def _etcd(self) -> Daemon:
        flags = {
            "advertise-client-urls": ETCD,
            "data-dir": self.folder / "etcd",
            "initial-advertise-peer-urls": ETCD_PEERS,
            "initial-cluster": f"default={ETCD_PEERS}",
            "listen-client-urls": ETCD,
            "listen-peer-urls": ETCD_PEERS,
            "unsafe-no-fsync": "true",
        }
        return self.machine.program_of_cluster("etcd", flags)

    def _api(self) -> Daemon:
        flags = {
            "advertise-address": ADDRESS,
            "allow-privileged": "true",
            "authorization-mode": "Node,RBAC",
            "cert-dir": self.authority.parent,
            "enable-admission-plugins": "NodeRestriction",
            "etcd-servers": ETCD,
            "kubelet-client-certificate": self.certificate,
            "kubelet-client-key": self.key,
            "kubelet-preferred-address-types": "InternalIP",
            "secure-port": PORT,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.certificate,
            "service-account-signing-key-file": self.key,
            "service-cluster-ip-range": SERVICES,
            "token-auth-file": self.folder / "tokens.csv",
        }
        return self.machine.program_of_cluster("kube-apiserver", flags, is_ready)

    def _controllers(self) -> Daemon:
        flags = {
            "root-ca-file": self.authority,
            "service-account-private-key-file": self.key,
            "use-service-account-credentials": "true",
        }
        return self._asking("kube-controller-manager", flags)

    def _scheduler(self) -> Daemon:
        return self._asking("kube-scheduler", {})

    def _asking(self, name: str, flags: Mapping[str, object]) -> Daemon:
        always = {
            "bind-address": "127.0.0.1",
            "cert-dir": self.folder / name,
            # The controllers would take 5 s to make their accounts one by one.
            "kube-api-burst": 800,
            "kube-api-qps": 400,
            "kubeconfig": self.kubeconfig(f"system:{name}"),
            "leader-elect": "false",
        }
        return self.machine.program_of_cluster(name, {**always, **flags})


def is_ready() -> bool:
    """Tell whether the API server says that it is ready."""
    with urllib3.warnings.catch_warnings(), requests.Session() as asking:
        urllib3.warnings.simplefilter("ignore")
        try:
            return asking.get(f"{URL}/readyz", verify=False, timeout=5).ok
        except requests.RequestException:
            return False

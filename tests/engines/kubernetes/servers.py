"""The servers of the cluster: etcd, the API server, what schedules and controls; and who may ask.

Everyone has a token; one certificate, which signs itself, lets the API server ask the kubelet.
"""

import json
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import requests
import urllib3

from tests.engines.daemons import PATH, Daemon
from tests.engines.kubernetes.machine import ADDRESS, SERVICES, Machine
from tests.engines.kubernetes.programs import CLUSTER

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
        return self.machine.daemon(
            [
                *(str(CLUSTER), "etcd", f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync"),
                *(f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}"),
                *(f"--listen-peer-urls={ETCD_PEERS}", f"--initial-cluster=default={ETCD_PEERS}"),
                f"--initial-advertise-peer-urls={ETCD_PEERS}",
            ],
            ready=lambda: True,
        )

    def _api(self) -> Daemon:
        return self.machine.daemon(
            [
                *(str(CLUSTER), "kube-apiserver", f"--etcd-servers={ETCD}"),
                *(f"--advertise-address={ADDRESS}", f"--secure-port={PORT}"),
                *(f"--cert-dir={self.folder}/api", f"--service-cluster-ip-range={SERVICES}"),
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={self.certificate}",
                f"--service-account-signing-key-file={self.key}",
                f"--token-auth-file={self.folder}/tokens.csv",
                *("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"),
                f"--kubelet-client-certificate={self.certificate}",
                *(f"--kubelet-client-key={self.key}", "--allow-privileged=true"),
                "--kubelet-preferred-address-types=InternalIP",
            ],
            ready=is_ready,
        )

    def _controllers(self) -> Daemon:
        return self.machine.daemon(
            [
                *(str(CLUSTER), "kube-controller-manager", "--leader-elect=false"),
                f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
                f"--root-ca-file={self.authority}",
                f"--service-account-private-key-file={self.key}",
                *("--use-service-account-credentials=true", "--bind-address=127.0.0.1"),
                f"--cert-dir={self.folder}/controllers",
            ],
            ready=lambda: True,
        )

    def _scheduler(self) -> Daemon:
        return self.machine.daemon(
            [
                *(str(CLUSTER), "kube-scheduler", "--leader-elect=false"),
                f"--kubeconfig={self.kubeconfig('system:kube-scheduler')}",
                *("--bind-address=127.0.0.1", f"--cert-dir={self.folder}/scheduler"),
            ],
            ready=lambda: True,
        )


def is_ready() -> bool:
    """Tell whether the API server says that it is ready."""
    with urllib3.warnings.catch_warnings(), requests.Session() as asking:
        urllib3.warnings.simplefilter("ignore")
        try:
            return asking.get(f"{URL}/readyz", verify=False, timeout=5).ok
        except requests.RequestException:
            return False

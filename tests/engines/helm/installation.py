"""The chart installed on a cluster, with a facility round it: for the test of its life, and timed.

Browsers come to it through nginx, as at a facility, and then through the cluster's own proxy.
"""

import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.conftest import REPOSITORY, free_port, short_folder
from tests.engines.helm.facility import make_folders, nginx, user_office, values
from tests.engines.kubernetes_here import KubernetesHere
from tests.hosting.certificates import make_certificates
from tests.hosting.place import DOMAIN

CHART = REPOSITORY / "helm" / "daas-hub"
NAMESPACE, RELEASE = "facility", "daas"
SIGN_IN = "/hub/login"


@dataclass(frozen=True, slots=True)
class Installed:
    """The chart on a cluster; *url* leads through the cluster's own proxy.

    The first sign-in page was there *seconds* after `helm install` had begun.
    """

    cluster: KubernetesHere
    folder: Path
    values: dict[str, Any]
    url: str
    seconds: float = 0.0

    def helm(self, what: str, *more: str) -> str:
        """Call helm for the release, with the values as they are now."""
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(self.values))
        words = (f"--namespace={NAMESPACE}", f"--values={file}", "--wait", "--timeout=120s")
        return self.cluster.helm(what, RELEASE, str(CHART), *words, *more)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Call kubectl in the namespace of the release."""
        return self.cluster.kubectl(f"--namespace={NAMESPACE}", *words, stdin=stdin)

    def pods(self, label: str) -> dict[str, str]:
        """Return the uid of each pod with *label*, by its name."""
        found = json.loads(self.kubectl("get", "pods", f"--selector={label}", "-o", "json"))
        return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in found["items"]}


@contextmanager
def facility_in(cluster: KubernetesHere) -> Iterator[Installed]:
    """Install the chart; take it and all that it left away at the end."""
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"metadata": {"name": NAMESPACE, "labels": restricted}}
    namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", **space})
    cluster.kubectl("apply", "-f", "-", stdin=namespace)
    with short_folder() as folder, user_office(folder, cluster.host) as office:
        make_folders(folder)
        make_certificates(folder, DOMAIN, DOMAIN)
        port = free_port()
        url = f"https://{DOMAIN}:{port}"
        place = Installed(cluster, folder, values(folder, cluster.host, office, f"{url}/"), url)
        place.kubectl("apply", "-f", "-", stdin=json.dumps(state(folder)))
        began = time.monotonic()
        install(place)
        path = "jsonpath={.spec.clusterIP}"
        address = place.kubectl("get", "service", f"{RELEASE}-proxy", "-o", path)
        with nginx(folder, port, f"{address}:80"):
            sign_in_page(url)
            seconds = time.monotonic() - began
            yield Installed(cluster, folder, place.values, url, seconds)
        cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        ours = f"--selector=app.kubernetes.io/instance={RELEASE}"
        cluster.kubectl("delete", "pv", ours)
        cluster.kubectl("delete", "pv", "daas-state")


def install(place: Installed) -> None:
    """Call `helm install`; when it fails, say what the pods and the hub said."""
    try:
        place.helm("install")
    except subprocess.CalledProcessError as error:
        logs = place.kubectl("logs", f"deployment/{RELEASE}-hub", "hub", "--tail=30")
        pods = place.kubectl("get", "pods")
        raise AssertionError(f"{error.stderr}\n{pods}\n{logs}") from None


def sign_in_page(url: str, within: float = 60.0) -> None:
    """Return once the sign-in page has been answered, as a browser asks for it."""
    # The certificate is for the portal's name, which no name server knows here.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = urlsplit(url)
    until = time.monotonic() + within
    while time.monotonic() < until:
        asked = http.client.HTTPSConnection("127.0.0.1", address.port, timeout=10, context=context)
        with closing(asked), suppress(OSError, http.client.HTTPException):
            asked.request("GET", SIGN_IN, headers={"Host": address.netloc})
            answer = asked.getresponse()
            if answer.status == 200 and b"Sign in" in answer.read():
                return
        time.sleep(0.1)
    raise AssertionError(f"no sign-in page at {url} within {within:.0f} s")


def state(folder: Path) -> dict[str, Any]:
    """Return a volume for the hub's state: the cluster of the tests makes none by itself."""
    (folder / "state").mkdir()
    (folder / "state").chmod(0o777)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "daas-state"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": str(folder / "state")},
            "claimRef": {"name": f"{RELEASE}-state", "namespace": NAMESPACE},
        },
    }

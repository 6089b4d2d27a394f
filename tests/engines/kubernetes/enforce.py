"""Keeps the rules of the NetworkPolicies in the kernel; a program that runs on the node.

It watches pods, policies and namespaces, and writes the rules anew when they would be others.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.engines.kubernetes.policies import pods_of, rules

WATCHED = {
    "pods": "api/v1/pods",
    "policies": "apis/networking.k8s.io/v1/networkpolicies",
    "namespaces": "api/v1/namespaces",
}
#: Changes that come together are written together.
TOGETHER_SECONDS = 0.02


class Watch(threading.Thread):
    """All objects of one kind, as the API server has them."""

    def __init__(self, address: str, asking: requests.Session, changed: threading.Event) -> None:
        super().__init__(daemon=True)
        self.objects: dict[str, Mapping[str, Any]] = {}
        self.is_known = False
        self._address = address
        self._asking = asking
        self._changed = changed

    def run(self) -> None:
        """Follow what changes; begin again whenever the API server is gone."""
        while True:
            try:
                self._follow(self._list())
            except (requests.RequestException, LookupError, ValueError) as error:
                print(f"{self._address}: {error}", file=sys.stderr, flush=True)
                time.sleep(0.5)

    def _list(self) -> str:
        answer = self._asking.get(self._address, timeout=10)
        answer.raise_for_status()
        found = answer.json()
        self.objects = {item["metadata"]["uid"]: item for item in found["items"]}
        self.is_known = True
        self._changed.set()
        version: str = found["metadata"]["resourceVersion"]
        return version

    def _follow(self, version: str) -> None:
        wanted = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "300"}
        with self._asking.get(self._address, params=wanted, stream=True, timeout=310) as answer:
            answer.raise_for_status()
            for line in answer.iter_lines(chunk_size=None):
                event = json.loads(line)
                item = event["object"]
                if event["type"] == "DELETED":
                    self.objects = {
                        uid: one
                        for uid, one in self.objects.items()
                        if uid != item["metadata"]["uid"]
                    }
                else:
                    self.objects = {**self.objects, item["metadata"]["uid"]: item}
                self._changed.set()


def main(kubeconfig: str) -> None:
    """Write the rules until the end."""
    config = json.loads(Path(kubeconfig).read_text())
    cluster = config["clusters"][0]["cluster"]
    changed = threading.Event()
    watches = {}
    for name, path in WATCHED.items():
        asking = requests.Session()
        asking.trust_env = False
        asking.verify = cluster["certificate-authority"]
        asking.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"
        watches[name] = Watch(f"{cluster['server']}/{path}", asking, changed)
        watches[name].start()
    written = ""
    while True:
        changed.wait()
        time.sleep(TOGETHER_SECONDS)
        changed.clear()
        if not all(watch.is_known for watch in watches.values()):
            continue
        wanted = _rules(watches)
        if wanted != written:
            subprocess.run(["nft", "--file", "-"], input=wanted, text=True, check=True)
            written = wanted


def _rules(watches: Mapping[str, Watch]) -> str:
    names = {
        item["metadata"]["name"]: item["metadata"].get("labels", {})
        for item in watches["namespaces"].objects.values()
    }
    pods = pods_of(list(watches["pods"].objects.values()))
    return rules(list(watches["policies"].objects.values()), pods, names)


if __name__ == "__main__":
    main(sys.argv[1])

"""What the hub may do in a cluster: all that it needs, and no more. Called by `cluster`."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes_asyncio import client

from daas_command.checks.finding import Finding, ok, warning, wrong
from daas_spawner.kubernetes.api import CALL_SECONDS
from daas_spawner.kubernetes.cluster import Cluster

HOW_TO = "docs/how-to/run-sessions-in-a-cluster.md"
_ROLE = f"Give its account the role of {HOW_TO}; and make the namespace if it is not there."


@dataclass(frozen=True, slots=True)
class Right:
    """Something that can be allowed in a cluster; of all namespaces when *namespace* is empty."""

    verb: str
    resource: str
    namespace: str
    group: str = ""

    def question(self) -> dict[str, Any]:
        """Return what the cluster is asked: `authorization.k8s.io/v1`, SelfSubjectAccessReview."""
        resource, _, part = self.resource.partition("/")
        attributes = {
            "verb": self.verb,
            "resource": resource,
            "subresource": part,
            "namespace": self.namespace,
            "group": self.group,
        }
        return {"spec": {"resourceAttributes": attributes}}


def needed(namespace: str) -> list[Right]:
    """Return what the hub must be allowed in *namespace*."""
    verbs = ("create", "get", "list", "watch", "delete")
    others = (("get", "pods/log"), ("list", "events"), ("watch", "events"))
    return [
        *(Right(verb, "pods", namespace) for verb in verbs),
        *(Right(verb, resource, namespace) for verb, resource in others),
    ]


def not_needed(namespace: str) -> dict[str, list[Right]]:
    """Return what the hub should not be allowed, in words."""
    elsewhere = [place for place in ("default", "kube-system", "") if place != namespace]
    roles = "rbac.authorization.k8s.io"
    return {
        "read secrets": [Right(verb, "secrets", namespace) for verb in ("get", "list")],
        "run commands in pods": [Right("create", "pods/exec", namespace)],
        "make pods in other namespaces": [Right("create", "pods", place) for place in elsewhere],
        "change the cluster's roles": [
            Right(verb, "clusterroles", "", roles) for verb in ("create", "update", "bind")
        ],
    }


async def allowed_rights(cluster: Cluster) -> dict[Right, bool]:
    """Return of all these rights whether the hub has them. Raises as `Cluster.call` does."""
    namespace = cluster.engine.namespace
    rights = [*needed(namespace), *(r for some in not_needed(namespace).values() for r in some)]

    async def is_allowed(right: Right) -> bool:
        answer = await cluster.ask(
            lambda api: client.AuthorizationV1Api(api).create_self_subject_access_review(
                right.question(), _request_timeout=CALL_SECONDS
            )
        )
        return bool(answer.status.allowed)

    return dict(zip(rights, await asyncio.gather(*map(is_allowed, rights)), strict=True))


def rights(allowed: Mapping[Right, bool], namespace: str) -> Iterator[Finding]:
    """Say what the hub may not do and must, and what it may and should not."""
    missing = [f"{one.verb} {one.resource}" for one in needed(namespace) if not allowed[one]]
    if missing:
        yield wrong("rights", f"the hub may not {', '.join(missing)} in “{namespace}”", _ROLE)
    else:
        yield ok("rights", f"pods, their logs and their events in “{namespace}”")
    spare = [
        words
        for words, some in not_needed(namespace).items()
        if any(allowed[right] for right in some)
    ]
    if spare:
        mend = f"Take it away: whoever takes the hub over has it, too. See {HOW_TO}."
        yield warning("more rights", f"the hub may also {', '.join(spare)}", mend)
    else:
        said = "no secrets, no commands in pods, no other namespace, no roles of the cluster"
        yield ok("no more rights", said)

"""What a cluster refuses, in a sentence; its own words are for the log (R2, "Bad input")."""

import json

import pytest
from kubernetes_asyncio.client import ApiException

from daas_model.errors import DaasError, EngineProblem, StorageProblem
from daas_spawner.kubernetes.refusals import refusal_of

NO_PLACE = "The cluster has no place for sessions, so nothing was started."
NOT_ALLOWED = "The cluster does not let the portal start this session."
COULD_NOT = "The cluster could not start the session."

REFUSALS: dict[str, tuple[int, str, str, type[DaasError], str]] = {
    "quota": (
        403,
        "Forbidden",
        'pods "jupyter-pi-5f1c" is forbidden: exceeded quota: desktops, requested: '
        "limits.memory=4Gi, used: limits.memory=16Gi, limited: limits.memory=16Gi",
        EngineProblem,
        "All that sessions may use of the cluster is in use, so nothing was started.",
    ),
    "forbidden": (
        403,
        "Forbidden",
        'pods is forbidden: User "system:serviceaccount:daas:hub" cannot create resource "pods" '
        'in API group "" in the namespace "sessions"',
        EngineProblem,
        NOT_ALLOWED,
    ),
    "pod security": (
        403,
        "Forbidden",
        'pods "jupyter-pi-5f1c" is forbidden: violates PodSecurity "restricted:latest": '
        'restricted volume types (volume "scratch" uses restricted volume type "hostPath")',
        EngineProblem,
        NOT_ALLOWED,
    ),
    "more than one container may have": (
        403,
        "Forbidden",
        'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 4Gi',
        EngineProblem,
        NOT_ALLOWED,
    ),
    "missing namespace": (
        404,
        "NotFound",
        'namespaces "sessions" not found',
        EngineProblem,
        NO_PLACE,
    ),
    "missing claim": (
        403,
        "Forbidden",
        'pods "x" is forbidden: persistentvolumeclaim "data" not found',
        StorageProblem,
        "A volume that the session needs is missing.",
    ),
    "a setting that makes no pod": (
        422,
        "Invalid",
        'Pod "x" is invalid: spec.containers[0].volumeMounts[9].mountPath: Invalid value: '
        '"/proposals": must be unique',
        EngineProblem,
        COULD_NOT,
    ),
    "a login that does not count any more": (
        401,
        "Unauthorized",
        "Unauthorized",
        EngineProblem,
        COULD_NOT,
    ),
    "a webhook that is away": (
        500,
        "InternalError",
        'failed calling webhook "check.example": connection refused',
        EngineProblem,
        COULD_NOT,
    ),
}


@pytest.mark.parametrize("id_", REFUSALS)
def test_a_refusal_is_a_sentence_without_the_clusters_words(id_: str) -> None:
    status, reason, message, kind, sentence = REFUSALS[id_]
    error = ApiException(status=status, reason=reason)
    error.body = json.dumps({"kind": "Status", "reason": reason, "message": message})
    problem = refusal_of(error)
    assert type(problem) is kind
    assert problem.message == sentence
    assert problem.detail == f"{status} {reason}: {message}"
    clusters = ("jupyter-pi", "namespace", "serviceaccount", "hostPath", "webhook", "mountPath")
    assert not [word for word in clusters if word in str(problem)]


BODIES = {
    "none": None,
    "empty": "",
    "no JSON": "<html>502 Bad Gateway</html>",
    "a list": "[1]",
    "a number": "7",
    "bytes that are no text": b"\xff\xfe\x00",
    "bytes": b'{"reason": "Oops"}',
    "without a message": '{"kind": "Status"}',
    "a message that is no text": '{"message": {"a": 1}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_says_nothing_is_a_sentence_too(body: object) -> None:
    error = ApiException(status=502, reason="Bad Gateway")
    error.body = body
    assert refusal_of(error).message == COULD_NOT


def test_a_used_up_quota_says_what_a_person_can_do() -> None:
    error = ApiException(status=403)
    error.body = '{"message": "exceeded quota: x"}'
    assert "smaller machine" in refusal_of(error).action

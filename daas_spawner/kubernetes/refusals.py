"""What a cluster refuses, in sentences. Pure: its own words go to the log only."""

import json
from collections.abc import Mapping
from typing import Any

from kubernetes_asyncio.client import ApiException

from daas_model.errors import DaasError, EngineProblem, StorageProblem

ALREADY_THERE = 409
NOT_THERE = 404


def refusal_of(error: ApiException) -> DaasError:
    """Return what a person reads when the cluster refused to make her session's pod."""
    said = _said(error)
    detail = f"{error.status} {said.get('reason', '')}: {said.get('message', '')}"
    words = detail.lower()
    if "exceeded quota" in words:
        return EngineProblem(
            "All that sessions may use of the cluster is in use, so nothing was started.",
            "Try again when other sessions have ended, or choose a smaller machine.",
            detail=detail,
        )
    if "persistentvolumeclaim" in words:
        return StorageProblem("A volume that the session needs is missing.", detail=detail)
    if error.status == NOT_THERE:
        return EngineProblem(
            "The cluster has no place for sessions, so nothing was started.", detail=detail
        )
    if error.status == 403:
        return EngineProblem(
            "The cluster does not let the portal start this session.", detail=detail
        )
    return EngineProblem("The cluster could not start the session.", detail=detail)


def _said(error: ApiException) -> Mapping[str, Any]:
    try:
        said = json.loads(error.body or "")
    except (TypeError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}

"""What an engine refuses, in sentences. Pure: the engine's own words go to the log only."""

from docker.errors import APIError

from daas_model.errors import DaasError, EngineProblem, StorageProblem

# Words of Docker Engine and of Podman, in small letters.
_STORAGE = ("bind source path does not exist", "no such file or directory", "statfs")
_DISK = ("no space left on device", "disk quota exceeded")
_RUNTIME = ("executable file not found", "daas-enter", "exec format error")
_NETWORK = ("network",)


def refusal_of(error: APIError) -> DaasError:
    """Return what a person reads when the engine refused to make or start her container."""
    detail = " ".join(str(error.explanation or error).split())
    words = detail.lower()
    if any(word in words for word in _DISK):
        return EngineProblem("The machine's disk is full, so nothing was started.", detail=detail)
    if any(word in words for word in _RUNTIME):
        return EngineProblem(
            "This app's image is not made for the portal, so nothing was started.", detail=detail
        )
    if any(word in words for word in _STORAGE):
        return StorageProblem(
            "A folder that the session needs is missing on its machine.", detail=detail
        )
    if any(word in words for word in _NETWORK):
        return EngineProblem(
            "The network for sessions is missing on this machine, so nothing was started.",
            detail=detail,
        )
    return EngineProblem("This machine could not start the session.", detail=detail)

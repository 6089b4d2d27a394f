"""Why a fetch failed, in a sentence, from the engine's own words. Pure."""

import re

from daas_model.errors import ImageProblem

LATER = "Try again in a few minutes. Your data is not affected."
BROKE_OFF = "The fetch of this app's image broke off."
NOT_MADE_FOR_US = "This app's image is not made for this portal."
NOT_HERE = "This app's image is not on its machine."

#: Words of Docker Engine and of Podman, in small letters; the first that fits is taken.
_REASONS = (
    (
        r"no space left on device|disk quota exceeded",
        "The machine's disk is full, so this app's image could not be fetched.",
        "",
    ),
    (
        r"verification failed|(does|did) not match|digest mismatch",
        "The registry sent something else than this app's image, so it was not used.",
        "",
    ),
    (
        r"unauthorized|denied|no basic auth credentials|authentication required|forbidden",
        "The registry does not give out this app's image.",
        "",
    ),
    (
        r"dial tcp|no such host|connection re(fused|set)|timeout|timed out|deadline exceeded|"
        r"x509|tls|certificate|\beof\b|http status: 5|http response to https|toomanyrequests",
        "The registry of this app's image does not answer as it should.",
        LATER,
    ),
    (
        r"manifest unknown|name unknown|not found|no matching manifest|name not known",
        "This app's image is not in the registry.",
        "",
    ),
)
_QUERY = re.compile(r"\?[^\s\"']+")
_PASSWORD = re.compile(r"//[^/\s\"'@]+@")


def fetch_problem(words: str, image_name: str) -> ImageProblem:
    """Return what a person reads when the engine says *words* instead of pulling an image."""
    detail = f"{image_name}: {_without_secrets(words)}"
    for pattern, sentence, action in _REASONS:
        if re.search(pattern, words.lower()):
            return ImageProblem(sentence, action, detail=detail)
    return ImageProblem("This app's image could not be fetched.", detail=detail)


def _without_secrets(words: str) -> str:
    """Registries send engines on to signed addresses, which engines repeat in their errors."""
    one_line = " ".join(words.split())
    return _PASSWORD.sub("//…@", _QUERY.sub("?…", one_line))

"""What of an app's Dockerfile the portal cannot use. Pure: a text in, findings out.

Read as https://docs.docker.com/reference/dockerfile/ describes it, as far as the rules need it.
Called by `apps`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from daas_command.checks.finding import Finding, ok, warning, wrong

ENTRY = "daas-enter"
#: Our images that an app begins with; `build` is for its first stage only.
OURS, STAGE_ONLY = ("base", "desktop", "desktop-full"), "build"
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_SECRET_FILE = re.compile(
    r"(\.(crt|pem|key|p12|pfx|jks)|/?(\.netrc|\.pypirc|\.npmrc|\.env|\.git-credentials|"
    r"id_(rsa|ed25519|ecdsa)|pip\.conf|\.docker/config\.json))$",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"^\w*(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|CREDENTIALS?)\w*", re.IGNORECASE
)
_INSIDE = re.compile(
    r"-----BEGIN [A-Z ]*(CERTIFICATE|PRIVATE KEY)|://[^/\s\"']+:[^/\s\"'@]+@|update-ca-certificates"
)
_UNSAFE = re.compile(
    r"--trusted-host|--insecure\b|\bcurl\b[^&|;]*\s-[a-zA-Z]*k\b|--no-check-certificate|--allow-unauth"
)
_APT = re.compile(r"\bapt(-get)?\s.*\binstall\b", re.DOTALL)
_PIP = re.compile(r"\bpip3?\b.*\binstall\b", re.DOTALL)
_BUILD_SECRET = "Give it as a build secret: RUN --mount=type=secret,id=ca … (make images, DAAS_CA)."  # noqa: S105  words


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its *line* in the file; *words* is all behind its name."""

    line: int
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A FROM with what follows; *image* is what the last of its names stands for."""

    image: str
    instructions: tuple[Instruction, ...]


def parse(text: str) -> list[Instruction]:
    """Return the instructions of *text*, continued lines joined, comments left out."""
    found: list[Instruction] = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        while words.endswith("\\"):
            more = next(lines, (0, ""))[1].strip()
            words = words[:-1] + (" \\" if more.startswith("#") else more)
        for end in _HEREDOC.findall(words):
            for _, inner in lines:
                words += "\n" + inner
                if inner.strip() == end:
                    break
        name, _, rest = words.partition(" ")
        found.append(Instruction(number, name.upper(), rest.strip()))
    return found


def stages_of(instructions: list[Instruction]) -> list[Stage]:
    """Return the stages; a FROM of an earlier stage stands for what that began with."""
    known: dict[str, str] = {}
    named: dict[str, str] = {}
    stages: list[Stage] = []
    for number, instruction in enumerate(instructions):
        if instruction.name == "ARG" and not stages:
            name, _, value = instruction.words.partition("=")
            known[name.strip()] = value.strip("\"' ")
        if instruction.name != "FROM":
            continue
        words = [word for word in instruction.words.split() if not word.startswith("--")]
        raw = words[0] if words else ""
        image = named.get(raw) or _filled(raw, known)
        if len(words) > 2:
            named[words[2]] = image
        ends = (i for i, later in enumerate(instructions) if i > number and later.name == "FROM")
        stages.append(Stage(image, tuple(instructions[number : next(ends, None)])))
    return stages


def _filled(text: str, known: dict[str, str]) -> str:
    """Fill in what has a default; the rest comes with the build, and stays as it is."""
    return _VARIABLE.sub(lambda m: known.get(m[1] or m[3]) or m[2] or m[0], text)


def dockerfile_findings(text: str, what: str = "Dockerfile") -> list[Finding]:
    """Say what of the Dockerfile *text* the portal cannot use, or will regret."""
    instructions = parse(text)
    stages = stages_of(instructions)
    if not stages:
        return [wrong(what, "has no FROM", "Begin it with FROM ${PREFIX}base:${VERSION}.")]
    found = [
        *_pins(what, stages),
        *_begins(what, stages[-1]),
        *_ends(what, stages[-1]),
        *_secrets(what, instructions),
        *_leavings(what, stages[-1]),
    ]
    return found or [ok(what, f"begins from {stages[-1].image}, and ends as an ordinary user")]


def _pins(what: str, stages: list[Stage]) -> Iterator[Finding]:
    for image in dict.fromkeys(stage.image for stage in stages):
        tag = image.rpartition("/")[2].partition(":")[2]
        if image != "scratch" and "@sha256:" not in image and tag in ("", "latest"):
            said = f"FROM {image} may be another image tomorrow"
            yield wrong(what, said, "Name a tag that stays, or a digest (@sha256:…).")


def _name_of(image: str) -> str:
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


def is_ours(image: str) -> bool:
    """Tell whether *image* is one that brings the session's runtime, by its name."""
    return "/" in image and _name_of(image) in OURS


def _begins(what: str, stage: Stage) -> Iterator[Finding]:
    if "/" in stage.image and _name_of(stage.image) == STAGE_ONLY:
        mend = "Copy what it made into a last stage: FROM ${PREFIX}base:${VERSION}."
        yield wrong(what, f"ends as {stage.image}, with compilers and as root", mend)
    elif not is_ours(stage.image) and not _labelled(stage):
        said = f"begins from {stage.image}, which does not have what a session runs in"
        yield wrong(what, said, "Begin it with FROM ${PREFIX}base:${VERSION}, or desktop.")


def _labelled(stage: Stage) -> bool:
    labels = (i.words for i in stage.instructions if i.name == "LABEL")
    return any(re.search(r"daas\.runtime\"?[= ]\"?1", words) for words in labels)


def _ends(what: str, stage: Stage) -> Iterator[Finding]:
    users = [i for i in stage.instructions if i.name == "USER"]
    if users and users[-1].words.partition(":")[0].strip("\"'") in ("root", "0"):
        said = f"line {users[-1].line}: the image ends as root"
        yield wrong(what, said, "End it with USER 10000:10000.")
    elif not users and not is_ours(stage.image):
        yield wrong(what, "the image runs as root", "End it with USER 10000:10000.")
    for entry in (i for i in stage.instructions if i.name == "ENTRYPOINT"):
        if ENTRY not in entry.words:
            said = f"line {entry.line}: ENTRYPOINT takes away {ENTRY}, through which sessions begin"
            yield wrong(what, said, "Take the line out; the program is named in app.yaml.")
    for volume in (i for i in stage.instructions if i.name == "VOLUME"):
        said = f"line {volume.line}: VOLUME makes folders on the engine's disk that no limit bounds"
        yield wrong(what, said, "Take the line out; results belong into the proposal's folder.")


def _secrets(what: str, instructions: list[Instruction]) -> Iterator[Finding]:
    for one in instructions:
        if said := _secret_in(one):
            yield wrong(what, f"line {one.line}: {said}", _BUILD_SECRET)
        elif one.name == "RUN" and _UNSAFE.search(one.words):
            said = f"line {one.line}: takes programs without looking whose they are"
            yield wrong(what, said, _BUILD_SECRET)


def _secret_in(one: Instruction) -> str:
    """Return what of an instruction stays in the image and should not; never the secret."""
    words = one.words.split()
    if one.name in ("COPY", "ADD") and not any(w.startswith("--from") for w in words):
        named = [word for word in words[:-1] if _SECRET_FILE.search(word.strip("[]\"',"))]
        if named:
            return f"{named[0]} would stay in the image"
    if one.name in ("ENV", "ARG"):
        names = [word.partition("=") for word in words]
        old = one.name == "ENV" and "=" not in words[0] if words else False
        kept = [name for name, _, value in names if (value or old) and _SECRET_NAME.match(name)]
        if kept:
            return f"the value of {kept[0]} would stay in the image"
    if _INSIDE.search(one.words):
        return "a certificate, a key or a password would stay in the image"
    return ""


def _leavings(what: str, stage: Stage) -> Iterator[Finding]:
    for one in stage.instructions:
        if one.name != "RUN" or "type=cache" in one.words:
            continue
        installs = _APT.search(one.words)
        if installs and "/apt/lists" not in one.words:
            said = f"line {one.line}: the package lists stay in the image"
            yield warning(what, said, "Add in the same line: && rm -rf /var/lib/apt/lists/*")
        if _PIP.search(one.words) and "--no-cache-dir" not in one.words:
            said = f"line {one.line}: pip's cache stays in the image"
            yield warning(what, said, "Add --no-cache-dir.")

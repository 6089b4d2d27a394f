"""What of a contributed Dockerfile `daas check apps` finds, each with what mends it."""

from pathlib import Path

import pytest

from daas_command.checks.dockerfile import dockerfile_findings, parse, stages_of
from daas_command.checks.finding import Finding

REPOSITORY = Path(__file__).parents[2]
GOOD = """\
# syntax=docker/dockerfile:1
ARG PREFIX=daas/
ARG VERSION=0.1.0
FROM ${PREFIX}build:${VERSION} AS builder
COPY requirements.txt /build/
RUN --mount=type=secret,id=ca \\
    # a comment within
    PIP_CERT=/run/secrets/ca pip install -r requirements.txt
FROM ${PREFIX}desktop:${VERSION}
COPY --from=builder /opt/daas/env /opt/daas/env
USER root
RUN apt-get update \\
 && apt-get install --yes gnuplot \\
 && rm -rf /var/lib/apt/lists/*
USER 10000:10000
"""


def found_in(text: str) -> list[Finding]:
    """Return what is not well."""
    return [finding for finding in dockerfile_findings(text) if finding.state != "ok"]


def test_a_good_one_is_well() -> None:
    assert found_in(GOOD) == []


@pytest.mark.parametrize("name", ["desktop-full", "jupyterlab", "pymca", "silx-pyfai"])
def test_our_own_are_well(name: str) -> None:
    assert found_in((REPOSITORY / "images" / name / "Dockerfile").read_text()) == []


LAST = "FROM registry.facility.example/daas/base:1\n"
BAD = {
    "nothing in it": ("", "has no FROM"),
    "no tag": ("FROM debian\nUSER 1\nLABEL daas.runtime=1\n", "FROM debian may be another"),
    "the latest": ("FROM daas/base:latest\n", "may be another image tomorrow"),
    "an early stage without a tag": (f"FROM gcc AS a\n{LAST}", "FROM gcc may be another"),
    "a registry's port is no tag": ("FROM r.example:5000/daas/base\n", "may be another"),
    "not from ours": ("FROM debian:bookworm-slim\nUSER 1\n", "does not have what a session"),
    "as root": (f"{LAST}USER 1\nUSER root\n", "line 3: the image ends as root"),
    "as root by number": (f"{LAST}USER 0:0\n", "line 2: the image ends as root"),
    "as root by default": ("FROM debian:12\nLABEL daas.runtime=1\n", "the image runs as root"),
    "the build stage last": ("FROM daas/build:1\nUSER 1\n", "with compilers and as root"),
    "the build stage last, by name": (
        "FROM daas/build:1 AS one\nFROM one\nUSER 1\n",
        "with compilers and as root",
    ),
    "a volume": (f"{LAST}VOLUME /scratch\n", "line 2: VOLUME makes folders"),
    "another entry point": (f'{LAST}ENTRYPOINT ["/start.sh"]\n', "line 2: ENTRYPOINT takes away"),
    "none any more": (f"{LAST}ENTRYPOINT []\n", "line 2: ENTRYPOINT takes away"),
    "a certificate": (f"{LAST}COPY ca.crt /etc/ssl/\n", "line 2: ca.crt would stay"),
    "in a list": (f'{LAST}COPY ["my.pem", "/x/"]\n', "would stay in the image"),
    "a key": (f"{LAST}ADD id_rsa /root/.ssh/\n", "line 2: id_rsa would stay"),
    "pip's login": (f"{LAST}COPY .netrc /root/\n", "line 2: .netrc would stay"),
    "a password": (f"{LAST}ENV DB_PASSWORD=hunter2\n", "value of DB_PASSWORD would stay"),
    "in the old way": (f"{LAST}ENV API_TOKEN hunter2\n", "value of API_TOKEN would stay"),
    "a token's default": (f"{LAST}ARG TOKEN=hunter2\n", "value of TOKEN would stay"),
    "in an address": (f"{LAST}RUN git clone https://me:hunter2@x/y\n", "a password would stay"),
    "in a document": (
        f"{LAST}COPY <<END /ca\n-----BEGIN CERTIFICATE-----\nhunter2\nEND\n",
        "line 2: a certificate",
    ),
    "made trusted": (f"{LAST}RUN update-ca-certificates\n", "line 2: a certificate"),
    "nobody looked at": (f"{LAST}RUN pip install --no-cache-dir --trusted-host x y\n", "whose"),
    "curl's short option": (f"{LAST}RUN curl -sk https://x\n", "line 2: takes programs"),
    "package lists": (f"{LAST}RUN apt-get install -y x\n", "package lists stay"),
    "pip's cache": (f"{LAST}RUN pip install x\n", "pip's cache stays"),
}


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD.keys())
def test_what_the_portal_cannot_use_is_named_and_mended(text: str, says: str) -> None:
    (found,) = found_in(text)
    assert says in found.said
    assert found.mend
    assert "hunter2" not in found.said + found.mend


@pytest.mark.parametrize(
    "line",
    ["RUN --mount=type=cache,target=/root/.cache pip install x", "ENV KEYBOARD=de", "ARG TOKEN"],
)
def test_what_only_looks_like_it_is_well(line: str) -> None:
    assert found_in(f"{LAST}{line}\n") == []


def test_stages_stand_for_what_they_began_with() -> None:
    stages = stages_of(parse("ARG V=2\nFROM a/b:${V} AS one\nFROM one\nFROM c:${W:-3}\n"))
    assert [stage.image for stage in stages] == ["a/b:2", "a/b:2", "c:3"]


def test_an_odd_text_is_no_mistake_of_ours() -> None:
    for text in ("FROM", "FROM \\", "RUN <<E", "\\\n", "FROM a:1\nENV\nCOPY\nARG\nUSER\n"):
        assert dockerfile_findings(text)

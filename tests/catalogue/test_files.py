"""The `files` connector on bad input: one clear line, and nobody else is hurt."""

import asyncio
import logging
import os
from pathlib import Path

import pytest

from daas_catalogue.files import FilesCatalogue
from daas_catalogue.layout import StorageLayout
from daas_model.errors import CatalogueProblem
from daas_model.people import Person

GOOD = """\
id: {id}
title: A title
beamline: B1
visits: [{{id: v1, begins: 2026-01-01, ends: 2026-01-02}}]
principal_investigator: pi
"""

MALFORMED = {
    "not YAML": "id: [",
    "not UTF-8": b"\xff\xfe",
    "a list": "- a",
    "empty": "",
    "no title": GOOD.format(id="bad").replace("title: A title\n", ""),
    "another id than its name": GOOD.format(id="other"),
    "a path as id": GOOD.format(id="../bad"),
    "a misspelt entry": GOOD.format(id="bad") + "co_proposer: [x]\n",
    "visits that end before they begin": GOOD.format(id="bad").replace("2026-01-02", "2025-01-01"),
    "a visit without dates": GOOD.format(id="bad").replace("2026-01-02", "soon"),
    "a very large file": GOOD.format(id="bad") + "abstract: " + "x" * 300_000,
    "a date that does not exist": GOOD.format(id="bad").replace("2026-01-02", "2026-13-45"),
    "a number that is none": GOOD.format(id="bad").replace("A title", "0b_"),
    "brackets without end": "[" * 3000,
    "a YAML tag that would run code": "!!python/object/apply:os.system ['true']",
}


@pytest.fixture
def catalogue(tmp_path: Path) -> FilesCatalogue:
    (tmp_path / "good.yaml").write_text(GOOD.format(id="good"), "utf-8")
    return FilesCatalogue(folder=str(tmp_path), layout=StorageLayout())


async def test_dates_may_be_texts(catalogue: FilesCatalogue, tmp_path: Path) -> None:
    """JSON knows no dates, and so what Helm writes has none."""
    text = (
        GOOD.format(id="good")
        .replace("2026-01-01", "'2026-01-01'")
        .replace("2026-01-02", '"2026-01-02"')
    )
    (tmp_path / "good.yaml").write_text(text, "utf-8")
    (found,) = (await catalogue.proposals_of(Person("pi"))).proposals
    assert found.visits[0].begins.isoformat() == "2026-01-01"


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_file_hides_only_itself_and_is_named_in_the_log(
    catalogue: FilesCatalogue, content: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bad = Path(catalogue.folder) / "bad.yaml"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    with caplog.at_level(logging.ERROR):
        listing = await catalogue.proposals_of(Person("pi"))
    assert [proposal.id for proposal in listing.proposals] == ["good"]
    assert CatalogueProblem.code in listing.notice
    assert str(bad) in caplog.text
    assert len(caplog.records) == 1


async def test_a_pipe_among_the_files_holds_nobody_up(catalogue: FilesCatalogue) -> None:
    os.mkfifo(Path(catalogue.folder) / "bad.yaml")
    async with asyncio.timeout(5):
        listing = await catalogue.proposals_of(Person("pi"))
    assert [proposal.id for proposal in listing.proposals] == ["good"]


async def test_a_malformed_file_is_complained_about_once_not_at_every_look(
    catalogue: FilesCatalogue, caplog: pytest.LogCaptureFixture
) -> None:
    (Path(catalogue.folder) / "bad.yaml").write_text("id: [", "utf-8")
    for _ in range(3):
        await catalogue.proposals_of(Person("pi"))
    assert len(caplog.records) == 1


async def test_an_edited_file_is_read_anew_and_a_removed_one_is_gone(
    catalogue: FilesCatalogue,
) -> None:
    file = Path(catalogue.folder) / "good.yaml"
    await catalogue.proposals_of(Person("pi"))
    file.write_text(GOOD.format(id="good").replace("A title", "Another, longer title"), "utf-8")
    listing = await catalogue.proposals_of(Person("pi"))
    assert listing.proposals[0].title == "Another, longer title"
    file.unlink()
    assert (await catalogue.proposals_of(Person("pi"))).proposals == ()


async def test_a_folder_that_is_gone_is_a_sentence_not_an_empty_list(tmp_path: Path) -> None:
    catalogue = FilesCatalogue(folder=str(tmp_path / "gone"), layout=StorageLayout())
    with pytest.raises(CatalogueProblem):
        await catalogue.proposals_of(Person("pi"))

"""Where data lies: the facility's rule, and real folders that break it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from daas_catalogue.layout import StorageLayout
from daas_model.errors import StorageProblem
from daas_model.proposals import Proposal


def proposal(layout: StorageLayout) -> Proposal:
    nobody: frozenset[str] = frozenset()
    return Proposal("P-1", "t", "", "B1", (), "pi", nobody, nobody, nobody, layout.of("P-1", "B1"))


@pytest.fixture
def layout(tmp_path: Path) -> StorageLayout:
    (tmp_path / "data" / "P-1" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "P-1" / "processed").mkdir()
    (tmp_path / "elsewhere").mkdir()
    return StorageLayout(
        raw=f"{tmp_path}/data/{{proposal}}/raw",
        processed=f"{tmp_path}/data/{{proposal}}/processed",
        roots=[f"{tmp_path}/data"],
    )


def test_the_rule_names_folders_and_group(layout: StorageLayout, tmp_path: Path) -> None:
    storage = layout.check(proposal(layout))
    assert Path(storage.raw) == tmp_path / "data" / "P-1" / "raw"
    assert storage.group == "p-1"


def remove_raw(raw: Path) -> None:
    raw.rmdir()


def link_outside(raw: Path) -> None:
    raw.rmdir()
    raw.symlink_to(raw.parents[2] / "elsewhere")


def link_to_the_root(raw: Path) -> None:
    raw.rmdir()
    raw.symlink_to("/")


def link_that_climbs(raw: Path) -> None:
    raw.rmdir()
    raw.symlink_to("../../../elsewhere")


def link_to_itself(raw: Path) -> None:
    raw.rmdir()
    raw.symlink_to(raw)


def file_in_place(raw: Path) -> None:
    raw.rmdir()
    raw.write_text("")


@pytest.mark.parametrize(
    "break_it",
    [remove_raw, link_outside, link_to_the_root, link_that_climbs, link_to_itself, file_in_place],
)
def test_a_raw_folder_that_is_missing_or_leads_out_is_refused_without_its_path(
    layout: StorageLayout, tmp_path: Path, break_it: Callable[[Path], None]
) -> None:
    break_it(tmp_path / "data" / "P-1" / "raw")
    with pytest.raises(StorageProblem) as refused:
        layout.check(proposal(layout))
    assert "P-1" in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    assert str(tmp_path) in refused.value.detail


def test_a_link_that_stays_inside_the_roots_is_followed(
    layout: StorageLayout, tmp_path: Path
) -> None:
    raw = tmp_path / "data" / "P-1" / "raw"
    raw.rename(tmp_path / "data" / "disk7")
    raw.symlink_to(tmp_path / "data" / "disk7")
    assert Path(layout.check(proposal(layout)).raw) == tmp_path / "data" / "disk7"


def test_a_neighbour_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    for kind in ("raw", "processed"):
        (tmp_path / "data-private" / kind).mkdir(parents=True)
    layout = StorageLayout(
        raw=f"{tmp_path}/data-private/raw",
        processed=f"{tmp_path}/data-private/processed",
        roots=[f"{tmp_path}/data"],
    )
    with pytest.raises(StorageProblem):
        layout.check(proposal(layout))

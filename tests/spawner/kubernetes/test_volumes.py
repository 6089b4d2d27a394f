"""In which claim a folder of the facility lies (X1)."""

from pathlib import PurePosixPath

import pytest

from daas_spawner.kubernetes.volumes import Place, place_of

VOLUMES = {
    "data": PurePosixPath("/data"),
    "visitor": PurePosixPath("/data/visitor"),
    "homes": PurePosixPath("/home"),
}
PLACES = {
    "in a claim": ("/data/raw/x", Place("data", "raw/x")),
    "in the claim that begins nearest": ("/data/visitor/x/raw", Place("visitor", "x/raw")),
    "where a claim begins": ("/data/visitor", Place("visitor", ".")),
    "the whole of a claim": ("/home", Place("homes", ".")),
    "of a name that begins as another": ("/data/visitors/x", Place("data", "visitors/x")),
    "outside": ("/srv/data/x", None),
    "beside": ("/homes/pi", None),
    "above": ("/", None),
}


@pytest.mark.parametrize(("path", "place"), PLACES.values(), ids=PLACES.keys())
def test_a_folder_lies(path: str, place: Place | None) -> None:
    assert place_of(PurePosixPath(path), VOLUMES) == place


def test_the_order_in_which_claims_are_named_does_not_matter() -> None:
    turned = dict(reversed(VOLUMES.items()))
    assert place_of(PurePosixPath("/data/visitor/x"), turned) == Place("visitor", "x")


def test_one_claim_may_have_everything() -> None:
    everything = {"all": PurePosixPath("/")}
    assert place_of(PurePosixPath("/data/x"), everything) == Place("all", "data/x")


def test_a_claim_is_never_named_by_an_empty_folder() -> None:
    """An empty `subPath` would be no `subPath`: all that is mounted in the volume, too."""
    for path in VOLUMES.values():
        found = place_of(path, VOLUMES)
        assert found is not None
        assert found.folder

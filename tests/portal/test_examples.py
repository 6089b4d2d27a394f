"""A facility without example data: no page offers any."""

from collections.abc import Iterator

import pytest

from tests.conftest import free_port, short_folder
from tests.portal.two_engines import TwoEngines
from tests.visitor import Visitor

PORTAL = "/services/portal/"


@pytest.fixture
def place() -> Iterator[TwoEngines]:
    with short_folder() as folder:
        place = TwoEngines(folder, free_port())
        try:
            place.begin('c.DaasSpawner.examples_folder = ""')
            yield place
        finally:
            place.end()


async def test_examples_are_not_offered_where_there_are_none(place: TwoEngines) -> None:
    async with Visitor(place.url) as newcomer:
        await newcomer.sign_in("newcomer")
        home = (await newcomer.get(PORTAL)).text
        assert "Without a proposal" in home
        assert "Open in PyMca" in home
        link = (await newcomer.get(f"{PORTAL}open?app=pymca")).text
        assert "With your home folder; no proposal's data." in link
        assert "example data" not in home + link

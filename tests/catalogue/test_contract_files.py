"""The `files` connector is a catalogue: it passes the contract (D2)."""

from pathlib import Path

import pytest
import yaml

from daas_catalogue.files import FilesCatalogue
from daas_catalogue.layout import StorageLayout
from daas_catalogue.testing import CatalogueContract
from daas_model.protocols import Catalogue


class TestFiles(CatalogueContract):
    @pytest.fixture
    def catalogue(self, tmp_path: Path) -> Catalogue:
        for id_, ends, members in (
            (self.OLDER, "2025-02-03", [self.MEMBER]),
            (self.NEWER, "2026-02-03", [self.MEMBER, self.OTHER]),
            (self.FOREIGN, "2026-05-03", []),
        ):
            data = {
                "id": id_,
                "title": "A <title> & more",
                "beamline": "B1",
                "visits": [{"id": f"{id_}-1", "begins": "BEGINS", "ends": "ENDS"}],
                "principal_investigator": "somebody",
                "co_proposers": members,
            }
            text = yaml.safe_dump(data).replace("BEGINS", "2025-01-01").replace("ENDS", ends)
            (tmp_path / f"{id_}.yaml").write_text(text.replace("'", ""), "utf-8")
        return FilesCatalogue(folder=str(tmp_path), layout=StorageLayout())

"""A facility's list of who is who."""

from pathlib import Path

import pytest

from daas_authenticator.links.lists import Entry, moved, read_list, read_moves
from daas_authenticator.links.store import LEGACY_ISSUER, Link
from daas_authenticator.names import is_local_name
from daas_model.errors import BadRequest

ISSUER = "https://sso.facility.example"


def written(folder: Path, text: str) -> Path:
    file = folder / "list.csv"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    return file


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        pytest.param(
            "name,sub\npi,p1\n", Entry(2, "pi", ISSUER, "p1"), id="subjects of one issuer"
        ),
        pytest.param(
            "sub;issuer,name\n".replace(";", ",") + "p1,https://o.example,pi\n",
            Entry(2, "pi", "https://o.example", "p1"),
            id="the line names its issuer",
        ),
        pytest.param(
            "EAAHash,name\n0a1b-2c, pi \n", Entry(2, "pi", LEGACY_ISSUER, "0a1b-2c"), id="hashes"
        ),
        pytest.param(
            '\ufeffname,sub\r\npi,"p,1"\r\n', Entry(2, "pi", ISSUER, "p,1"), id="as a spreadsheet"
        ),
    ],
)
def test_a_list_is_read(tmp_path: Path, text: str, entry: Entry) -> None:
    assert read_list(written(tmp_path, text), ISSUER, is_local_name, str) == (entry,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("name,sub\npi,\n", "Line 2.*no `sub`", id="no identity"),
        pytest.param("name,sub\npi,p1\nroot me,p2\n", "Line 3.*name", id="no name"),
        pytest.param("name,sub\npi,p1\nco,p1\n", "Line 3.*twice", id="one identity twice"),
        pytest.param("name,sub\npi,p1,x\n", "Line 2.*columns", id="too many columns"),
        pytest.param("name,sub\npi,p\x001\n", "Line 2.*control", id="NUL"),
        pytest.param("name,sub\npi,p\x1b1\n", "Line 2.*control", id="escape"),
        pytest.param(f"name,sub\npi,{'p' * 256}\n", "Line 2.*255", id="too long"),
        pytest.param("name,sub,sub\npi,p1,p2\n", "Line 1.*same heading", id="heading twice"),
        pytest.param("name,sub\npi\n", "Line 2.*columns", id="too few columns"),
        pytest.param("name\npi\n", "Line 2.*no `sub`", id="other headings"),
        pytest.param('name,sub\n"pi,p1\n', "no CSV", id="open quote"),
        pytest.param("name,sub\n\udcff,p1\n", "UTF-8", id="not UTF-8"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        read_list(written(tmp_path, text), ISSUER, is_local_name, str)


def test_without_an_issuer_there_is_no_identity(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="--issuer"):
        read_list(written(tmp_path, "name,sub\npi,p1\n"), "", is_local_name, str)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        read_list(tmp_path / "missing.csv", ISSUER, is_local_name, str)


def test_links_move_to_the_subjects_of_a_new_provider(tmp_path: Path) -> None:
    moves = read_moves(written(tmp_path, "old_sub,new_sub\np1,n1\nunknown,n9\n"))
    links = [Link(ISSUER, "p1", "pi", 5, "pi"), Link(ISSUER, "c1", "co", 5, "co")]
    gone, new, left = moved(links, moves, "https://new.example")
    assert (gone, left) == ((links[0],), (links[1],))
    assert new == (Link("https://new.example", "n1", "pi", 0, "pi"),)


def test_an_issuer_that_only_changed_its_address_takes_all_along() -> None:
    links = [Link(ISSUER, "p1", "pi", 5, "pi")]
    _, new, left = moved(links, None, "https://new.example")
    assert (new, left) == ((Link("https://new.example", "p1", "pi", 0, "pi"),), ())


@pytest.mark.parametrize(
    "text",
    ["old_sub,new_sub\na,x\na,y\n", "old_sub,new_sub\na,x\nb,x\n", "old_sub,new_sub\na,\n"],
    ids=["old twice", "new twice", "no new one"],
)
def test_a_wrong_list_of_moves_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadRequest, match="Line"):
        read_moves(written(tmp_path, text))

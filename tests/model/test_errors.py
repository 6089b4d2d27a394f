"""Errors are sentences with a code that the documentation knows."""

from pathlib import Path

import pytest

import daas_portal.hub  # noqa: F401  registers the portal's own error
from daas_model.errors import DaasError
from daas_model.people import Account

DOCUMENTED = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"


def every_error() -> list[type[DaasError]]:
    found, waiting = [], [DaasError]
    while waiting:
        error = waiting.pop()
        found.append(error)
        waiting += error.__subclasses__()
    return found


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
def test_every_error_code_is_documented(error: type[DaasError]) -> None:
    assert f"`{error.code}`" in DOCUMENTED.read_text("utf-8")


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in every_error() if "code" in vars(error)]
    assert len(set(codes)) == len(codes)


def test_the_detail_for_the_log_is_not_in_the_sentence_for_the_person() -> None:
    assert "/srv/secret" not in str(DaasError("It failed.", detail="/srv/secret"))


def test_no_log_line_can_carry_the_numbers_of_an_account() -> None:
    account = Account("pi", 61001, 61002, {"g": 62001}, Path("/home/pi"))  # type: ignore[arg-type]
    assert repr(account) == "Account(name='pi')"

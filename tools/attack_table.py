"""Prints the attacks on a login, tried on our authenticator and on OAuthenticator's own.

`make attack-table` runs it. Exit code 0 when ours withstands all of them. A row is all tests
named `test_attack_NN_…`; the stock class is tried by those that go through a plain hub.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

TESTS = ("tests/authenticator", "tests/desktop", "tests/hosting", "tests/spawner")
THROUGH_A_PLAIN_HUB = "tests/authenticator/test_attacks.py"
WHAT = {
    1: "forged or planted answer",
    2: "mix-up of two providers",
    3: "open redirect",
    4: "code stolen or used twice",
    5: "tokens of two people",
    6: "no signature, or a false one",
    7: "token not of this login",
    8: "keys rotated, or invented",
    9: "names that collide or deceive",
    10: "rights by another's claim",
    11: "planted session",
    12: "cookie copied before sign-out",
    13: "session open after sign-out",
    14: "signed out by a link",
    15: "signed in at the provider still",
    16: "thrown out, still inside",
    17: "false notice of a logout",
    18: "page of another's session",
    19: "cookies planted by a neighbour",
    20: "token of a session",
    21: "markup in names",
    22: "words in the answer's address",
    23: "tokens on pages and in logs",
    24: "taken out of a proposal",
    25: "group taken away",
    26: "refresh for somebody else",
    27: "provider is down",
    28: "forged Host",
    29: "login by a header",
    30: "passwords guessed, or odd",
    31: "administrator as somebody else",
    32: "scripts of who has left",
    33: "demo provider in production",
    34: "documents that lead elsewhere",
    35: "watching without being invited",
}

Tally = dict[int, tuple[int, int]]


def tried(attacked: str, *tests: str) -> Tally:
    """Return by row how many attacks *attacked* withstood, and how many there were."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-k",
                "test_attack_",
                f"--junitxml={report}",
                *tests,
            ],
            env={**os.environ, "ATTACKED": attacked},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        return tally(report.read_text("utf-8"))


def tally(report: str) -> Tally:
    """Return the rows in pytest's *report*."""
    found: dict[int, list[bool]] = defaultdict(list)
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        number = re.match(r"test_attack_(\d\d)_", case.get("name", ""))
        if number and case.find("skipped") is None:
            failed = case.find("failure") is not None or case.find("error") is not None
            found[int(number[1])].append(not failed)
    return {row: (sum(passed), len(passed)) for row, passed in sorted(found.items())}


def line(row: int, ours: Tally, stock: Tally) -> str:
    """Return the table's line of *row*."""
    cells = [f"{t[row][0]} of {t[row][1]}" if row in t else "–" for t in (ours, stock)]
    return f"{row:>3}  {WHAT.get(row, ''):<32}  {cells[0]:>10}  {cells[1]:>10}"


def main() -> int:
    """Run both and print the table."""
    ours, stock = tried("ours", *TESTS), tried("stock", THROUGH_A_PLAIN_HUB)
    print(f"{'row':>3}  {'attacks withstood':<32}  {'ours':>10}  {'stock':>10}")
    for row in ours:
        print(line(row, ours, stock))
    return 0 if ours and all(passed == all_ for passed, all_ in ours.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The files that name people are the hub's alone."""

import os
from pathlib import Path

from daas_authenticator.audit import Audit


def test_the_audit_file_stays_private_when_it_is_rotated(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    mask = os.umask(0)
    try:
        audit = Audit(str(file))
        audit.record("blocked", "pi", by="co")
        file.rename(tmp_path / "audit.jsonl.1")
        audit.record("blocked", "ll", by="co")
    finally:
        os.umask(mask)
    assert [one.stat().st_mode & 0o777 for one in sorted(tmp_path.iterdir())] == [0o600] * 2
    assert '"ll"' in file.read_text()

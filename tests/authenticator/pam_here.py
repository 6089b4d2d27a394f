"""PAM and a name service of invented people, for one process: Debian's wrapper libraries.

Nothing of `/etc` is read or changed. The helper gets all of it by its command's environment.
"""

import ctypes.util
import sys
from pathlib import Path

import pytest

SERVICE = """\
auth     required {module} passdb={folder}/passdb
account  required {module} passdb={folder}/passdb
"""
# The helper loads libpam by name, past what was preloaded; here it finds that instead.
LAUNCHER = """\
import ctypes, runpy
real = ctypes.CDLL
ctypes.CDLL = lambda name, *a: real(None if name and name.startswith("libpam.") else name, *a)
runpy.run_module("daas_authenticator.passwords.pam_helper", run_name="__main__")
"""
SLOW = "auth required pam_exec.so quiet /bin/sleep 3\n"


def pam_here(folder: Path, *passwords: str) -> list[str]:
    """Return the helper's command, for people given as `name:password` of the service `daas`.

    The service `slow` takes 3 seconds. Skips the test where the libraries are missing.
    """
    modules = list(Path("/usr/lib").glob("*/pam_wrapper/pam_matrix.so"))
    if not modules or ctypes.util.find_library("nss_wrapper") is None:
        pytest.skip("libpam-wrapper or libnss-wrapper is not installed")
    services = folder / "services"
    services.mkdir()
    (services / "daas").write_text(SERVICE.format(module=modules[0], folder=folder))
    (services / "slow").write_text(SLOW)
    (folder / "passdb").write_text("".join(f"{line}:daas\n" for line in passwords))
    (folder / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n"
        "backup2:x:34:34::/:/bin/sh\n"
        "alice:x:20001:20001::/home/alice:/bin/sh\n"
    )
    (folder / "group").write_text("root:x:0:\n")
    launcher = folder / "launcher.py"
    launcher.write_text(LAUNCHER)
    return [
        "env",
        "LD_PRELOAD=libpam_wrapper.so:libnss_wrapper.so",
        "PAM_WRAPPER=1",
        f"PAM_WRAPPER_SERVICE_DIR={services}",
        f"NSS_WRAPPER_PASSWD={folder}/passwd",
        f"NSS_WRAPPER_GROUP={folder}/group",
        sys.executable,
        str(launcher),
    ]

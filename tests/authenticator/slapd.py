"""A real LDAP server of invented people: Debian's slapd as a plain process on loopback.

Its configuration, data and certificates are in a folder of the test; nothing of the machine's
own LDAP is read or changed.
"""

import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.conftest import free_port

BASE = "dc=facility,dc=example"
READER, READERS_PASSWORD = f"cn=daas,{BASE}", "password-of-the-hub"

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
# rfc2307bis lets a group list its members' entries as well as their names
objectclass ( 1.3.6.1.4.1.99999.1 NAME 'groupWithMembers' AUXILIARY MAY member )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw root-of-the-test
directory {folder}/data
index uid,uidNumber,memberUid,member eq
overlay memberof
memberof-group-oc groupWithMembers
overlay ppolicy
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
"""

TOP = f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: facility
o: Facility

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: {READER}
objectClass: person
cn: daas
sn: hub
userPassword: {READERS_PASSWORD}
"""


def person(name: str, uid: int, gid: int, home: str, **more: str) -> str:
    """Return the entry of an account."""
    attributes = {"cn": name, "sn": name, "uid": name, "uidNumber": str(uid), **more}
    lines = [f"dn: cn={name},ou=people,{BASE}", "objectClass: inetOrgPerson"]
    lines += ["objectClass: posixAccount", f"gidNumber: {gid}", f"homeDirectory: {home}"]
    lines += [f"{key}: {value}" for key, value in attributes.items()]
    return "\n".join([*lines, ""])


def group(name: str, gid: int, *members: str, by_entry: bool = False) -> str:
    """Return a group that lists its members by name, or by their entries."""
    lines = [f"dn: cn={name},ou=groups,{BASE}", "objectClass: posixGroup", f"cn: {name}"]
    lines += [f"gidNumber: {gid}"]
    if by_entry:
        lines.append("objectClass: groupWithMembers")
    for member in members:
        entry = f"member: cn={member},ou=people,{BASE}"
        lines.append(entry if by_entry else f"memberUid: {member}")
    return "\n".join([*lines, ""])


@dataclass
class Slapd:
    """One server. Use `start` and `stop`; `stop` twice is no error."""

    folder: Path
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def plain(self) -> str:
        """Its address without TLS, which STARTTLS upgrades."""
        return f"ldap://localhost:{self.port}"

    @property
    def tls(self) -> str:
        """Its address with TLS. The certificate is for `localhost` only."""
        return f"ldaps://localhost:{self.tls_port}"

    @property
    def local(self) -> str:
        """Its unix socket."""
        return "ldapi://" + quote(str(self.folder / "ldapi"), safe="")

    @property
    def ca_file(self) -> Path:
        """The authority that signed its certificate."""
        return self.folder / "ca.pem"

    @property
    def password_file(self) -> Path:
        """The file with the hub's password."""
        return self.folder / "password"

    def start(self, *entries: str) -> "Slapd":
        """Run it with *entries*, added as a person would add them."""
        (self.folder / "data").mkdir()
        make_certificates(self.folder)
        self.password_file.write_text(READERS_PASSWORD + "\n")
        self.password_file.chmod(0o600)
        config = self.folder / "slapd.conf"
        config.write_text(CONFIG.format(folder=self.folder, base=BASE, reader=READER))
        listen = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port} {self.local}"
        with (self.folder / "log").open("wb") as log:
            # -d keeps it in the foreground, so that it ends by its own process id
            self.process = subprocess.Popen(
                ["slapd", "-d", "0", "-f", str(config), "-h", listen],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        self._wait()
        self.add(TOP, *entries)
        return self

    def add(self, *entries: str) -> None:
        """Add *entries*."""
        self._ldap("ldapadd", "\n".join(entries))

    def change(self, *changes: str) -> None:
        """Make *changes*, records of LDIF with a `changetype`."""
        self._ldap("ldapmodify", "\n".join(changes))

    def stop(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _ldap(self, program: str, stdin: str) -> None:
        asker = ["-x", "-H", self.local, "-D", f"cn=root,{BASE}", "-w", "root-of-the-test"]
        done = subprocess.run(
            [program, *asker], input=stdin, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def _wait(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.folder / "ldapi"))
                    return
                except OSError:
                    time.sleep(0.05)
        raise AssertionError("slapd does not answer")


def make_certificates(folder: Path) -> None:
    """Make an authority and a certificate of `localhost` signed by it."""
    for command in (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority "
        "-keyout ca.key -out ca.pem",
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE "
        "-CA ca.pem -CAkey ca.key -keyout server.key -out server.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, capture_output=True, check=True)

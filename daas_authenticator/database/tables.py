"""The tables. Whoever changes one adds a step to `migrations/versions`.

Times are seconds since 1970.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, MetaData, String, Table, Text

metadata = MetaData()

#: Where Alembic notes which of `migrations/versions` were done; others may use the same database.
VERSION_TABLE = "daas_people_version"

#: Nobody is deleted: a name that was somebody's stays hers.
people = Table(
    "people",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("blocked_from", BigInteger),
    Column("reason", Text, nullable=False),
)

#: Which identity signs in as whom.
links = Table(
    "links",
    metadata,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("name", String(255), ForeignKey("people.name"), nullable=False, index=True),
    Column("linked_at", BigInteger, nullable=False),
    Column("linked_by", String(255), nullable=False),
)

#: Browsers that are signed in. The key is a hash: whoever reads it cannot take a login over.
logins = Table(
    "logins",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("name", String(255), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("issuer", String(255), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("sid", String(255), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("browser", String(80), nullable=False),
)

"""People who have a name here, the identities that sign in as them, browsers signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "people",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("blocked_from", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "links",
        sa.Column("issuer", sa.String(255), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("name", sa.String(255), sa.ForeignKey("people.name"), nullable=False),
        sa.Column("linked_at", sa.BigInteger, nullable=False),
        sa.Column("linked_by", sa.String(255), nullable=False),
    )
    op.create_index("ix_links_name", "links", ["name"])
    op.create_table(
        "logins",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("sid", sa.String(255), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.Column("browser", sa.String(80), nullable=False),
    )
    op.create_index("ix_logins_name", "logins", ["name"])

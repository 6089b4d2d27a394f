"""Run by Alembic for `Database.migrate`, with the connection that it gave."""

from alembic import context

from daas_authenticator.database.tables import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
